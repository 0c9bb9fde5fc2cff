"""Parameters that a module holds but does not know of.

`module.parameters()` reaches what was assigned as an attribute. Layers in a plain list or dict, and
tensors made with requires_grad, are used in forward and never given to the optimiser: they keep
their first random values, are not saved, and do not move to another device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

# What every module has of its own, and the second references that recurrent layers keep.
_MACHINERY = {*vars(nn.Module()), "_flat_weights", "_flat_weight_refs", "_all_weights"}
_DEEPEST = 4


def unregistered_parameters(module: nn.Module) -> list[str]:
    """Their places, such as `layers[0].weight`, in the order in which they are found."""
    known = {id(parameter) for parameter in module.parameters()}
    known |= {id(buffer) for buffer in module.buffers()}
    found: dict[int, str] = {}
    for path, child in module.named_modules():
        prefix = f"{path}." if path else ""
        for name, value in vars(child).items():
            if name in _MACHINERY:
                continue
            for place, tensor in _trainable(f"{prefix}{name}", value, 0):
                if id(tensor) not in known:
                    found.setdefault(id(tensor), place)
    return list(found.values())


def _trainable(place: str, value: Any, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Tensors that want a gradient of their own, not as the result of others."""
    if isinstance(value, Tensor):
        if value.requires_grad and value.is_leaf:
            yield place, value
    elif isinstance(value, nn.Module):
        for name, parameter in value.named_parameters():
            yield f"{place}.{name}", parameter
    elif depth < _DEEPEST and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _trainable(f"{place}[{key!r}]", inner, depth + 1)
    elif depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        for index, inner in enumerate(value):
            yield from _trainable(f"{place}[{index}]", inner, depth + 1)
