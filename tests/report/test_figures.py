"""What is drawn: the data, the names as they are, the same bytes every time, never too much."""

import functools
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from lstm_export.report.figures import SeriesPlot, series_figure
from lstm_export.report.histogram_figure import Spread, histogram_figure, histograms_figure
from lstm_export.report.latency_figure import latency_figure, ratios
from lstm_export.report.losses_figure import Losses, losses_figure
from lstm_export.report.parity_figure import OutputErrors, parity_figure
from lstm_export.report.predictions_figure import PredictionPlot, predictions_figure
from lstm_export.report.svg import drawing_style, image_bytes, inline_svg

HOSTILE = '<script>alert("1")</script> $a_b$ \x00\n&amp;'


def series(name: str = "y", rows: int = 90) -> SeriesPlot:
    values = np.sin(np.arange(rows) / 3)
    return SeriesPlot(
        target=name,
        unit=name,
        times=[str(1900 + i) for i in range(rows)],
        history=values,
        forecast_times=[str(1900 + rows + i) for i in range(5)],
        forecast=values[:5],
        gaps=(40,),
        validation=60,
        test=75,
    )


def predictions(name: str = "y") -> PredictionPlot:
    truth = np.arange(12.0)
    times = [f"2020-01-{day:02}" for day in range(1, 13)]
    return PredictionPlot(name, name, times, truth, truth + 0.5, truth - 1)


def errors(name: str = "model.onnx · output") -> OutputErrors:
    return OutputErrors(name, np.array([0.0, 0.2, 3.0, np.inf]), np.array([np.nan] * 4))


LATENCY = {
    "model.onnx": {"onnxruntime": 1e-4, "quick": 5e-5, "slow": 3e-3},
    "alone.onnx": {"onnxruntime": 1e-4},
}

DRAWINGS: dict[str, Callable[[str], Figure]] = {
    "series": lambda name: series_figure([series(name)], close_up=20),
    "predictions": lambda name: predictions_figure([predictions(name), predictions("z")]),
    "losses": lambda name: losses_figure(Losses([1, 2, 3], [3, 2, 1], [3, 1, 2], 2)),
    "parity": lambda name: parity_figure([errors(name)]),
    "histogram": lambda name: histogram_figure([5, 0, 1000, 2], [-9, -8, -7]),
    "histograms": lambda name: histograms_figure(
        [Spread(name, [5, 0, 1000, 2]), Spread("off", [0, 0, 1, 9], wrong=True)], [-9, -8, -7]
    ),
    "latency": lambda name: latency_figure(ratios(LATENCY | {name: {"slow": 2.0, name: 1.0}})),
}


def draw(kind: str, name: str = "y") -> str:
    with drawing_style():
        return inline_svg(DRAWINGS[kind](name), name=kind, description=name)


drawn = functools.cache(draw)


@pytest.mark.parametrize("kind", DRAWINGS)
def test_the_same_figure_gives_the_same_text(kind: str) -> None:
    assert draw(kind) == drawn(kind)


@pytest.mark.parametrize("kind", DRAWINGS)
def test_names_are_text_and_nothing_else(kind: str) -> None:
    root = ET.fromstring(draw(kind, HOSTILE))
    assert not any(element.tag.endswith("script") for element in root.iter())
    if kind in ("series", "predictions"):
        texts = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
        assert any("<script>" in text and "$a_b$" in text for text in texts)


@pytest.mark.parametrize("kind", DRAWINGS)
def test_every_colour_follows_the_page_and_every_id_is_its_own(kind: str) -> None:
    svg = drawn(kind)
    assert not re.search(r"(?<!, )#[0-9a-f]{6}", svg), "a colour without a theme variable"
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(identity.startswith(f"{kind}-") for identity in ids)
    references = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', svg)
    assert {one or other for one, other in references} <= set(ids)
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_five_million_points_make_a_small_picture() -> None:
    rows = 5_000_000
    plot = SeriesPlot("y", "", range_text(rows), np.random.default_rng(0).normal(size=rows))
    with drawing_style():
        svg = inline_svg(series_figure([plot], close_up=100), name="s", description="s")
    assert len(svg) < 120_000


class range_text(list):  # noqa: N801 - stands for a lazy column of timestamps
    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: int) -> str:
        return str(row)


def test_a_long_series_has_its_end_enlarged() -> None:
    with drawing_style():
        figure = series_figure([series(rows=1000)], close_up=50)
        whole, end = figure.axes
        assert whole.get_xlim()[0] < 1900 < whole.get_xlim()[1]
        assert end.get_xlim()[0] == pytest.approx(1900 + 950, abs=3)


def test_no_line_bridges_a_gap() -> None:
    with drawing_style():
        line = series_figure([series()], close_up=20).axes[0].lines[0]
    assert np.isnan(line.get_ydata()).sum() == 1


def test_an_error_beyond_the_bound_is_drawn_in_red() -> None:
    passing = OutputErrors("a", np.array([0.5]), np.array([0.1]))
    with drawing_style():
        good = inline_svg(parity_figure([passing]), name="p", description="p").count("--bad")
        bad = inline_svg(parity_figure([errors()]), name="p", description="p").count("--bad")
    assert bad > good


def test_latencies_are_ratios_to_onnxruntime_or_the_fastest() -> None:
    model, other = ratios({**LATENCY, "other.onnx": {"slow": 2.0, "quick": 1.0}})
    assert (model.base, model.ratio("quick"), model.ratio("slow")) == ("onnxruntime", 0.5, 30)
    assert (other.base, other.ratio("slow"), other.ratio("onnxruntime")) == ("quick", 2, None)
    with drawing_style():
        texts = [
            text.get_text() for axes in latency_figure([model, other]).axes for text in axes.texts
        ]
    assert "30 ×, 3.00 ms" in texts
    assert "no answer" in texts


def test_a_wrong_runtime_is_red_and_said_to_be_wrong() -> None:
    with drawing_style():
        right, wrong = histograms_figure([Spread("a", [1]), Spread("b", [1], wrong=True)], [0]).axes
    assert right.get_title(loc="left") == "a"
    assert wrong.get_title(loc="left") == "b: wrong"
    assert wrong.patches[0].get_facecolor() != right.patches[0].get_facecolor()


def test_flat_zero_and_missing_losses_are_drawn() -> None:
    with drawing_style():
        losses_figure(Losses([1], [0.0], [None], None))
        losses_figure(Losses([1, 2], [0.0, 0.0], [0.0, 0.0], 1))


def test_a_users_own_style_neither_shows_nor_changes() -> None:
    plain = drawn("losses")
    with mpl.rc_context({"axes.facecolor": "red", "text.usetex": False, "font.size": 20}):
        assert draw("losses") == plain
        assert mpl.rcParams["font.size"] == 20


@pytest.mark.parametrize(
    ("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_an_image_file_has_the_same_bytes_every_time(kind: str, start: bytes) -> None:
    images = []
    for _ in range(2):
        with drawing_style():
            images.append(image_bytes(series_figure([series(HOSTILE)], close_up=20), kind))
    assert images[0] == images[1]
    assert images[0].startswith(start)
