"""Commands to try next, ready to be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path


def command(*words: str | Path) -> str:
    """`lstm-export` with `words`, quoted for a shell where they need it."""
    return shlex.join(["lstm-export", *map(str, words)])


def after_training(run: Path, data: str, *result: str) -> str:
    """What to do with a run: export it, verify the bundle, predict with it. `result` says where
    the predictions go; without it a plot of forecasts is drawn."""
    bundle = run.with_name(f"{run.name}-bundle")
    return "\n".join(
        (
            command("export", run, "--out", bundle),
            command("verify", bundle, "--against", run),
            command("predict", bundle, data, *(result or ("--plot", "forecast.png"))),
        )
    )
