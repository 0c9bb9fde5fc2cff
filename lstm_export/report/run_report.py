"""The report of a run: what it forecasts, how well, whether its bundle agrees, how fast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lstm_export.checkpoint import Description, read_description
from lstm_export.data.series import Series
from lstm_export.report.accuracy import accuracy_tables, best
from lstm_export.report.commands import after_training
from lstm_export.report.figures import close_up_rows, series_figure
from lstm_export.report.model_facts import model_facts, one_line
from lstm_export.report.page import Block, Code, Page, Section, Tile, plot, write_page
from lstm_export.report.parity_section import parity_section, parity_tile, verdict
from lstm_export.report.predictions_figure import predictions_figure
from lstm_export.report.run_files import read_options, read_predictions
from lstm_export.report.series_panels import PANELS, series_panels
from lstm_export.report.speed_section import files_section, speed_section, speed_tiles
from lstm_export.report.svg import drawing_style
from lstm_export.report.text import number, short
from lstm_export.report.training_section import training_section

if TYPE_CHECKING:
    from lstm_export.bench.timings import Timings
    from lstm_export.parity.report import ParityReport


def write_run_report(
    path: Path,
    *,
    run: Path,
    bundle: Path | None,
    parity: ParityReport | None,
    series: Series,
    timings: Timings | None = None,
    horizon: int | None = None,
    next_steps: str | None = None,
) -> None:
    """Writes the page on the finished run at `run` to `path`, whole or not at all.

    `series` is what the run was trained on. With a `bundle` the page shows its forecast, `horizon`
    rows past the end of the series (default: the trained horizon, or one season where a one-step
    model feeds back). `next_steps` are commands to show instead of the usual ones. Raises
    CheckpointError if the run cannot be read, OutputError if the page cannot be written, and
    MissingExtraError where the report extra is absent.
    """
    description = read_description(run)
    page = Page(
        eyebrow=f"lstm-export · {description.data.name} · {description.data.rows:,} rows",
        title=_title(description),
        lead=_lead(description),
        verdict=None if parity is None else verdict(parity),
        tiles=_tiles(description, parity, timings),
        sections=[
            section
            for section in (
                _series_section(run, description, series, bundle, horizon),
                _accuracy_section(run, description),
                training_section(run, description, model_facts(description)),
                None if parity is None else parity_section(parity),
                None if timings is None else speed_section(timings),
                files_section(run, bundle),
                _next_section(run, description, next_steps),
            )
            if section is not None
        ],
        footer=f"Weights sha256 {description.weights_sha256[:16]}…, seed {description.seed}.",
    )
    write_page(path, page)


def _title(description: Description) -> str:
    names = [short(column.name, 30) for column in description.forecaster.targets]
    shown = ", ".join(names[:PANELS]) + (
        f" and {len(names) - PANELS} more" if names[PANELS:] else ""
    )
    horizon = description.forecaster.window.horizon
    ahead = "one step ahead" if horizon == 1 else f"{horizon} steps ahead"
    return f"{shown}, {ahead}"


def _lead(description: Description) -> str:
    found = best(description.forecaster, description.metrics)
    model = one_line(description)
    if found is None:
        return model
    return (
        f"{model} On the test part, which it never saw, its error (RMSE) on "
        f"{short(found.target)} is {number(found.rmse)}: {found.sentence}."
    )


def _tiles(
    description: Description, parity: ParityReport | None, timings: Timings | None
) -> list[Tile]:
    tiles = []
    if (found := best(description.forecaster, description.metrics)) is not None:
        note = f"{found.baseline}: {number(found.baseline_rmse)}"
        tiles.append(Tile("Test RMSE", number(found.rmse), note))
    if parity is not None:
        tiles.append(parity_tile(parity))
    if timings is not None:
        tiles += speed_tiles(timings)
    return tiles


def _series_section(
    run: Path,
    description: Description,
    series: Series,
    bundle: Path | None,
    horizon: int | None,
) -> Section:
    terms = description.forecaster
    options = read_options(run)
    split = {} if options is None else options[1]
    panels = series_panels(
        series,
        terms,
        bundle,
        validation=float(split.get("validation", 0.0)),
        test=float(split.get("test", 0.0)),
        horizon=horizon or _usual_horizon(description),
    )
    close_up = close_up_rows(panels.steps, terms.window.history)
    with drawing_style():
        figure = series_figure(panels.plots, close_up=close_up)
        ahead = f" and the forecast of the next {panels.steps} rows" if panels.steps else ""
        names = ", ".join(short(panel.target) for panel in panels.plots)
        caption = "The shaded parts were not trained on." + f" {panels.note}".rstrip()
        if panels.steps and terms.window.horizon == 1 and panels.steps > 1:
            caption += " Each forecast step is fed back as the next input."
        alt = f"Line plot of {names}: the series{ahead}."
        block = plot(figure, "series", caption, alt=alt)
    made = " The forecast was made by the bundle, without torch." if panels.steps else ""
    text = f"{len(series.values):,} rows of {short(description.data.name)}.{made}"
    return Section("Series and forecast" if panels.steps else "Series", text, [block])


def _usual_horizon(description: Description) -> int:
    terms, season = description.forecaster, description.metrics.get("season")
    if not terms.feeds_back or terms.known:
        return terms.window.horizon
    return season if isinstance(season, int) and 1 < season <= 400 else 12


def _accuracy_section(run: Path, description: Description) -> Section:
    terms = description.forecaster
    blocks: list[Block] = []
    if (found := read_predictions(run, terms)) is not None:
        shown, plots = found
        with drawing_style():
            figure = predictions_figure(plots[:PANELS])
            caption = "One step ahead on the test part; dashed: the value before, repeated (naive)."
            if shown:
                caption += f" Series {short(shown)!r}."
            if len(plots) > PANELS:
                caption += f" The first {PANELS} of {len(plots)} targets."
            names = ", ".join(short(p.target) for p in plots[:PANELS])
            alt = (
                f"Predictions one step ahead and truth of {names} on the test part, over time and "
                "one against the other."
            )
            blocks.append(plot(figure, "predictions", caption, alt=alt))
    blocks += accuracy_tables(terms, description.metrics)
    text = "Naive repeats the last value, seasonal naive the last season, drift goes on in a line."
    return Section("Predictions against truth", text, blocks)


def _next_section(run: Path, description: Description, next_steps: str | None) -> Section:
    commands = next_steps or after_training(run, description.data.name)
    return Section("What to do next", "", [Code(commands)])
