"""Shapes: what the file's contract says of them, and what an exported graph made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy.typing as npt

from lstm_export.compare.result import TensorComparison
from lstm_export.contract import GraphSpec
from lstm_export.exporting.verify.sizes import size_of
from lstm_export.exporting.verify.trials import Trial

Arrays = Mapping[str, npt.NDArray[Any]]


def broken_promises(
    graph: GraphSpec, trial: Trial, torch: Arrays, traced: Mapping[str, int]
) -> list[str]:
    """Axes of outputs that the module itself gives another size than `graph` says."""
    problems = []
    for spec in graph.outputs:
        shape = torch[spec.name].shape if spec.name in torch else ()
        if len(shape) != len(spec.axes):
            problems.append(
                f"{spec.name} at {trial.name}: promised {len(spec.axes)} axes, the module gives "
                f"shape {shape}"
            )
            continue
        for position, (axis, size) in enumerate(zip(spec.axes, shape, strict=True)):
            said = axis if isinstance(axis, int) else size_of(axis, trial.sizes)
            if said is not None and said != size:
                baked_in = isinstance(axis, int) and said in traced.values()
                problems.append(
                    f"{spec.name} at {trial.name}: axis {position} is promised as {axis}"
                    + ("" if isinstance(axis, int) else f" ({said})")
                    + f", but the module gives {size}"
                    + (": it was baked in" if baked_in else "")
                )
    return problems


def baked(
    result: TensorComparison,
    reference: npt.NDArray[Any] | None,
    trial: Trial,
    traced: Mapping[str, int],
) -> TensorComparison:
    """`result`, its reason with the axis that kept its traced size where that is what is wrong."""
    if result.passed or reference is None or len(result.shape) != reference.ndim:
        return result
    for position, (got, wanted) in enumerate(zip(result.shape, reference.shape, strict=True)):
        for name, size in traced.items():
            if got == size != wanted and trial.sizes[name] == wanted:
                reason = (
                    f"{result.reason}: axis {position}, {name}, was baked in with its traced size"
                )
                return replace(result, reason=reason)
    return result
