"""`lstm-export compare DATA --cells rnn,gru,lstm`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say, table
from lstm_export.cli.training import column_names, need_training, training_progress
from lstm_export.errors import OptionError

if TYPE_CHECKING:
    from lstm_export.cells.comparison import Comparison

_DATA, _MODEL, _TRAINING, _RUN = "Data", "Model", "Training", "Comparison"


def _option(panel: str, help_text: str, **details: Any) -> Any:
    return typer.Option(help=help_text, rich_help_panel=panel, **details)


def compare(
    data: Annotated[
        str | None, typer.Argument(help="A CSV or Parquet file, or an embedded data set.")
    ] = None,
    cells: Annotated[
        str, _option(_RUN, "Cells, separated by commas; lstm-equations, … are known, too.")
    ] = "rnn,gru,lstm",
    seeds: Annotated[
        int | None, _option(_RUN, "Runs of each cell; default: 5, of a sweep 3.")
    ] = None,
    steps: Annotated[
        str | None, _option(_RUN, "Of the data set recall: the T to try, as 5,10,20,50,100.")
    ] = None,
    out: Annotated[
        Path | None,
        _option(_RUN, "Write compare.html, tables, images and runs here; go on with runs there."),
    ] = None,
    config: Annotated[
        Path | None, _option(_RUN, "A run.toml with any option of train; flags override it.")
    ] = None,
    task: Annotated[str | None, _option(_DATA, "forecast, classify, regress or tag.")] = None,
    target: Annotated[
        list[str] | None, _option(_DATA, "Columns to forecast or answer, repeated or a,b.")
    ] = None,
    features: Annotated[
        list[str] | None, _option(_DATA, "Columns that the model sees, or all.")
    ] = None,
    text: Annotated[str | None, _option(_DATA, "The column of texts.")] = None,
    level: Annotated[str | None, _option(_DATA, "A text's symbols: word or character.")] = None,
    time: Annotated[str | None, _option(_DATA, "The time column.")] = None,
    series_id: Annotated[
        str | None, _option(_DATA, "The column that tells series or sequences apart.")
    ] = None,
    test_data: Annotated[str | None, _option(_DATA, "A file of sequences that judge.")] = None,
    hidden_size: Annotated[int | None, _option(_MODEL, "Width of the recurrent layers.")] = None,
    same_parameters: Annotated[
        bool,
        typer.Option(
            "--same-parameters",
            help="Widths that give each cell about as many parameters as the first.",
            rich_help_panel=_MODEL,
        ),
    ] = False,
    num_layers: Annotated[int | None, _option(_MODEL, "Layers.")] = None,
    context_length: Annotated[int | None, _option(_MODEL, "Past rows per window.")] = None,
    init: Annotated[
        str | None, _option(_MODEL, "Initial weights: default, chrono or torch.")
    ] = None,
    epochs: Annotated[int | None, _option(_TRAINING, "At most.")] = None,
    max_steps: Annotated[
        int | None,
        _option(_TRAINING, "Steps of a run; default: 1000 where --epochs is not given either."),
    ] = None,
    batch_size: Annotated[int | None, _option(_TRAINING, "Windows or sequences per step.")] = None,
    lr: Annotated[float | None, _option(_TRAINING, "Learning rate.")] = None,
    seed: Annotated[int | None, _option(_TRAINING, "The first seed. [default: 0]")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train several cells on the same data with the same budget, and show how they differ.

    Each cell is trained with every seed, the rest alike; options are those of train, by flag or
    --config. The table has parameters, training time (of this machine), what the test part says,
    how long one sequence takes in the exported bundle, and how much of the gradient of the last
    answer reaches back through the states. --steps repeats it for several lengths of the memory
    experiment recall. With --out, the same command goes on where it was stopped.

    With --json: data, task, metric (name, unit, larger_is_better), budget, seeds, chance (the
    accuracy of guessing; null for numbers), baselines (by T: what answers without learning), notes,
    files; results by T and cell: cell, steps (T; null without a sweep), parameters,
    training_seconds and score (median, smallest, largest), scores by seed, gradient (trained and
    initial: its norm k = 0, 1, … steps back; null for models of two directions); latency by cell:
    steps, seconds, ratio to the first cell, low and high (its 95 % interval).
    """
    given = dict(locals())
    need_training()
    from lstm_export.cells.compare import compare as run_comparison
    from lstm_export.cells.match import with_matched_sizes
    from lstm_export.cells.plan import plan_of

    others = ("cells", "seeds", "steps", "out", "config", "same_parameters", "force", "json")
    flags = {name: value for name, value in given.items() if name not in others}
    flags["target"], flags["features"] = column_names(target), column_names(features)
    plan = plan_of(flags, config, cells=_split(cells), seeds=seeds, steps=_numbers(steps))
    if same_parameters:
        plan = with_matched_sizes(plan)
    with _folder(out) as folder:
        try:
            found = run_comparison(plan, folder, force=force, say=say, progress=training_progress)
        except KeyboardInterrupt:
            if out is not None:
                say(f"stopped; what is done is kept in {out}: the same command goes on with it")
            else:
                say("stopped, and nothing is kept: with --out DIR the next run could go on")
            raise KeyboardInterrupt from None
        files = [] if out is None else _write(out, found)
    for note in found.notes:
        say(f"note: {note}")
    if json:
        emit_json(found.to_dict() | {"files": [str(path) for path in files]})
        return
    for line in _lines(found):
        emit(line)
    for path in files:
        emit(f"wrote     {path}")


def _split(given: str) -> list[str]:
    return [part.strip() for part in given.split(",") if part.strip()]


def _numbers(given: str | None) -> list[int]:
    parts = _split(given or "")
    if given is not None and not (parts and all(p.isascii() and p.isdigit() for p in parts)):
        raise OptionError(f"--steps must be whole numbers with commas, as 5,20,100, got {given!r}")
    return [int(part) for part in parts]


@contextlib.contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Where the runs go: `out`, or a folder that is gone afterwards."""
    import tempfile

    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _write(out: Path, found: Comparison) -> list[Path]:
    """Numbers, page and images; the last two where the report extra is there."""
    from lstm_export.cells.files import write_numbers
    from lstm_export.errors import MissingExtraError
    from lstm_export.report.compare_page import write_comparison

    written = [*write_numbers(out, found)]
    try:
        written += write_comparison(out, found)
    except MissingExtraError as error:
        say(f"no page and no images: {error}")
    return written


def _lines(found: Comparison) -> Iterator[str]:
    from lstm_export.report.compare_table import header, rows

    counted = f"{len(found.seeds)} seeds" if len(found.seeds) > 1 else "1 seed"
    yield f"{found.data}: {found.metric.name} on the test part, {counted}, {found.budget}"
    yield table(header(found), rows(found), left=2 if found.swept else 1)
    if found.chance is not None:
        yield f"guessing has an accuracy of {found.chance:.3g}"
