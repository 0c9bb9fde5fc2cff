"""Everything that a module holds: what a forward may change, and what has a precision.

Parameters and buffers are the easy part. Weights of old-style `weight_norm` are plain attributes,
learned states are kept in lists, layers in dicts, helper objects carry tensors of their own, and
hooks are functions that close over what they write to.
"""

from __future__ import annotations

import collections
import functools
import types
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

_ATOMS = frozenset(
    {int, float, complex, bool, str, bytes, type(None), torch.dtype, torch.device, torch.Size}
)


def held(module: nn.Module) -> Iterator[Any]:
    """Every object reachable from `module`, itself first, each once.

    Follows modules, registered or not, containers, closures, and objects whose classes come from
    the same packages as those of the modules: a trainer that refers to all of its data set is not
    part of a model.
    """
    own = {_package(child) for child in module.modules()} - {"torch"}
    seen: dict[int, Any] = {}
    waiting: list[Any] = [module]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        yield one
        # Vocabularies are long, and there is nothing behind their words.
        waiting.extend([part for part in _parts(one, own) if type(part) not in _ATOMS])


def _parts(one: Any, own: set[str]) -> Iterable[Any]:
    if isinstance(one, nn.Module):
        # A scripted module keeps its tensors outside its attributes.
        return [vars(one), *one.parameters(recurse=False), *one.buffers(recurse=False)]
    if isinstance(one, dict):
        return one.values()
    if isinstance(one, list | tuple | set | frozenset | collections.deque):
        return one
    if isinstance(one, functools.partial):
        return [one.func, one.args, one.keywords]
    if isinstance(one, types.MethodType):
        return [one.__self__, one.__func__]
    if isinstance(one, types.FunctionType):
        return one.__closure__ or ()
    if isinstance(one, types.CellType):
        return _content(one)
    plain = isinstance(one, types.SimpleNamespace) or _package(one) in own
    if plain and not isinstance(one, type | types.ModuleType | torch.Tensor):
        return [vars(one)] if hasattr(one, "__dict__") else ()
    return ()


def _content(cell: types.CellType) -> list[Any]:
    try:
        return [cell.cell_contents]
    except ValueError:  # not assigned yet
        return []


def _package(one: Any) -> str:
    return type(one).__module__.partition(".")[0]
