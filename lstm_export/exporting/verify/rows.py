"""Does each row of a batch have the outputs that it has alone?"""

from __future__ import annotations

import contextlib

import numpy as np
from torch import Tensor, nn

from lstm_export.contract import BATCH, GraphSpec
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.unchanged.kept import eval_mode, kept
from lstm_export.exporting.unchanged.quiet import no_warnings
from lstm_export.exporting.unchanged.single_thread import single_thread
from lstm_export.exporting.verify.reference import Eager
from lstm_export.exporting.verify.trials import Plan, Trials
from lstm_export.exporting.verify.values import Style

_ROWS = 3
_CLOSE = 1e-9
"""Of the largest value: in float64 other orders of adding differ by less, other rows by more."""


def rows_are_independent(module: nn.Module, call: Call, graph: GraphSpec) -> bool:
    """Whether every output of `module` has the axis of the batch, and a row of it is what the
    module gives for that row alone: measured in float64, on a batch of three.

    False where it refuses either. The module comes back as it was.
    """
    if not all(BATCH in spec.axes for spec in graph.outputs):
        return False
    axes = {spec.name: spec.axes for spec in graph.inputs}
    trials = Trials(module, call, graph)
    if BATCH not in trials.traced:
        return False
    along = [
        axes[leaf.name].index(BATCH) if BATCH in axes.get(leaf.name, ()) else None
        for leaf in call.inputs
    ]
    eager = Eager(module, call, [spec.name for spec in graph.outputs])
    with contextlib.ExitStack() as stack:
        for block in (kept(module), eval_mode(module), no_warnings(), single_thread()):
            stack.enter_context(block)
        stack.enter_context(eager.float64())
        for trial in trials.versions(Plan({**trials.traced, BATCH: _ROWS}, Style(), 1)):
            with contextlib.suppress(Exception):  # what the module refuses, the next may not be
                return _alike(eager, graph, trial.tensors, along)
    return False


def _alike(
    eager: Eager, graph: GraphSpec, tensors: tuple[Tensor, ...], along: list[int | None]
) -> bool:
    whole = eager(tensors)
    for row in range(_ROWS):
        alone = eager(
            [
                tensor if axis is None else tensor.narrow(axis, row, 1)
                for tensor, axis in zip(tensors, along, strict=True)
            ]
        )
        for spec in graph.outputs:
            own = whole[spec.name].take([row], axis=spec.axes.index(BATCH))
            if own.shape != alone[spec.name].shape:
                return False
            largest = np.abs(np.nan_to_num(own)).max(initial=0.0)
            if not np.allclose(own, alone[spec.name], 0.0, _CLOSE * largest, equal_nan=True):
                return False
    return True
