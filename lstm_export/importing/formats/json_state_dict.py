"""A state dict as JSON: names and nested lists, as `{k: v.tolist() for k, v in ...}` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats.json_arrays import array_of, is_array, words_of
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.raw import Array, RawFile

NAME = "state dict as JSON"
_CONTAINERS = (
    *("state_dict", "model_state_dict", "model", "net", "network", "module", "weights"),
    *("params", "parameters"),
)


def matches(value: dict[str, Any]) -> bool:
    """Any object may be one."""
    return True


def read(path: Path, value: dict[str, Any]) -> RawFile:
    """The nested lists in `value` as arrays, by dotted name.

    Where a state dict stands under a name of its own (state_dict, model, …), the names start
    there, and lists of numbers elsewhere (losses, say) are left out and noted. Objects of dotted
    names side by side are several models: `keys` lists them. Single numbers are in `declared`.
    """
    place = next((p for p in _places(value) if any(_arrays(_at(value, p)))), ())
    inside = _at(value, place)
    tensors = {name: array_of(lists, f"{path}: {shown(name)}") for name, lists in _arrays(inside)}
    if not tensors:
        raise CheckpointError(
            f"{path}: expected nested lists of numbers under their names, found none; it has "
            f"{shown(', '.join(list(value)[:8]), 160) or 'nothing'}. An architecture alone holds "
            "no weights: save the state dict"
        )
    left_out = [
        f"left out {shown(name)}, a list of numbers beside {'.'.join(place)}"
        for name, _ in _arrays(value)
        if place and not name.startswith(".".join(place) + ".")
    ]
    return raw_file(path, NAME, tensors, value, keys=_keys(inside), notes=tuple(left_out))


def raw_file(
    path: Path, name: str, tensors: Mapping[str, Array], value: dict[str, Any], **more: Any
) -> RawFile:
    """A RawFile of arrays that were text, and all the words beside them."""
    stored = {name: array.dtype.name for name, array in tensors.items()}
    return RawFile(str(path), name, tensors, stored, declared=dict(words_of(value)), **more)


def _arrays(value: object, prefix: str = "") -> Iterator[tuple[str, list[Any]]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _arrays(item, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, list) and is_array(value):
        yield prefix, value


def _places(value: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Where a state dict may be, the outermost first; a state dict in a state dict is deeper."""
    level: list[tuple[tuple[str, ...], Any]] = [((), value)]
    found: list[tuple[str, ...]] = []
    for _ in range(3):
        level = [
            ((*place, name), item[name])
            for place, item in level
            if isinstance(item, dict)
            for name in _CONTAINERS
            if isinstance(item.get(name), dict)
        ]
        found += [place for place, _ in level]
    return reversed(found)


def _at(value: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        value = value[name]
    return value


def _keys(inside: dict[str, Any]) -> tuple[str, ...]:
    models = [
        str(name)
        for name, item in inside.items()
        if isinstance(item, dict)
        and any("." in inner and is_array(lists) for inner, lists in item.items())
    ]
    return tuple(models) if len(models) > 1 else ()
