"""`lstm-export data`: the data sets that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say
from lstm_export.errors import DataError


def data(
    name: Annotated[
        str | None,
        typer.Argument(help="The data set to write (recall:T, digits:test as well); none: list."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; default NAME.csv, with - for a colon.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """List the embedded data sets, or write one out as CSV.

    With --json: {"datasets": [{name, title, unit, source, options}]}, or for one data set
    {"name", "file", "rows", "columns", "sha256"}.
    """
    from lstm_export.data.embedded import EMBEDDED

    if name is None:
        if out is not None:
            raise DataError(f"--out needs the name of a data set: {', '.join(EMBEDDED)}")
        _list(json=json)
        return
    _write(name, out or Path(f"{name.replace(':', '-')}.csv"), force=force, json=json)


def _list(*, json: bool) -> None:
    from lstm_export.data.embedded import EMBEDDED

    if json:
        keys = ("name", "title", "unit", "source", "options")
        emit_json({"datasets": [{k: getattr(d, k) for k in keys} for d in EMBEDDED.values()]})
        return
    for dataset in EMBEDDED.values():
        emit(f"{dataset.name:<10} {dataset.title}")
    say("train on one: lstm-export train sunspots --out RUN; write one: lstm-export data sunspots")


def _write(name: str, out: Path, *, force: bool, json: bool) -> None:
    from lstm_export.data.embedded import dataset
    from lstm_export.data.load import load_table
    from lstm_export.files import refuse_existing, write_atomic

    content = dataset(name).csv()
    refuse_existing(out, force=force)
    write_atomic(out, content)
    written = load_table(name)
    if json:
        emit_json(
            {
                "name": name,
                "file": str(out),
                "rows": written.rows,
                "columns": list(written.columns),
                "sha256": written.sha256,
            }
        )
        return
    emit(str(out))
    say(f"{written.rows} rows; columns {', '.join(written.columns)}")
