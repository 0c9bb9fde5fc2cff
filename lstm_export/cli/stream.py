"""`lstm-export stream BUNDLE`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from lstm_export.cli.console import emit_table, say

if TYPE_CHECKING:
    from lstm_export.runtime.streaming.line_streams import LineStreams
    from lstm_export.runtime.streaming.lines import Format

_FORMATS = ("csv", "ndjson")


def stream(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle that streams.")],
    format_: Annotated[
        str | None, typer.Option("--format", help="csv or ndjson; default: as the first line is.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", help="csv or ndjson; default: as the input.")
    ] = None,
    series: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN", help="The column that tells series apart."),
    ] = None,
    max_series: Annotated[
        int, typer.Option("--max-series", help="With --id: so many series at most.")
    ] = 10_000,
    on_error: Annotated[
        str, typer.Option("--on-error", help="A line that cannot be used: stop or skip.")
    ] = "stop",
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="FILE", help="Go on from this .npz file, and save to it."),
    ] = None,
) -> None:
    """Answer rows from stdin line by line: each with the output after everything up to it.

    CSV with a header has the columns in any order, others are ignored; without one it has the
    model's columns in their order, and is answered without a header. NDJSON has an object by
    column name or an array on each line. Every line is answered as soon as it is there: the time
    column if it has one, the --id column, and the targets in their own units (TARGET_1, TARGET_2,
    ... where the model predicts several steps); while a model on differences has seen too little,
    empty or null. Blank lines are ignored. A record is one line, of a megabyte at most.

    A model that classifies or tags is answered with the label after everything up to a row, and
    the probability of each class: columns as those of predict, or {"label": …, "probabilities":
    {class: …}}. One that reads texts takes a symbol on each line, in the column of the texts:
    a word or a character, as it was trained, or {"COLUMN": symbol}.

    The columns of an exported module are called after its input (x_1, x_2, ...) and its outputs.

    With --id interleaved series each have a stream of their own; memory is bounded by --max-series
    times the size of a state, which for 2 layers of 50 is 1.6 kB. --state is read if it is there
    and written when the input ends, a line stops it, or it is interrupted.
    """
    from lstm_export.runtime.load import load
    from lstm_export.runtime.streaming.line_streams import LineStreams, answer_lines
    from lstm_export.runtime.streaming.lines import bounded_lines

    _require("--format", format_, _FORMATS)
    _require("--output", output, _FORMATS)
    _require("--on-error", on_error, ("stop", "skip"))
    source = getattr(sys.stdin, "buffer", None)
    if source is None:
        from lstm_export.errors import OptionError

        raise OptionError("stdin is closed: pipe lines into this command")
    streams = LineStreams(
        load(bundle),
        form=cast("Format | None", format_),
        output=cast("Format | None", output),
        series=series,
        max_series=max_series,
    )
    if state is not None:
        _load(streams, state, bundle)
    skipped = (lambda told: say(f"skipped {told}")) if on_error == "skip" else None
    try:
        answer_lines(streams, bounded_lines(source), emit_table, skipped)
    finally:
        if state is not None:
            _save(streams, state)


def _require(option: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        from lstm_export.errors import OptionError

        raise OptionError(f"{option} must be {' or '.join(allowed)}, got {value!r}")


def _load(streams: LineStreams, path: Path, bundle: Path) -> None:
    """Before any line is read: what could not be gone on from, or not be written to."""
    import numpy as np

    from lstm_export.errors import InputError
    from lstm_export.files import refuse_existing, refuse_within

    refuse_within(path, bundle, "into which only export writes")
    refuse_existing(path, force=True)
    if not path.parent.is_dir():
        from lstm_export.errors import OutputError

        raise OutputError(f"cannot write {path}: there is no folder {path.parent}")
    if not path.exists():
        return
    try:
        # np.load leaves a file open that it opened itself and cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            streams.restore(saved)
    except Exception as error:  # files are damaged in many ways, and NumPy has a word for each
        raise InputError(f"cannot go on from {path}: {error}") from None


def _save(streams: LineStreams, path: Path) -> None:
    import io

    import numpy as np

    from lstm_export.files import write_atomic

    content = io.BytesIO()
    np.savez(content, **streams.state())  # type: ignore[arg-type]
    write_atomic(path, content.getvalue())
