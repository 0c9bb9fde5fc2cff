"""`lstm-export train DATA --out RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say
from lstm_export.cli.training import column_names, need_training, training_progress
from lstm_export.errors import OptionError

if TYPE_CHECKING:
    from lstm_export.training.train import TrainResult

# No option has a default here: what is not given comes from --config, from what the data set
# recommends, or from TrainOptions, in this order.
_DATA, _MODEL, _TRAINING, _RUN = "Data", "Model", "Training", "Run"


def _option(panel: str, help_text: str, **details: Any) -> Any:
    return typer.Option(help=help_text, rich_help_panel=panel, **details)


def train(
    out: Annotated[Path, _option(_RUN, "The run folder to write.")],
    data: Annotated[
        str | None, typer.Argument(help="A CSV or Parquet file, or an embedded data set.")
    ] = None,
    task: Annotated[
        str | None,
        _option(_DATA, "forecast, classify, regress or tag. [default: forecast]"),
    ] = None,
    target: Annotated[
        list[str] | None,
        _option(
            _DATA,
            "Columns to forecast or answer, repeated or a,b; default: the only numeric one.",
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        _option(
            _DATA,
            "Columns that the model sees, or all; default: the targets, and where sequences are "
            "answered every numeric column.",
        ),
    ] = None,
    text: Annotated[
        str | None, _option(_DATA, "The column of texts to classify, regress on or tag.")
    ] = None,
    level: Annotated[
        str | None, _option(_DATA, "A text's symbols: word or character. [default: word]")
    ] = None,
    lowercase: Annotated[
        bool | None,
        typer.Option(
            "--lowercase/--no-lowercase",
            help="Read texts in small letters.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    vocabulary_size: Annotated[
        int | None, _option(_DATA, "The most symbols told apart; default: all of them.")
    ] = None,
    time: Annotated[str | None, _option(_DATA, "The time column; default: found.")] = None,
    series_id: Annotated[
        str | None, _option(_DATA, "The column that tells series or sequences apart.")
    ] = None,
    missing: Annotated[
        str | None, _option(_DATA, "Missing values: error, interpolate or drop. [default: error]")
    ] = None,
    unit: Annotated[
        list[str] | None, _option(_DATA, "Unit of a column, repeated.", metavar="NAME=UNIT")
    ] = None,
    validation: Annotated[
        float | None,
        _option(_DATA, "Fraction that decides when to stop. [default: 0.15]"),
    ] = None,
    test: Annotated[
        float | None,
        _option(
            _DATA, "Fraction that judges: the last rows, or sequences by chance. [default: 0.2]"
        ),
    ] = None,
    test_data: Annotated[
        str | None, _option(_DATA, "A file of sequences that judge, in the place of --test.")
    ] = None,
    scaler: Annotated[
        str | None, _option(_DATA, "standard, minmax or none. [default: standard]")
    ] = None,
    difference: Annotated[
        int | None, _option(_DATA, "K: learn x[t] − x[t−K]; 0: raw values. [default: 0]")
    ] = None,
    season: Annotated[
        int | None, _option(_DATA, "Rows of a season, for the baseline; default: found.")
    ] = None,
    cell: Annotated[
        str | None,
        _option(
            _MODEL, "lstm, gru or rnn; or lstm-equations, …: written out, slow. [default: lstm]"
        ),
    ] = None,
    hidden_size: Annotated[
        int | None, _option(_MODEL, "Width of the recurrent layers. [default: 32]")
    ] = None,
    num_layers: Annotated[int | None, _option(_MODEL, "Layers. [default: 1]")] = None,
    dropout: Annotated[
        float | None, _option(_MODEL, "Between layers and before the head. [default: 0.0]")
    ] = None,
    bidirectional: Annotated[
        bool | None,
        typer.Option(
            "--bidirectional/--no-bidirectional",
            help="Read in both directions; cannot stream.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    proj_size: Annotated[
        int | None, _option(_MODEL, "Width of an LSTM's projection; 0: none. [default: 0]")
    ] = None,
    embedding_size: Annotated[
        int | None, _option(_MODEL, "Width of a text symbol's vector. [default: 32]")
    ] = None,
    pooling: Annotated[
        str | None,
        _option(_MODEL, "A sequence as one vector: last, mean, max or sum. [default: last]"),
    ] = None,
    context_length: Annotated[
        int | None, _option(_MODEL, "Past rows per window. [default: 24]")
    ] = None,
    horizon: Annotated[int | None, _option(_MODEL, "Rows to forecast. [default: 1]")] = None,
    init: Annotated[
        str | None, _option(_MODEL, "Initial weights: default, chrono or torch. [default: default]")
    ] = None,
    epochs: Annotated[int | None, _option(_TRAINING, "At most. [default: 100]")] = None,
    max_steps: Annotated[
        int | None, _option(_TRAINING, "Stop after so many steps; default: no limit.")
    ] = None,
    batch_size: Annotated[int | None, _option(_TRAINING, "Windows per step. [default: 32]")] = None,
    lr: Annotated[float | None, _option(_TRAINING, "Learning rate. [default: 0.01]")] = None,
    schedule: Annotated[
        str | None, _option(_TRAINING, "constant, cosine or plateau. [default: constant]")
    ] = None,
    patience: Annotated[
        int | None,
        _option(_TRAINING, "Epochs without a better validation; 0: no end. [default: 20]"),
    ] = None,
    warm_up: Annotated[
        int | None,
        _option(_TRAINING, "Steps of a window without a loss; default: a quarter of the context."),
    ] = None,
    ema: Annotated[
        float | None,
        _option(_TRAINING, "Decay of the weights' moving average; 0: none. [default: 0.98]"),
    ] = None,
    input_noise: Annotated[
        float | None, _option(_TRAINING, "Noise on scaled inputs, in deviations. [default: 0.0]")
    ] = None,
    weight_decay: Annotated[
        float | None, _option(_TRAINING, "L2 penalty on the weights. [default: 0.0]")
    ] = None,
    class_weights: Annotated[
        str | None,
        _option(_TRAINING, "none, or balanced: rare classes count more. [default: none]"),
    ] = None,
    clip_norm: Annotated[
        float | None, _option(_TRAINING, "Largest gradient norm; 0: no limit. [default: 1.0]")
    ] = None,
    clip_value: Annotated[
        float | None, _option(_TRAINING, "Largest gradient element; 0: no limit. [default: 0.0]")
    ] = None,
    seed: Annotated[
        int | None, _option(_TRAINING, "The same seed, the same bytes. [default: 0]")
    ] = None,
    device: Annotated[str | None, _option(_TRAINING, "cpu, cuda, or auto. [default: cpu]")] = None,
    precision: Annotated[
        str | None, _option(_TRAINING, "32-true or bf16-mixed. [default: 32-true]")
    ] = None,
    config: Annotated[
        Path | None, _option(_RUN, "A run.toml with these options; flags override it.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a stopped run.", rich_help_panel=_RUN)
    ] = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a model on a table; RUN gets weights, metrics, predictions and a report.

    --task forecast goes on with a series; classify and regress answer whole sequences, tag answers
    every step. A table of sequences is long (--series-id tells them apart), wide (a row is a
    sequence), or has texts (--text).

    With --json, of a forecaster: run, data, test and test_one_step (rmse and mae by method and
    target), test_coverage (level, and one_step: the share of the truth within its intervals, by
    target; null without), season, windows, parameters, best_epoch, epochs, validation_loss, notes,
    report (null without one). Of any other: test by method (accuracy and macro_f1, or rmse, mae and
    r2 by target), classes, confusion (rows: truth) and by_class of labels, sequences, and the rest.
    """
    flags = {
        name: value
        for name, value in locals().items()
        if name not in ("out", "config", "resume", "force", "json")
    }
    flags["target"], flags["features"] = column_names(target), column_names(features)
    flags["unit"] = _units(unit)
    need_training()
    from lstm_export.training.config import resolve
    from lstm_export.training.run_folder import OPTIONS
    from lstm_export.training.train import train as run_training

    if resume and config is None and (out / OPTIONS).is_file():
        config = out / OPTIONS
    options, progress = resolve(flags, config), training_progress()
    try:
        result = run_training(options, out, resume=resume, force=force, progress=progress)
    except KeyboardInterrupt as stop:
        if str(stop):
            say(str(stop))
        raise
    for note in result.notes:
        say(f"note: {note}")
    report = _write_report(result)
    if json:
        emit_json(
            {
                "run": str(out),
                "data": result.description.data.name,
                **result.description.metrics,
                "notes": list(result.notes),
                "report": None if report is None else str(report),
            }
        )
        return
    _show(result, report)


def _show(result: TrainResult, report: Path | None) -> None:
    from lstm_export.cli.train_text import forecast_lines, sequence_lines

    of_task = forecast_lines if result.description.task == "forecast" else sequence_lines
    for line in of_task(result):
        emit(line)
    epochs = result.description.metrics["epochs"]
    emit(f"run       {result.path}  (best epoch {result.best_epoch} of {epochs})")
    if report is not None:
        emit(f"report    {report}")
    emit(f"next      lstm-export export {result.path} --out bundle")


def _write_report(result: TrainResult) -> Path | None:
    """The analyst's page, with a bundle made for the occasion; None where it cannot be made."""
    import tempfile

    from lstm_export.training.run_folder import REPORT

    page = result.path / REPORT
    if result.was_finished and page.exists():
        return page
    try:
        from lstm_export.bundling import export_bundle
        from lstm_export.parity.verify import verify
        from lstm_export.report.run_report import write_run_report
        from lstm_export.report.sequence_report import write_sequence_report
    except ImportError as error:
        say(f"no report: it needs {error.name}: pip install 'lstm-export[train]'")
        return None
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        export_bundle(result.path, bundle)
        parity = verify(bundle, against=result.path)
        run = result.path
        if result.description.task == "forecast":
            write_run_report(page, run=run, bundle=bundle, parity=parity, series=result.series)
        else:
            tested = result.tested
            write_sequence_report(page, run=run, bundle=bundle, parity=parity, tested=tested)
    if not parity.passed:
        say(f"note: the exported model does not agree with torch; see {page}")
    return page


def _units(given: list[str] | None) -> dict[str, str] | None:
    pairs = [item.partition("=") for item in given or ()]
    if wrong := [name for name, equals, unit in pairs if not (name and equals and unit)]:
        raise OptionError(f"--unit must be NAME=UNIT, got {wrong[0]!r}")
    return {name: unit for name, _, unit in pairs} or None
