"""A module in eager torch whose recurrent layers are given their states, as a stream's are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from lstm_export.exporting.capture.instead import Forward, instead_of_forward
from lstm_export.exporting.gates import RecurrentLayers, cell_of
from lstm_export.exporting.streams.carry import State
from lstm_export.exporting.verify.reference import Eager

Arrays = dict[str, npt.NDArray[Any]]


def eager_chunk(
    eager: Eager,
    states: Sequence[State],
    tensors: Sequence[Tensor],
    initial: Mapping[str, npt.NDArray[Any]],
    dtype: torch.dtype,
) -> Arrays:
    """The module's outputs, and the states after them, where its layers start from `initial`.

    To be used within `eager.float32()` or `eager.float64()`. Raises whatever the module raises.
    """
    waiting: dict[str, list[list[State]]] = {}
    for state in states:
        calls = waiting.setdefault(state.path, [])
        if state.kind == "h":
            calls.append([])
        calls[-1].append(state)
    finals: dict[str, Tensor] = {}

    def given(original: Forward, path: str, layer: RecurrentLayers, x: Any, hx: Any) -> Any:
        if path not in waiting:  # layers that were changed carry their states in a loop
            return original(layer, x, hx)
        own = waiting[path].pop(0)
        values = [torch.from_numpy(initial[state.name]).to(x.device, dtype) for state in own]
        unbatched = x.dim() == 2
        if unbatched:
            values = [value.squeeze(1) for value in values]
        several = cell_of(layer) == "lstm"
        y, after = original(layer, x, tuple(values) if several else values[0])
        for state, value in zip(own, after if several else (after,), strict=True):
            finals[state.final.name] = value.unsqueeze(1) if unbatched else value
        return y, after

    with instead_of_forward(eager.module, given):
        outputs = eager(tensors)
    return outputs | {name: value.detach().cpu().numpy() for name, value in finals.items()}
