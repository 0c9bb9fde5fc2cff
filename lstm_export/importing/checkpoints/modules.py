"""A pickled nn.Module as data: its tensors under the names of its state_dict, its attributes.

torch.nn.Module keeps its parts in the attributes `_parameters`, `_buffers` and `_modules`, and
names those buffers that a state_dict leaves out in `_non_persistent_buffers_set`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lstm_export.importing.pickles.values import Inert

_PARTS = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True, slots=True)
class ModuleParts:
    """`children` are parameters, buffers and modules, as a state_dict orders them; `attributes`
    the public rest."""

    children: tuple[tuple[str, object], ...]
    attributes: tuple[tuple[str, object], ...]


def is_module(value: Inert) -> bool:
    """Whether `value` is an instance of a class that derives from torch.nn.Module."""
    state = value.state
    return isinstance(state, dict) and all(isinstance(state.get(part), dict) for part in _PARTS)


def module_parts(module: Inert) -> ModuleParts:
    """The parts of `module`, for which `is_module` holds."""
    state = module.state
    assert isinstance(state, dict)
    transient = _texts(state.get("_non_persistent_buffers_set"))
    children = [
        (name, value)
        for part in _PARTS
        for name, value in state[part].items()
        # A parameter that is not there (bias=False) and a transient buffer are no weights.
        if isinstance(name, str)
        and value is not None
        and not (part == "_buffers" and name in transient)
    ]
    attributes = [
        (name, value)
        for name, value in state.items()
        if isinstance(name, str) and not name.startswith("_")
    ]
    return ModuleParts(tuple(children), tuple(attributes))


def _texts(value: object) -> set[str]:
    return set(_strings(value))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, Inert):
        for part in (value.elements, *value.arguments):
            if isinstance(part, (list, tuple)):
                yield from (text for text in part if isinstance(text, str))
