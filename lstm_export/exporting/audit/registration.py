"""Parameters that a module uses but does not own.

A layer in a plain list works in forward, but `parameters()` does not give it: no optimiser trained
it, no state_dict saved it, `.to()` leaves it behind. Parameters that were frozen on purpose were
not meant to train, and what forward never reads, such as the averaged copy that some training
keeps, is none of the graph's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lstm_export.exporting.audit.lines import written_at
from lstm_export.exporting.audit.rehearsal import Rehearsal, differ
from lstm_export.exporting.tracing.call import Call

_DEPTH = 4
"""How deep lists, dicts and helper objects are looked into."""

# Recurrent layers keep a second list, stale where a weight is parametrized.
_SKIPPED = ("_parameters", "_modules", "_buffers", "_flat_weights")


@dataclass(frozen=True, slots=True)
class _Stray:
    """An attribute `name` of the layer at `path`, and what of it the module does not own."""

    path: str
    name: str
    owner: nn.Module
    place: str
    tensors: tuple[Tensor, ...]


def unregistered(module: nn.Module, call: Call | None = None) -> tuple[str, ...]:
    """One sentence for each attribute that holds parameters the module does not own.

    With a `call` only those that have a part in its results: to be used within `kept` then, and in
    eval mode. Raises what the module raises on its examples.
    """
    strays = list(_found(module))
    if call is not None and strays:
        rehearsal = Rehearsal(module, call)
        strays = [stray for stray in strays if _is_used(stray, rehearsal)]
    return tuple(_sentence(stray, module) for stray in strays)


def _found(module: nn.Module) -> Iterator[_Stray]:
    owned = {id(parameter) for parameter in module.parameters()}
    packages = {_package(child) for child in module.modules()} - {"torch"}
    for path, child in module.named_modules():
        for name, value in vars(child).items():
            if name in _SKIPPED:
                continue
            for place, tensors in _strays(value, owned, packages, _DEPTH):
                yield _Stray(path, name, child, place, tuple(tensors))


def _strays(
    value: Any, owned: set[int], packages: set[str], depth: int
) -> Iterator[tuple[str, Sequence[Tensor]]]:
    """(place within `value`, tensors) for whatever wants a gradient and is not owned."""
    if isinstance(value, nn.Module):
        tensors = [p for p in value.parameters() if p.requires_grad and id(p) not in owned]
        if tensors:
            yield "", tensors
    elif isinstance(value, Tensor):
        if value.is_leaf and value.requires_grad and id(value) not in owned:
            yield "", [value]
    elif depth:
        for place, inner in _parts(value, packages):
            for inside, found in _strays(inner, owned, packages, depth - 1):
                yield place + inside, found


def _parts(value: Any, packages: set[str]) -> Iterable[tuple[str, Any]]:
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [(f"[{i}]", inner) for i, inner in enumerate(value)]
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", inner) for key, inner in value.items()]
    # A trainer that refers to all that it trains is not part of a model.
    if _package(value) in packages and not isinstance(value, type) and hasattr(value, "__dict__"):
        return [(f".{name}", inner) for name, inner in vars(value).items()]
    return []


def _package(one: Any) -> str:
    return type(one).__module__.partition(".")[0]


@torch.no_grad()
def _is_used(stray: _Stray, rehearsal: Rehearsal) -> bool:
    """Whether the results differ while the tensors of `stray` hold nothing but NaN."""
    with rehearsal.from_the_start():
        held = [tensor.data for tensor in stray.tensors]
        for tensor in stray.tensors:
            tensor.data = torch.full_like(tensor, torch.nan)
        try:
            spoiled = rehearsal.perform(rehearsal.call.examples).outputs
        finally:
            for tensor, data in zip(stray.tensors, held, strict=True):
                tensor.data = data
    return differ(rehearsal.first.outputs, spoiled)


def _sentence(stray: _Stray, module: nn.Module) -> str:
    where = ".".join(part for part in (stray.path, stray.name) if part) + stray.place
    count = len(stray.tensors)
    line = written_at(stray.name, type(stray.owner), module, in_init=True)
    return (
        f"{where} ({type(stray.owner).__name__}) holds {count} parameter"
        f"{'s' if count > 1 else ''} that are not registered: no optimiser sees them, "
        "so they never trained, and no state_dict saves them; use nn.ModuleList, "
        "nn.ModuleDict, nn.ParameterList or an nn.Parameter attribute"
        + (f"\n  at {line}" if line else "")
    )
