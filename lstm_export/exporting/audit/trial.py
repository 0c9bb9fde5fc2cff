"""A module called with its examples at other sizes, to learn whether it takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lstm_export.exporting.tracing.blame import first_line
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.unchanged.kept import Snapshot
from lstm_export.exporting.unchanged.single_thread import single_thread

At = tuple[int, int]
"""An input by position, and one of its axes."""

Trial = Callable[[Mapping[At, int]], str | None]
"""From sizes to the module's refusal in one line, None if it takes them."""

_LARGEST = 1 << 22
"""Elements of an input; what is larger is not tried."""


def eager_trial(module: nn.Module, call: Call) -> Trial:
    """To be used within `kept`, in eval mode: each trial leaves `module` as it was."""
    snapshot = Snapshot(module, weights=False)

    def trial(sizes: Mapping[At, int]) -> str | None:
        elements = 1
        for at, size in sizes.items():
            shape = call.inputs[at[0]].example.shape
            elements = max(elements, shape.numel() // max(shape[at[1]], 1) * size)
        if elements > _LARGEST:
            return f"too large to try: {elements} elements"
        try:
            args, kwargs = call.bind(resized(call, sizes))
            with single_thread():
                module(*args, **kwargs)
        except Exception as error:  # whatever a user's module raises
            return first_line(error)
        finally:
            snapshot.restore()
        return None

    return trial


def resized(call: Call, sizes: Mapping[At, int]) -> list[Tensor]:
    """The examples with other sizes: repeated along an axis, or cut off.

    Integers in one row that no longer fit, as the lengths of sequences, are cut down to the new
    size, and those as large as the old one, the length of a full sequence, grow with it.
    """
    tensors = []
    for position, leaf in enumerate(call.inputs):
        tensor = leaf.example.clone()
        for (at, axis), size in sizes.items():
            if at == position:
                index = torch.arange(size) % max(tensor.shape[axis], 1)
                tensor = tensor.index_select(axis, index)
        if tensor.dtype in (torch.int64, torch.int32) and tensor.dim() <= 1:
            for (at, axis), size in sizes.items():
                old = call.inputs[at].example.shape[axis]
                if at != position and int(leaf.example.max() if tensor.numel() else 0) <= old:
                    tensor = torch.where(tensor == old, size, tensor).clamp(max=size)
        tensors.append(tensor)
    return tensors
