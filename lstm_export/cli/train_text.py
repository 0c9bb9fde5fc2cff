"""What `lstm-export train` tells of a finished run, in lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lstm_export.cli.console import table

if TYPE_CHECKING:
    from lstm_export.training.train import TrainResult

_MOST_CLASSES = 12
"""Classes whose confusions fit on a terminal."""


def forecast_lines(result: TrainResult) -> Iterator[str]:
    """Errors beside the baselines', and what is known of them beforehand."""
    metrics, terms = result.description.metrics, result.description.forecaster
    horizon = terms.window.horizon
    for key, steps in (("test", f"{horizon} steps ahead"), ("test_one_step", "one step ahead")):
        if key == "test" and horizon == 1:
            continue
        rows = [
            [f"{target}  {method}", f"{error['rmse']:.4g}", f"{error['mae']:.4g}"]
            for target in (column.name for column in terms.targets)
            for method, error in ((name, by[target]) for name, by in metrics[key].items())
        ]
        yield table([f"test part, {steps}", "RMSE", "MAE"], rows)
        yield ""
    yield f"intervals {_intervals(result)}"


def sequence_lines(result: TrainResult) -> Iterator[str]:
    """Accuracy or errors beside the baselines', and which labels were taken for which."""
    metrics, terms = result.description.metrics, result.description.sequence_terms
    if terms.targets:
        rows = [
            [f"{target}  {method}", *(_number(by[target][key]) for key in ("rmse", "mae", "r2"))]
            for target in (column.name for column in terms.targets)
            for method, by in metrics["test"].items()
        ]
        yield table(["test part", "RMSE", "MAE", "R²"], rows)
        yield ""
        return
    rows = [
        [method, f"{scores['accuracy']:.4f}", f"{scores['macro_f1']:.4f}"]
        for method, scores in metrics["test"].items()
    ]
    yield table([f"test part, {terms.answer[0]}", "accuracy", "macro-F1"], rows)
    yield ""
    if len(terms.classes) <= _MOST_CLASSES:
        counts = [
            [truth, *map(str, row)]
            for truth, row in zip(terms.classes, metrics["confusion"], strict=True)
        ]
        yield table(["truth (rows), answer (columns)", *terms.classes], counts)
        yield ""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _intervals(result: TrainResult) -> str:
    """What is known of the forecasts' errors, and how it did on the test part."""
    found = result.description.intervals
    if found is None:
        return "none: the validation part is too small for them, or there is none"
    steps = found.steps(0)
    line = f"coverage up to {found.levels[-1]:g}, {steps} step{'s' if steps > 1 else ''} ahead"
    if not (tested := result.description.metrics.get("test_coverage")):
        return line
    shares = ", ".join(f"{share:.1%} of {name}" for name, share in tested["one_step"].items())
    return f"{line}; on the test part those for {tested['level']:g} held {shares}, one step ahead"
