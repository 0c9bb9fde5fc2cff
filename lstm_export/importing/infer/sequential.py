"""What torch.nn.Sequential has between layers with weights, where the file names its classes.

A whole pickled module does: each submodule's class is declared under its path and `__class__`. The
parts of a Sequential run one after the other; where a module's attributes run no file tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lstm_export.errors import OptionError
from lstm_export.importing.infer.classes import torch_class
from lstm_export.importing.infer.group import Group, option_text

_WINDOW = {"kernel_size": "kernel", "stride": "stride", "padding": "padding"}
# Class → kind of step, and which attribute is which option of it.
_STEPS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ReLU": ("relu", {}),
    "Tanh": ("tanh", {}),
    "Sigmoid": ("sigmoid", {}),
    "GELU": ("gelu", {"approximate": "approximate"}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": "slope"}),
    "ELU": ("elu", {"alpha": "alpha"}),
    "CELU": ("celu", {"alpha": "alpha"}),
    "SELU": ("selu", {}),
    "Softplus": ("softplus", {"beta": "beta"}),
    "Softsign": ("softsign", {}),
    "SiLU": ("silu", {}),
    "Mish": ("mish", {}),
    "LogSigmoid": ("log_sigmoid", {}),
    "ReLU6": ("relu6", {}),
    "Hardtanh": ("hardtanh", {"min_val": "min", "max_val": "max"}),
    "Hardswish": ("hardswish", {}),
    "Softmax": ("softmax", {"dim": "axis"}),
    "LogSoftmax": ("log_softmax", {"dim": "axis"}),
    "MaxPool1d": ("max_pool1d", _WINDOW),
    "AvgPool1d": ("avg_pool1d", {**_WINDOW, "count_include_pad": "count_include_pad"}),
}
# Options that change the numbers and that no layer here has.
_UNBUILT = {"ceil_mode": False, "dilation": 1, "return_indices": False, "threshold": 20}
_NOTHING = ("Dropout", "Dropout1d", "Identity", "AlphaDropout")
_CONTAINERS = ("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict")


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


def steps_between(
    declared: Mapping[str, Any], last: Group | None, group: Group
) -> list[Bare] | None:
    """The steps between `last` and `group`: up to the ends of the Sequentials that hold `last`
    alone, between both in the one that holds both, and from the start of those that hold `group`.

    None where the file does not say. Raises OptionError for a class that no layer here builds.
    """
    here = group.name.split(".")
    there = last.name.split(".") if last is not None else []
    shared = 0
    while shared < min(len(here), len(there)) - 1 and here[shared] == there[shared]:
        shared += 1
    steps = _behind(declared, there, shared + 1)
    together = bool(there) and all(_is_part(declared, path, shared) for path in (here, there))
    if together:
        steps += _parts(declared, here[:shared], int(there[shared]) + 1, int(here[shared]))
    for depth in range(shared + bool(there), len(here)):
        if _is_part(declared, here, depth):
            steps += _parts(declared, here[:depth], 0, int(here[depth]))
    return steps if steps or together else None


def behind(declared: Mapping[str, Any], group: Group) -> list[Bare] | None:
    """The steps behind the last layer with weights; None where the file says none."""
    return _behind(declared, group.name.split("."), 0) or None


def without_place(declared: Mapping[str, Any], weighted: Collection[str]) -> list[str]:
    """torch's modules that are no part of a Sequential, each with its class; `weighted` are the
    paths of those with tensors, which are left out."""
    found = []
    for key in declared:
        path, _, own = key.rpartition(".")
        kind = torch_class(declared, path) if own == "__class__" else None
        if kind is None or not path or path in weighted or kind in (*_NOTHING, *_CONTAINERS):
            continue
        parts = path.split(".")
        listed = _is_part(declared, parts, len(parts) - 1)
        if not listed and not kind.endswith("Loss") and not _has_parts(declared, path):
            found.append(f"{path} ({kind})")
    return found


def _has_parts(declared: Mapping[str, Any], path: str) -> bool:
    own = _class_key(path)
    return any(k.startswith(f"{path}.") and k.endswith(".__class__") and k != own for k in declared)


def _behind(declared: Mapping[str, Any], path: Sequence[str], least: int) -> list[Bare]:
    """What follows `path` in the Sequentials around it, out to the one at depth `least`."""
    steps = list[Bare]()
    for depth in range(len(path) - 1, least - 1, -1):
        if _is_part(declared, path, depth):
            stop = start = int(path[depth]) + 1
            while _class_key(".".join((*path[:depth], str(stop)))) in declared:
                stop += 1
            steps += _parts(declared, path[:depth], start, stop)
    return steps


def _parts(declared: Mapping[str, Any], around: Sequence[str], start: int, stop: int) -> list[Bare]:
    paths = (".".join((*around, str(index))) for index in range(start, stop))
    return [step for path in paths for step in _step(declared, path)]


def _is_part(declared: Mapping[str, Any], path: Sequence[str], depth: int) -> bool:
    """Whether path[depth] is a number in a module that runs its numbered parts in order."""
    around = declared.get(_class_key(".".join(path[:depth])), "Sequential")
    ordered = str(around).rpartition(".")[2] not in _CONTAINERS[1:]
    known = _class_key(".".join(path[: depth + 1])) in declared
    return known and ordered and path[depth].isdecimal() and len(path[depth]) < 6


def _class_key(path: str) -> str:
    return f"{path}.__class__" if path else "__class__"


def _step(declared: Mapping[str, Any], path: str) -> list[Bare]:
    kind = torch_class(declared, path)
    if kind is None or kind in _NOTHING or _has_parts(declared, path):
        return []
    op, names = _STEPS.get(kind, ("", {}))
    odd = [f"{k} {v}" for k, v in _UNBUILT.items() if declared.get(f"{path}.{k}", v) != v]
    if not op or odd:
        raise OptionError(
            f"{path} is a torch.nn.{kind} {', '.join(('between the layers', *odd))}, which no "
            "layer here builds: give your own class with --module, or write what it does "
            "instead with --layers"
        )
    options = {}
    for name, option in names.items():
        value = declared.get(f"{path}.{name}")
        value = value[0] if isinstance(value, tuple) and len(value) == 1 else value
        if isinstance(value, int | float | str):
            options[option] = value
    return [Bare(op, options)]
