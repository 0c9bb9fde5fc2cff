"""Parameters that a module uses but does not own.

A layer in a plain list works in forward, but `parameters()` does not give it: no optimiser trained
it, no state_dict saved it, `.to()` leaves it behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

_DEPTH = 4
"""How deep lists and dicts are looked into."""


def unregistered(module: nn.Module) -> tuple[str, ...]:
    """One sentence for each attribute that holds parameters the module does not own."""
    owned = {id(parameter) for parameter in module.parameters()}
    found = []
    for path, child in module.named_modules():
        for name, value in vars(child).items():
            # Recurrent layers keep a second list, stale where a weight is parametrized.
            if name in ("_parameters", "_modules", "_buffers", "_flat_weights"):
                continue
            for place, count in _strays(value, owned, _DEPTH):
                where = ".".join(part for part in (path, name) if part) + place
                found.append(
                    f"{where} ({type(child).__name__}) holds {count} parameter"
                    f"{'s' if count > 1 else ''} that are not registered: no optimiser sees them, "
                    "so they never trained, and no state_dict saves them; use nn.ModuleList, "
                    "nn.ModuleDict, nn.ParameterList or an nn.Parameter attribute"
                )
    return tuple(found)


def _strays(value: Any, owned: set[int], depth: int) -> Iterator[tuple[str, int]]:
    """(place within `value`, number of parameters) for whatever is not owned."""
    if isinstance(value, nn.Module):
        count = sum(id(parameter) not in owned for parameter in value.parameters())
        if count:
            yield "", count
    elif isinstance(value, Tensor):
        if value.is_leaf and value.requires_grad and id(value) not in owned:
            yield "", 1
    elif depth and isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from ((f"[{i}]{place}", n) for place, n in _strays(inner, owned, depth - 1))
    elif depth and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from ((f"[{key!r}]{place}", n) for place, n in _strays(inner, owned, depth - 1))
