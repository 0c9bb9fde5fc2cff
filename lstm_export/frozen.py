"""`dataclass` for the values that the runtime reads, at a thirtieth of what importing one costs.

The standard decorator writes source code for every method of every class and compiles it, 1 ms a
class. The sixteen classes of a contract and a manifest would be a third of everything that the
runtime adds to importing onnxruntime. Here the methods are shared and look at the fields; the
classes are true dataclasses otherwise (`fields`, `asdict`, `replace`, `match`, pickling).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool) -> Any:
        """As `dataclasses.dataclass(frozen=True, slots=True)`; there is no other kind here."""
        if not (frozen and slots):
            raise TypeError("only frozen classes with slots; use dataclasses.dataclass for others")
        return _freeze


def _freeze(cls: type) -> type:
    for method in (_init, _repr, _eq, _hash, _setattr, _delattr, _getstate, _setstate):
        setattr(cls, f"_{method.__name__}__", method)
    return dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)


def _init(self: Any, *values: Any, **named: Any) -> None:
    fields = self.__dataclass_fields__
    if len(values) > len(fields):
        raise TypeError(f"{_name(self)} takes {len(fields)} values, got {len(values)}")
    for name, value in zip(fields, values, strict=False):
        if name in named:
            raise TypeError(f"{_name(self)} got two values for {name!r}")
        named[name] = value
    for name, field in fields.items():
        if name in named:
            value = named.pop(name)
        elif field.default is not dataclasses.MISSING:
            value = field.default
        elif field.default_factory is not dataclasses.MISSING:
            value = field.default_factory()
        else:
            raise TypeError(f"{_name(self)} needs a value for {name!r}")
        object.__setattr__(self, name, value)
    if named:
        raise TypeError(f"{_name(self)} has no field {next(iter(named))!r}")


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__dataclass_fields__])


def _name(self: Any) -> str:
    return str(type(self).__qualname__)


def _repr(self: Any) -> str:
    pairs = zip(self.__dataclass_fields__, _values(self), strict=True)
    return f"{_name(self)}({', '.join(f'{name}={value!r}' for name, value in pairs)})"


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _setattr(self: Any, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> tuple[Any, ...]:
    return _values(self)


def _setstate(self: Any, state: tuple[Any, ...]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)
