"""The page, and the images, of a comparison of cells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_export.files import write_atomic
from lstm_export.report.compare_figures import (
    cost_figure,
    reach_figure,
    scores_figure,
    sweep_figure,
)
from lstm_export.report.compare_table import header, rows
from lstm_export.report.page import Facts, Findings, Page, Section, Table, Tile, plot, write_page
from lstm_export.report.svg import drawing_style, image_bytes
from lstm_export.report.text import number, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lstm_export.cells.comparison import Comparison

PAGE = "compare.html"

_REACH = (
    "The norm of the derivative of the answer at the last step by the state k steps before, as a "
    "share of that at k = 0; geometric means over test sequences and seeds, dashed: before "
    "training. Where next to nothing is left, training cannot know what stood there: the plain "
    "RNN multiplies by its recurrent weights and by the slope of tanh at every step, and the "
    "product vanishes; a forget gate near 1 lets it pass (Bengio, Simard and Frasconi, 1994; "
    "Pascanu, Mikolov and Bengio, 2013)."
)
_SWEPT_CURVES = (
    "Log scale. A cell that has learned to remember has a flat curve after training; one that has "
    "not found a use for what stood far back has learned to forget it."
)


def write_comparison(folder: Path, found: Comparison) -> tuple[Path, ...]:
    """Writes compare.html and a .png of each figure into `folder`, in the place of earlier ones.

    Raises OutputError if one cannot be written, MissingExtraError where the report extra is absent.
    """
    with drawing_style():
        images = {f"{name}.png": image_bytes(figure, "png") for name, figure in figures(found)}
        page = _page(found)
    write_page(folder / PAGE, page)
    for name, image in images.items():
        write_atomic(folder / name, image)
    return (folder / PAGE, *(folder / name for name in images))


def figures(found: Comparison) -> Iterator[tuple[str, Figure]]:
    """Every figure by its name, drawn as it is asked for. Inside `drawing_style()`."""
    yield ("recall", sweep_figure(found)) if found.swept else ("scores", scores_figure(found))
    if found.gradients:
        yield "gradients", reach_figure(found)
    yield "cost", cost_figure(found)


def _page(found: Comparison) -> Page:
    names = ", ".join(_title(cell) for cell in found.cells)
    counted = f"{len(found.seeds)} seeds" if len(found.seeds) > 1 else "one seed"
    return Page(
        eyebrow="lstm-export · comparison",
        title=f"{names} on {short(Path(found.data).name, 60)}",
        lead=(
            f"The same data, the same split, the same options and {found.budget} for each of "
            f"{len(found.findings)} runs, {counted} a cell. They are judged on the test part: "
            f"{short(found.metric.name)}."
        ),
        tiles=_tiles(found),
        sections=[*_sections(found)],
        footer="Times are of the machine that trained; they are comparable with each other alone.",
    )


def _tiles(found: Comparison) -> list[Tile]:
    last = found.steps[-1]
    at = f"T = {last}, " if found.swept else ""
    tiles = []
    for cell in found.cells:
        score = found.score(cell, last)
        span = f"{number(score.smallest, 3)} to {number(score.largest, 3)}"
        tiles.append(Tile(cell, number(score.median, 3), f"{at}{span}"))
    return tiles


def _sections(found: Comparison) -> Iterator[Section]:
    drawn = dict(figures(found))
    if found.swept:
        text = (
            "A letter is seen, then T characters that say nothing, and then it has to be named. "
            "Lines are medians over the seeds, the shade reaches from the worst to the best; "
            "dashed is who guesses."
        )
        alt = "; ".join(_spoken(found, cell) for cell in found.cells)
        block = plot(drawn["recall"], "recall", "Accuracy on the test part against T.", alt=alt)
        yield Section("How long each cell remembers", text, [block])
    else:
        others = found.findings[0].others.items()
        without = ", ".join(f"{name} {number(value, 3)}" for name, value in others)
        caption = f"A dot is a run, the bar the median. Without learning: {without}."
        alt = "; ".join(_spoken(found, cell) for cell in found.cells)
        yield Section(
            "What each cell reaches", "", [plot(drawn["scores"], "scores", caption, alt=alt)]
        )
    if found.gradients:
        alt = "Gradient norms by steps back, of each cell."
        caption = _SWEPT_CURVES if found.swept else "Log scale."
        block = plot(drawn["gradients"], "gradients", caption, alt=alt)
        yield Section("How far back a gradient reaches", _REACH, [block])
    alt = "Parameters, training time and latency of each cell."
    at = f"At T = {found.steps[-1]}." if found.swept else ""
    cost = plot(drawn["cost"], "cost", at or "Medians.", alt=alt)
    caption = (
        "Medians over the seeds. Latency: one sequence in the exported bundle, the cells in turns, "
        f"and its ratio to {found.cells[0]}."
    )
    table = Table(caption, header(found), rows(found))
    yield Section("In numbers", "", [cost, table])
    if found.notes:
        yield Section("What to know", "", [Findings(found.notes)])
    facts = [
        ("Data", found.data),
        ("Task", found.task),
        ("Budget of a run", found.budget),
        ("Seeds", ", ".join(map(str, found.seeds))),
    ]
    if not found.swept:
        facts += [(name, number(value)) for name, value in found.findings[0].others.items()]
    yield Section("What was compared", "", [Facts(facts)])


def _title(cell: str) -> str:
    """LSTM, and LSTM-equations."""
    name, dash, written = cell.partition("-")
    return name.upper() + dash + written


def _spoken(found: Comparison, cell: str) -> str:
    """What a figure of scores shows, in words."""
    parts = []
    for steps in found.steps:
        at = "" if steps is None else f" at T = {steps}"
        parts.append(f"{number(found.score(cell, steps).median, 3)}{at}")
    return f"{cell}: {', '.join(parts)}"
