"""`lstm-export predict BUNDLE DATA`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from lstm_export.cli.console import Force, Json, emit_json, emit_table, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstm_export.data.missing import Missing


def predict(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="A bundle, or one of our model.onnx files.")
    ],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="CSV or Parquet file, or an embedded data set.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A .csv or .parquet file; default: CSV here."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option("--horizon", help="Steps ahead; default: as trained.")
    ] = None,
    future: Annotated[
        str | None,
        typer.Option("--future", metavar="FILE", help="Known rows after DATA: CSV or Parquet."),
    ] = None,
    backtest: Annotated[
        bool,
        typer.Option("--backtest", help="Replay the history instead, one step ahead, with errors."),
    ] = False,
    coverage: Annotated[
        float | None,
        typer.Option("--coverage", help="Add intervals that hold so much of the truth, as 0.9."),
    ] = None,
    series_id: Annotated[
        str | None,
        typer.Option("--series-id", help="The column that tells series or sequences apart."),
    ] = None,
    time: Annotated[
        str | None, typer.Option("--time", help="The time of sequences; default: as trained.")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="The column of texts; default: as trained.")
    ] = None,
    missing: Annotated[
        str, typer.Option("--missing", help="Missing values: error, interpolate or drop.")
    ] = "error",
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw it into this .png, .svg or .pdf file."),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Forecast past the end of a table, replay its history, or answer its sequences: no torch.

    The table's columns are found by the names that the model was trained on. The result has a row
    per step (and series): its time, the series, and the targets in their own units; with
    --backtest each target's truth and, in TARGET_forecast, what was forecast one step before.

    --future FILE gives a model of one step what it needs to go further: the rows after DATA, in
    order, with the features that it does not predict, and the series' names where there are
    several. A time column must go on where DATA ends. Without --horizon the forecast goes as far
    as FILE.

    --coverage 0.9 adds TARGET_lower and TARGET_upper, between which nine of ten true values should
    lie, step by step: intervals from the errors on the run's validation part. With --backtest it
    says how many did.

    With --json: bundle, data, mode (forecast or backtest), targets (name to unit), columns, rows
    (null with --out, which has them), out, plot, notes; coverage (null without) and level (the
    stored one that was taken for it, at least as high); for a forecast horizon; for a backtest
    metrics (rmse and mae, and with --coverage covered, the share within, by target) and windows.

    A model that classifies, regresses or tags finds the columns that it was trained on and gives a
    row per sequence, or per step: the prediction, the probability of each class, and the truth
    where the table has it; then it also says how many are right. Labels that were never seen in
    training are wrong, and are named. With --json: bundle, data, mode (the task), answer,
    sequences, columns, rows, out, plot, notes; of labels classes, and (null without the truth)
    metrics (accuracy, macro_f1), labels, confusion (rows: truth), by_class (precision, recall,
    count) and unseen (label to count); of numbers targets and metrics (rmse, mae, r2 by target).
    """
    from lstm_export.cli.predict_answers import (
        forecaster,
        predict_answers,
        refuse_forecasts,
    )
    from lstm_export.data.load import load_table
    from lstm_export.data.write import csv_text, write_table
    from lstm_export.runtime.answer_model import AnswerModel
    from lstm_export.runtime.load import load
    from lstm_export.runtime.table import checked_mode, series_for

    _check_outputs(out, plot, bundle, (data, future), force=force)
    # A backtest runs large batches, which gain from threads.
    model = load(bundle, intra_op_num_threads=0 if backtest else None)
    if isinstance(model, AnswerModel):
        flags = {"--horizon": horizon, "--future": future, "--backtest": backtest}
        refuse_forecasts(model, {**flags, "--coverage": coverage})
        predict_answers(
            *(model, bundle, data),
            series_id=series_id,
            time=time,
            text=text,
            missing=cast("Missing", missing),
            out=out,
            plot=plot,
            force=force,
            json=json,
        )
        return
    model = forecaster(bundle, model, time=time, text=text)
    checked_mode(horizon, "backtest" if backtest else "forecast", future)
    series = series_for(
        model,
        load_table(data),
        series_id=series_id,
        missing=cast("Missing", missing),
        truth=backtest,
    )
    run = _backtest if backtest else partial(_forecast, future=future)
    columns, found, notes = run(model, series, horizon, coverage, series_id, plot)
    notes = [*series.notes, *notes]
    level = None if coverage is None else _level(model, coverage, found.get("horizon", 1))
    if level != coverage:
        notes.append(
            f"no intervals for a coverage of {coverage:g} are stored: these are for {level:g}"
        )
    for note in notes:
        say(f"note: {note}")
    if out is not None:
        write_table(out, columns, force=force)
        say(f"wrote {out}")
    if plot is not None:
        say(f"wrote {plot}")
    for target, errors in found.get("metrics", {}).items():
        within = f", {errors['covered']:.1%} within the interval" if "covered" in errors else ""
        say(f"{target}: RMSE {errors['rmse']:.4g}, MAE {errors['mae']:.4g} one step ahead{within}")
    if not json:
        if out is None:
            emit_table(csv_text(columns))
        return
    emit_json(
        {
            "bundle": str(bundle),
            "data": data,
            "mode": "backtest" if backtest else "forecast",
            "targets": {column.name: column.unit for column in model.terms.targets},
            "coverage": coverage,
            "level": level,
            **found,
            "columns": list(columns),
            "rows": _rows(columns) if out is None else None,
            "out": str(out) if out else None,
            "plot": str(plot) if plot else None,
            "notes": notes,
        }
    )


Result = tuple["Mapping[str, list[object]]", dict[str, Any], "Sequence[str]"]


def _level(model: Any, coverage: float, steps: int) -> float:
    from lstm_export.runtime.intervals import band

    return band(model.intervals, coverage, steps).level


def _forecast(
    model: Any,
    series: Any,
    horizon: int | None,
    coverage: float | None,
    series_id: str | None,
    plot: Path | None,
    *,
    future: str | None,
) -> Result:
    from lstm_export.data.load import load_table
    from lstm_export.runtime.columns import forecast_columns
    from lstm_export.runtime.table import forecast_series

    known = None if future is None else load_table(future)
    forecasts, notes = forecast_series(
        model, series, horizon, coverage, future=known, series_id=series_id
    )
    if plot is not None:
        from lstm_export.report.predict_plot import save_forecasts

        save_forecasts(plot, model.terms, series, forecasts)
    columns = forecast_columns(model, series, forecasts, series_id)
    return columns, {"horizon": len(forecasts[0].times)}, notes


def _backtest(
    model: Any,
    series: Any,
    horizon: int | None,
    coverage: float | None,
    series_id: str | None,
    plot: Path | None,
) -> Result:
    from lstm_export.runtime.columns import backtest_columns
    from lstm_export.runtime.table import backtest

    replayed = backtest(model, series, coverage)
    if plot is not None:
        from lstm_export.report.predict_plot import save_backtest

        save_backtest(plot, model.terms, series, replayed)
    metrics = {
        name: {"rmse": replayed.rmse[name], "mae": replayed.mae[name]} for name in replayed.rmse
    }
    for name, share in (replayed.covered or {}).items():
        metrics[name]["covered"] = share
    columns = backtest_columns(model, series, replayed, series_id)
    return columns, {"metrics": metrics, "windows": len(replayed.rows)}, ()


def _check_outputs(
    out: Path | None,
    plot: Path | None,
    bundle: Path,
    tables: Sequence[str | None],
    *,
    force: bool,
) -> None:
    """Before any work: what could not, or must not, be written afterwards."""
    from lstm_export.files import refuse_within

    for path in (out, plot):
        if path is not None:
            refuse_within(path, bundle, "into which only export writes")
            for table in filter(None, tables):
                refuse_within(path, Path(table), "which is the table that is read")
    if out is not None:
        from lstm_export.errors import OptionError
        from lstm_export.files import refuse_existing

        if out.suffix.lower() not in (".csv", ".parquet", ".pq"):
            raise OptionError(f"{out}: expected a name that ends in .csv or .parquet")
        refuse_existing(out, force=force)
    if plot is not None:
        from lstm_export.report.predict_plot import check_plot_path

        check_plot_path(plot, force=force)


def _rows(columns: Mapping[str, list[object]]) -> list[dict[str, object]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
