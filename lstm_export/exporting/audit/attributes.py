"""What a module keeps between calls, attribute by attribute.

Buffers, plain attributes with all that is nested in them, attributes of helper objects, class
attributes and globals that the module's methods name: whatever one call may leave for the next.
"""

from __future__ import annotations

import collections
import types
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstm_export.exporting.tracing.blame import is_users

# What every module has of its own, and the second references that recurrent layers keep.
_MACHINERY = {*vars(nn.Module()), "_flat_weights", "_flat_weight_refs", "_all_weights"}
_DATA = (Tensor, np.ndarray, int, float, list, dict, collections.deque, type(None))


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its path from the module, the class whose code writes it, where it lies."""

    path: str
    name: str
    owner: type
    holder: Any

    @property
    def value(self) -> Any:
        if isinstance(self.holder, type):
            return vars(self.holder).get(self.name)
        return self.holder.get(self.name)

    def set(self, value: Any) -> None:
        if isinstance(self.holder, type):
            setattr(self.holder, self.name, value)
        else:
            self.holder[self.name] = value


_SMALL = 1 << 16
"""Parameters of so many elements may be states; larger ones are weights."""

Content = dict[str, tuple[Attribute, Any]]
"""By path, an attribute and a copy of what it held."""


def contents(module: nn.Module) -> Content:
    """What `module` holds now. Large parameters are told apart by version and place, not copied."""
    return {one.path: (one, copied(one.value)) for one in _attributes(module)}


def restore(content: Content) -> None:
    """Puts class attributes and globals back, which no snapshot of the module has."""
    for one, value in content.values():
        if _is_shared(one) and not alike(copied(one.value), value):
            one.set(value)


def changed(before: Content, after: Content) -> set[str]:
    """Paths whose values differ, or that only one of the two has."""
    same = {path for path in before.keys() & after.keys() if alike(before[path][1], after[path][1])}
    return (before.keys() | after.keys()) - same


def marks(module: nn.Module) -> dict[str, tuple[int, int]]:
    """Which object each attribute is, and how often it was written to in place.

    They tell of a value written anew that is what it was before.
    """
    return {one.path: (id(value), _version(value)) for one, value in _values(module)}


def _values(module: nn.Module) -> Iterator[tuple[Attribute, Any]]:
    return ((one, one.value) for one in _attributes(module))


def _version(value: Any) -> int:
    if not isinstance(value, Tensor):
        return 0
    return 0 if value.is_inference() else value._version


def _attributes(module: nn.Module) -> Iterator[Attribute]:
    seen: set[int] = set()
    for path, child in module.named_modules():
        yield from _of_module(child, f"{path}." if path else "", seen)
    for cls in {type(child): None for child in module.modules()}:
        for base in cls.__mro__:
            if id(base) not in seen and not base.__module__.startswith("torch."):
                seen.add(id(base))
                yield from _of_class(base)


def _of_module(module: nn.Module, prefix: str, seen: set[int]) -> Iterator[Attribute]:
    if id(module) in seen:
        return
    seen.add(id(module))
    holders: list[MutableMapping[str, Any]] = [module._buffers, module._parameters]
    for holder in holders:
        for name in list(holder):
            yield Attribute(prefix + name, name, type(module), holder)
    for name, value in list(vars(module).items()):
        if name in _MACHINERY:
            continue
        yield Attribute(prefix + name, name, type(module), vars(module))
        yield from _behind(value, f"{prefix}{name}", seen, 0)


def _behind(value: Any, path: str, seen: set[int], depth: int) -> Iterator[Attribute]:
    """Attributes of modules and helper objects that are not registered."""
    if depth > 3 or id(value) in seen or isinstance(value, Tensor | type | types.ModuleType):
        return
    if isinstance(value, nn.Module):
        for inner, child in value.named_modules():
            yield from _of_module(child, f"{path}.{inner}." if inner else f"{path}.", seen)
    elif isinstance(value, dict):
        for key, inside in list(value.items()):
            yield from _behind(inside, f"{path}[{key!r}]", seen, depth + 1)
    elif isinstance(value, list | tuple):
        for index, inside in enumerate(value):
            yield from _behind(inside, f"{path}[{index}]", seen, depth + 1)
    elif hasattr(value, "__dict__") and not _is_foreign(type(value)):
        seen.add(id(value))
        for name, inside in list(vars(value).items()):
            yield Attribute(f"{path}.{name}", name, type(value), vars(value))
            yield from _behind(inside, f"{path}.{name}", seen, depth + 1)


def _of_class(cls: type) -> Iterator[Attribute]:
    if _is_foreign(cls):
        return
    for name, value in list(vars(cls).items()):
        if name.startswith("__"):
            continue
        if isinstance(value, _DATA):
            yield Attribute(f"{cls.__name__}.{name} (of the class)", name, cls, cls)
        if isinstance(value, types.FunctionType) and is_users(value.__code__.co_filename):
            for used in value.__code__.co_names:
                space = value.__globals__
                if isinstance(space.get(used, cls), _DATA):
                    yield Attribute(f"{used} (a global)", used, cls, space)


def _is_shared(one: Attribute) -> bool:
    return isinstance(one.holder, type) or one.path.endswith("(a global)")


def _is_foreign(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("torch", "builtins", "numpy", "collections")


def copied(value: Any) -> Any:
    """`value` as something to compare with later."""
    if isinstance(value, nn.Parameter):
        small = value.detach().clone() if value.numel() <= _SMALL else None
        return ["parameter", id(value), _version(value), value.data_ptr(), small]
    if isinstance(value, Tensor):
        return value.detach().clone() if value.layout == torch.strided else value
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | collections.deque):
        return [copied(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return frozenset(map(str, value))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return type(value)  # an object has its attributes to itself


def alike(one: Any, other: Any) -> bool:
    """Whether two copies are equal to the last bit; NaN equals itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Tensor):
        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        if not one.is_floating_point():
            return torch.equal(one, other)
        return torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
    if isinstance(one, np.ndarray):
        return bool(one.shape == other.shape) and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other) or bool(one != one and other != other)
