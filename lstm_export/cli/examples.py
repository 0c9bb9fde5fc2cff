"""`lstm-export examples BUNDLE --out DIR`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json


def examples(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle, a folder.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write the programs into.")],
    force: Force = False,
    json: Json = False,
) -> None:
    """Write complete programs for a bundle: Python, Node and C, none of which needs this package.

    For every graph there are three, `model.py`, `model.mjs` and `model.c` for `model.onnx`, with
    its names, types and shapes and with numbers that fit it; those of a stream carry its states.

    With --json: bundle, programs (their paths).
    """
    written = write_programs(bundle, out, force=force)
    if json:
        emit_json({"bundle": str(bundle), "programs": [str(path) for path in written]})
        return
    for path in written:
        emit(str(path))


def write_programs(bundle: Path, out: Path, *, force: bool) -> tuple[Path, ...]:
    """Writes the programs for the bundle at `bundle`; returns their paths.

    Raises MissingExtraError where jinja2 is not installed, else what `write_examples` raises.
    """
    from lstm_export.errors import MissingExtraError

    try:
        from lstm_export.exporting.examples.programs import write_examples
    except ImportError:
        raise MissingExtraError("jinja2", "export", "writing examples") from None
    return write_examples(bundle, out, force=force)
