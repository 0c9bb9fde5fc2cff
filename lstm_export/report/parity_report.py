"""The report of a verification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.compare.histogram import LOG10_EDGES
from lstm_export.report.commands import command
from lstm_export.report.histogram_figure import Spread, histogram_figure, histograms_figure
from lstm_export.report.latency_figure import latency_figure, ratios
from lstm_export.report.matrix_section import matrix_section, tally, worst_first, worst_section
from lstm_export.report.page import Code, Facts, Page, Section, Tile, plot, write_page
from lstm_export.report.parity_section import parity_section, parity_tile, verdict
from lstm_export.report.svg import drawing_style
from lstm_export.report.text import short

if TYPE_CHECKING:
    from lstm_export.parity.report import ParityReport


def write_parity_report(path: Path, report: ParityReport) -> None:
    """Writes the page on `report` to `path`, whole or not at all.

    Where there is more than one runtime, or one that is not installed, the matrix comes first.
    Raises OutputError if it cannot be written, MissingExtraError where the report extra is absent.
    """
    against = f"the run {report.against}, live" if report.against else "its golden values"
    several = len(report.runtimes) > 1 or bool(report.absent)
    page = Page(
        eyebrow="lstm-export · verification",
        title=f"Parity of {short(Path(report.bundle).name or report.bundle, 60)}",
        lead=f"The bundle {report.bundle}, checked against {against}.",
        verdict=verdict(report),
        tiles=_tiles(report, several=several),
        sections=[
            *_findings(report, several=several),
            _surroundings(report),
            Section("What to do next", "", [Code(_next(report))]),
        ],
    )
    write_page(path, page)


def _findings(report: ParityReport, *, several: bool) -> list[Section]:
    if not several:
        return [parity_section(report), *_spread(report), *_latency(report)]
    # The outputs of many runtimes make a long table: it comes last.
    return [
        matrix_section(report),
        *([worst_section(report)] if report.comparisons else []),
        *_spread(report),
        *_latency(report),
        parity_section(report, failures=False),
    ]


def _tiles(report: ParityReport, *, several: bool) -> list[Tile]:
    outputs = report.worst_by_output()
    held = sum(not output.failed for output in outputs)
    runtimes = f"in {len(report.runtimes)} runtimes" if several else ", ".join(report.runtimes)
    tiles = [
        parity_tile(report),
        Tile("Runs compared", f"{sum(report.counts.values()):,}", runtimes),
        Tile("Outputs that hold", f"{held} of {len(outputs)}", "in every case"),
    ]
    if several:
        within = sum(one == "within" for one in report.verdicts.values())
        share = f"{within} of {len(report.runtimes)}"
        tiles.insert(0, Tile("Runtimes within the rule", share, tally(report)))
    return tiles


def _spread(report: ParityReport) -> list[Section]:
    found: dict[str, list[tuple[int, ...]]] = {}
    wrong: set[str] = set()
    for one in report.comparisons:
        if one.comparison.histogram:
            found.setdefault(one.runtime, []).append(one.comparison.histogram)
        if not one.comparison.passed:
            wrong.add(one.runtime)
    if not found:
        return []
    totals = {runtime: np.sum(counts, axis=0).tolist() for runtime, counts in found.items()}
    values = f"{sum(map(sum, totals.values())):,} values of all outputs and cases"
    with drawing_style():
        if len(totals) == 1:
            figure = histogram_figure(next(iter(totals.values())), LOG10_EDGES)
            caption = f"{values}; heights on a log scale."
            alt = "Histogram of absolute errors by power of ten."
        else:
            shown = [name for name in worst_first(report) if name in totals]
            shown += [name for name in totals if name not in shown]
            spreads = [Spread(name, totals[name], name in wrong) for name in shown]
            figure = histograms_figure(spreads, LOG10_EDGES)
            caption = (
                f"{values}, by the absolute error of each: the bar at the left is what is exact "
                "or nearly so. All on one scale, heights logarithmic."
            )
            alt = f"Histograms of absolute errors by power of ten, of {len(spreads)} runtimes."
        block = plot(figure, "histogram", caption, alt=alt)
    return [Section("How the errors are spread", "", [block])]


def _latency(report: ParityReport) -> list[Section]:
    graphs = ratios(report.latency)
    if not graphs:
        return []
    bases = " or ".join(dict.fromkeys(graph.base for graph in graphs))
    with drawing_style():
        caption = (
            f"Times as long as {bases}, which is the line; the median of some turns on the "
            "largest golden case. A runtime in a process of its own has its pipe counted in: "
            "there, short runs tell of the pipe and not of the runtime."
        )
        alt = f"Latency of the runtimes on {len(graphs)} graphs, as ratios to {bases}."
        block = plot(latency_figure(graphs), "latency", caption, alt=alt)
    return [Section("How long they take", "", [block])]


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
