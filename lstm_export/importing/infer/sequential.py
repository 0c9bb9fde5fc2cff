"""What torch.nn.Sequential has between layers with weights, where the file names its classes.

A whole pickled module does: each submodule's class is declared under its path and `__class__`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lstm_export.importing.infer.group import Group, option_text

# Class → kind of step, and which attribute is which option of it.
_ACTIVATIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ReLU": ("relu", {}),
    "Tanh": ("tanh", {}),
    "Sigmoid": ("sigmoid", {}),
    "GELU": ("gelu", {"approximate": "approximate"}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": "slope"}),
    "ELU": ("elu", {"alpha": "alpha"}),
    "Softmax": ("softmax", {"dim": "axis"}),
    "LogSoftmax": ("log_softmax", {"dim": "axis"}),
}
_NOTHING = ("Dropout", "Identity", "AlphaDropout")


@dataclass(frozen=True, slots=True)
class Bare:
    """A step without weights."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return f"{self.kind}{option_text(self.options)}"


def number(group: Group) -> int | None:
    """The group's number in a Sequential, as its name ends in one."""
    own = group.name.rpartition(".")[2]
    return int(own) if own.isdecimal() and len(own) < 6 else None


def before(declared: Mapping[str, Any], last: Group | None, group: Group) -> list[Bare] | None:
    """The steps between `last` and `group`, or from the Sequential's start if `last` is not in it.

    None where there is no number between them or the file does not say what has it.
    """
    here, parent = number(group), _parent(group)
    there = number(last) if last is not None and _parent(last) == parent else -1
    if here is None or there is None or here - there < 2:
        return None
    steps = [_step(declared, f"{parent}{i}") for i in range(there + 1, here)]
    return None if None in steps else [step for part in steps for step in part or ()]


def behind(declared: Mapping[str, Any], group: Group) -> list[Bare] | None:
    """The steps behind the last layer with weights; None where the file says none."""
    here, found = number(group), list[Bare]()
    while (
        here is not None
        and (step := _step(declared, f"{_parent(group)}{(here := here + 1)}")) is not None
    ):
        found += step
    return found or None


def _parent(group: Group) -> str:
    around = group.name.rpartition(".")[0]
    return f"{around}." if around else ""


def _step(declared: Mapping[str, Any], path: str) -> list[Bare] | None:
    kind = str(declared.get(f"{path}.__class__", "")).rpartition(".")[2]
    if kind in _NOTHING:
        return []
    if kind not in _ACTIVATIONS:
        return None
    op, names = _ACTIVATIONS[kind]
    options = {
        option: declared[f"{path}.{name}"]
        for name, option in names.items()
        if isinstance(declared.get(f"{path}.{name}"), int | float | str)
    }
    return [Bare(op, options)]
