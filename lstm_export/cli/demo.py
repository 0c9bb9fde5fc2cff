"""`lstm-export demo [--out DIR]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say, table


def demo(
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")] = Path("demo"),
    force: Force = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the training.")] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Train so many epochs at most.", min=1)
    ] = None,
    json: Json = False,
) -> int:
    """Show everything at once: train, export, verify, forecast without torch, report.

    With --json: data; test (rmse and mae by method and target); parity (as verify --json, without
    comparisons); timings (seconds: latency and cold_start, each with torch and bundle); forecast
    (by year); sizes (bytes, by file); folder. Exit code 1 if the bundle failed its verification.
    """
    from lstm_export.demo import next_steps, run_demo

    result = run_demo(out, force=force, seed=seed, epochs=epochs, say=say)
    if json:
        emit_json({**result.to_dict(), "folder": str(out)})
        return 0 if result.parity.passed else 1
    from lstm_export.report.summary import summary_tables

    say("")
    for header, rows in summary_tables(result):
        emit(table(header, rows) + "\n")
    emit(f"report    {out / 'report.html'}")
    emit(f"run       {out / 'run'}")
    emit(f"bundle    {out / 'bundle'}")
    emit("\nnext\n  " + next_steps(out).replace("\n", "\n  "))
    return 0 if result.parity.passed else 1
