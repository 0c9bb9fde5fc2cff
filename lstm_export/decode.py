"""Frozen dataclasses from plain JSON values, every error naming its place."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from lstm_export.errors import ContractError

T = TypeVar("T")


def decode(cls: type[T], value: object, where: str) -> T:
    """`value`, parsed JSON, as an instance of the dataclass `cls`.

    Strict: an unknown key, a missing one or a wrong type raises ContractError with its path.
    """
    return cast(T, _decode(cls, value, where))


def _decode(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise _wrong(where, "a list", value)
        if arguments[0] is float and {*map(type, value)} <= {float}:
            return tuple(value)  # a manifest may hold thousands, and is read at every start
        return tuple(_decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(where, "an object", value)
        return {str(k): _decode(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if origin is typing.Literal:
        if value not in arguments:
            raise _wrong(where, " or ".join(repr(choice) for choice in arguments), value)
        return value
    if origin in (typing.Union, types.UnionType):
        return _decode_union(arguments, value, where)
    return _decode_scalar(kind, value, where)


def _decode_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object", value)
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := sorted(set(value) - set(fields)):
        raise ContractError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(fields)}")
    for name, field in fields.items():
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and name not in value:
            raise ContractError(f"{where}: the key {name!r} is missing")
    return kind(**{k: _decode(hints[k], v, f"{where}.{k}") for k, v in value.items()})


def _decode_union(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in choices:
        return None
    errors = []
    for choice in choices:
        if choice is not type(None):
            try:
                return _decode(choice, value, where)
            except ContractError as error:
                errors.append(error)
    raise errors[0]


def _decode_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(where, kind.__name__, value)
    return value


def _wrong(where: str, expected: str, value: object) -> ContractError:
    return ContractError(f"{where}: expected {expected}, got {value!r:.80}")
