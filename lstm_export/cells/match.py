"""Hidden sizes with which every cell has about as many parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch

from lstm_export.cells.plan import Plan
from lstm_export.contract import Cell, Recurrent
from lstm_export.nn.forecaster import recurrent_layers
from lstm_export.training.courses.registry import COURSES
from lstm_export.training.device import quiet_torch


def with_matched_sizes(plan: Plan) -> Plan:
    """`plan` with a hidden size for each cell: the first cell has that of the options, the others
    the one whose number of parameters comes nearest to the first's.

    Reads the data, as a run does, and raises what that raises.
    """
    course = COURSES[plan.options.task](plan.of(plan.trials[0]))
    with torch.device("meta"), quiet_torch():
        model: Any = course.build()
        width: int = model.head.out_features

        def count(cell: str, hidden_size: int) -> int:
            """Of layers and head; what stands before them is the same for all."""
            kind = cast(Cell, cell.partition("-")[0])
            spec = replace(course.recurrent, cell=kind, hidden_size=hidden_size)
            layers = recurrent_layers(spec, 0.0)
            weights = sum(parameter.numel() for parameter in layers.parameters())
            return weights + width * (_leaving(spec) + 1)

        wanted = count(plan.cells[0], plan.options.hidden_size)
        smallest = course.recurrent.proj_size + 1
        sizes: dict[str, int] = {
            cell: _nearest(wanted, cell, count, smallest) for cell in plan.cells[1:]
        }
    return replace(plan, sizes={plan.cells[0]: plan.options.hidden_size, **sizes})


def _nearest(wanted: int, cell: str, count: Callable[[str, int], int], smallest: int) -> int:
    """The hidden size with which `count`, which grows with it, comes nearest to `wanted`."""
    low, high = smallest, smallest + 1
    while count(cell, high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(cell, middle) < wanted else (low, middle)
    return min(low, high, key=lambda size: abs(count(cell, size) - wanted))


def _leaving(spec: Recurrent) -> int:
    """Width of what the layers give to the head."""
    return spec.state_size * spec.num_directions
