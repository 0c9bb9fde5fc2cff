"""The pages: whole, self-contained, well-formed, and safe whatever a column is called."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lstm_export.bench.timings import Timings
from lstm_export.data.series import Series
from lstm_export.errors import CheckpointError, OutputError
from lstm_export.parity.features import FEATURES
from lstm_export.parity.report import ParityReport
from lstm_export.report.matrix_section import matrix_section
from lstm_export.report.page import Code, Grid, Page, Section, Table, render
from lstm_export.report.parity_report import write_parity_report
from lstm_export.report.run_report import write_run_report

PLOTS = ("series", "predictions", "losses", "parity")


class Outline(HTMLParser):
    """Tags, and the attributes that could fetch something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "srcset", "action", "data", "xlink:href"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")


def check(html: str) -> Outline:
    """What holds for every page."""
    ET.fromstring(html.removeprefix("<!DOCTYPE html>"))  # well-formed, each tag closed
    outline = Outline(html)
    assert not {"script", "iframe", "object", "embed", "img", "b", "i"} & set(outline.tags)
    assert all(link.startswith("#") or link == "data:," for link in outline.links)
    assert len(outline.ids) == len(set(outline.ids))
    assert not re.search(
        r"url\((?!#)|@import|https?:", html.replace("http://www.w3.org/2000/svg", "")
    )
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", html)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html
    return outline


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Reports of runs, by what is forecast."""
    return {}


@pytest.fixture
def written(
    pages: dict[str, str],
    target: str,
    tmp_path: Path,
    run: Path,
    series: Series,
    passing: ParityReport,
    timings: Timings,
) -> str:
    if target not in pages:
        path = tmp_path / "report.html"
        write_run_report(path, run=run, bundle=None, parity=passing, series=series, timings=timings)
        pages[target] = path.read_text(encoding="utf-8")
    return pages[target]


def test_a_run_report_is_self_contained_and_escapes_names(written: str) -> None:
    outline = check(written)
    assert outline.tags.count("svg") == len(PLOTS)
    assert outline.tags.count("h1") == 1


def test_a_run_report_has_the_four_plots_with_words_for_them(written: str) -> None:
    labels = re.findall(r'role="img" aria-label="([^"]+)"', written)
    for words in ("the series", "truth", "loss over 3 epochs", "shares of their bounds"):
        assert any(words in label for label in labels), words


def test_a_run_report_has_its_numbers_and_the_next_commands(written: str) -> None:
    text = re.sub(r"<[^>]+>", " ", written)
    for words in (
        "40 % below the best baseline (naive)",
        "seasonal naive (season 31)",
        "117 parameters",
        "Parity holds",
        "90.0 µs",
        "2.90 s",
        "model.safetensors",
        "lstm-export export",
        "lstm-export predict",
        "best: epoch 2",
    ):
        assert words in text, words


def test_the_same_run_gives_the_same_page(
    tmp_path: Path, run: Path, series: Series, passing: ParityReport
) -> None:
    pages = []
    for name in "ab":
        write_run_report(tmp_path / name, run=run, bundle=None, parity=passing, series=series)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_what_a_run_lacks_is_left_out(tmp_path: Path, run: Path, series: Series) -> None:
    for name in ("metrics.jsonl", "predictions.csv", "run.toml"):
        (run / name).unlink()
    write_run_report(tmp_path / "r.html", run=run, bundle=None, parity=None, series=series)
    outline = check((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert outline.tags.count("svg") == 1


def test_a_bundle_that_cannot_forecast_is_said_to(
    tmp_path: Path, run: Path, series: Series
) -> None:
    page = tmp_path / "r.html"
    write_run_report(page, run=run, bundle=tmp_path / "no", parity=None, series=series)
    assert "There is no forecast: there is no bundle" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["metrics.jsonl", "predictions.csv", "run.toml"])
def test_a_damaged_run_is_named_and_nothing_is_written(
    tmp_path: Path, run: Path, series: Series, name: str
) -> None:
    (run / name).write_text("{[,")
    with pytest.raises(CheckpointError, match=name):
        write_run_report(tmp_path / "r.html", run=run, bundle=None, parity=None, series=series)
    assert not (tmp_path / "r.html").exists()


def test_a_passing_verification(tmp_path: Path, passing: ParityReport) -> None:
    page = tmp_path / "parity.html"
    write_parity_report(page, passing)
    html = page.read_text(encoding="utf-8")
    outline = check(html)
    assert outline.tags.count("svg") == 2
    assert "Parity holds" in html
    assert "findings" not in html.split("</style>")[1]


def test_a_page_of_many_runtimes(tmp_path: Path, every_verdict: ParityReport) -> None:
    page = tmp_path / "parity.html"
    write_parity_report(page, every_verdict)
    html = page.read_text(encoding="utf-8")
    outline = check(html)
    assert outline.tags.count("svg") == 3
    body = html.split("</style>")[1]
    for tone, word, count in (
        ("bad", "wrong", 2),
        ("fallen", "crashed", 2),
        ("fallen", "hung", 2),
        ("loud", "refused", 2),
        ("absent", "not installed", 5),
        ("good", "within", 6 * 5 - 4 * 2),
    ):
        assert len(re.findall(rf'<td class="{tone}"[^>]*>{word}\b', body)) == count, word
    # Wrong is first in the matrix, which a long list of failures must not push out of sight.
    names = re.findall(r'<tr[^>]*><th scope="row">([^<]+)', body)
    assert names[:7] == ["silent", "falls", "slow", "loud", "onnxruntime", "other", "far-away"]
    assert body.index('<table class="grid">') < body.index("1 of 1 cases disagree")
    assert "250,000 ×" in body
    assert "--replay &#39;my cases/silent.npz&#39; --runtime silent" in body
    assert '<tr class="bad"><th scope="row">silent: wrong</th>' in body
    assert body.count('<tr class="bad"><th scope="row">silent</th>') == 1
    # A message is there for who points at a cell, and for who prints the page.
    assert 'title="ended by signal 11; its last words: `none`"' in body
    assert ">ended by signal 11; its last words: `none`<" in body
    assert 'title="pip install far-away"' in body
    assert "2 of 6" in body


def test_many_columns_are_in_tables_below_each_other(every_verdict: ParityReport) -> None:
    features = dict.fromkeys(FEATURES, 1)
    wide = replace(every_verdict, tried={f"{name}.onnx": features for name in "abc"})
    grids = [block for block in matrix_section(wide).blocks if isinstance(block, Grid)]
    assert [sum(span for _, span in grid.groups) for grid in grids] == [6, 6, 6]
    assert all(len(row.cells) == len(grid.columns) for grid in grids for row in grid.rows)


def test_runtimes_that_answered_nothing(tmp_path: Path, every_verdict: ParityReport) -> None:
    page = tmp_path / "parity.html"
    write_parity_report(page, replace(every_verdict, comparisons=(), latency={}, kept=()))
    html = page.read_text(encoding="utf-8")
    assert check(html).tags.count("svg") == 0
    assert "it gave no answer" in html


def test_a_failing_verification_shows_every_failure(tmp_path: Path, failing: ParityReport) -> None:
    page = tmp_path / "parity.html"
    write_parity_report(page, failing)
    html = page.read_text(encoding="utf-8")
    check(html)
    assert "Parity failed: 2 findings" in html
    assert "was changed &lt;after&gt; it was written" in html
    assert "output final_c: 1 of 1 cases disagree" in html
    assert "0 of 1" in html
    assert "5.0e−1" in html


def test_a_report_without_any_comparison(tmp_path: Path, failing: ParityReport) -> None:
    page = tmp_path / "parity.html"
    write_parity_report(page, replace(failing, comparisons=(), against=None))
    html = page.read_text(encoding="utf-8")
    check(html)
    assert "nothing was compared" in html


def test_a_page_that_cannot_be_written(tmp_path: Path, passing: ParityReport) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_parity_report(tmp_path / "missing" / "parity.html", passing)


def test_tables_name_their_rows_and_columns() -> None:
    table = Table("words", ["a", "b"], [["x", "1"]], frozenset({0}))
    html = render(Page("e", "t", "l", sections=[Section("s", "", [table, Code("<&>")])]))
    check(html)
    assert '<th scope="col">a</th>' in html
    assert '<th scope="row">x</th>' in html
    assert "<caption>words</caption>" in html
    assert "<code>&lt;&amp;&gt;</code>" in html
