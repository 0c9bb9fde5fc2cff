"""The report of a verification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.compare.histogram import LOG10_EDGES
from lstm_export.report.commands import command
from lstm_export.report.histogram_figure import histogram_figure
from lstm_export.report.page import Code, Facts, Page, Section, Tile, plot, write_page
from lstm_export.report.parity_section import parity_section, parity_tile, verdict
from lstm_export.report.svg import drawing_style
from lstm_export.report.text import short

if TYPE_CHECKING:
    from lstm_export.parity.report import ParityReport


def write_parity_report(path: Path, report: ParityReport) -> None:
    """Writes the page on `report` to `path`, whole or not at all.

    Raises OutputError if it cannot be written, MissingExtraError where the report extra is absent.
    """
    against = f"the run {report.against}, live" if report.against else "its golden values"
    page = Page(
        eyebrow="lstm-export · verification",
        title=f"Parity of {short(Path(report.bundle).name or report.bundle, 60)}",
        lead=f"The bundle {report.bundle}, checked against {against}.",
        verdict=verdict(report),
        tiles=_tiles(report),
        sections=[
            parity_section(report),
            *_spread(report),
            _surroundings(report),
            Section("What to do next", "", [Code(_next(report))]),
        ],
    )
    write_page(path, page)


def _tiles(report: ParityReport) -> list[Tile]:
    outputs = report.worst_by_output()
    held = sum(not output.failed for output in outputs)
    return [
        parity_tile(report),
        Tile("Runs compared", f"{sum(report.counts.values()):,}", ", ".join(report.runtimes)),
        Tile("Outputs that hold", f"{held} of {len(outputs)}", "in every case"),
    ]


def _spread(report: ParityReport) -> list[Section]:
    counts = [one.comparison.histogram for one in report.comparisons if one.comparison.histogram]
    if not counts:
        return []
    total = np.sum(counts, axis=0).tolist()
    with drawing_style():
        figure = histogram_figure(total, LOG10_EDGES)
        caption = f"{sum(total):,} values of all outputs and cases; heights on a log scale."
        alt = "Histogram of absolute errors by power of ten."
        block = plot(figure, "histogram", caption, alt=alt)
    return [Section("How the errors are spread", "", [block])]


def _surroundings(report: ParityReport) -> Section:
    pairs = [(f"Cases: {check}", f"{count:,}") for check, count in report.counts.items()]
    pairs += list(report.versions.items())
    return Section("What was checked, and where", "", [Facts(pairs)])


def _next(report: ParityReport) -> str:
    if not report.passed and report.against:
        return command("export", report.against, "--out", report.bundle, "--force")
    if report.passed:
        return command("inspect", report.bundle)
    return command("verify", report.bundle, "--against", "RUN")
