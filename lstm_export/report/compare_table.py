"""The rows of a comparison, for a page and for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_export.report.text import duration, number, scientific

if TYPE_CHECKING:
    from lstm_export.cells.comparison import Comparison, Spread


def header(found: Comparison) -> list[str]:
    """What stands above `rows`."""
    score = found.metric.name.partition(" ")[0]  # accuracy, or RMSE without the target's name
    names = ["cell", "parameters", "training", score, "min–max", "latency"]
    if found.gradients:
        names.append("gradient left")
    return ["T", *names] if found.swept else names


def rows(found: Comparison) -> list[list[str]]:
    """A row per cell, and per T of a sweep.

    The gradient left is that of the last k over that of k = 0, in the trained model.
    """
    return [_row(found, cell, steps) for steps in found.steps for cell in found.cells]


def _row(found: Comparison, cell: str, steps: int | None) -> list[str]:
    score, seconds = found.score(cell, steps), found.seconds(cell, steps)
    row = [
        cell,
        f"{found.of(cell, steps)[0].parameters:,}",
        "–" if seconds is None else duration(seconds.median),
        number(score.median, 3),
        _range(score),
        _latency(found, cell, steps),
    ]
    if found.gradients:
        reach = found.reach(cell, steps)
        back = 0 if reach is None else len(reach.trained) - 1
        row.append(
            "–"
            if reach is None
            else f"{scientific(reach.trained[-1] / reach.trained[0])} at {back}"
        )
    return row if steps is None else [str(steps), *row]


def _latency(found: Comparison, cell: str, steps: int | None) -> str:
    if steps != found.steps[-1]:
        return ""
    latency = found.latency[cell]
    return f"{duration(latency.seconds)}, × {number(latency.ratio, 3)}"


def _range(score: Spread) -> str:
    return f"{number(score.smallest, 3)}–{number(score.largest, 3)}"
