"""What each input of a module is for, as far as its name, axes and example tell.

Values drawn without regard to it would be refused by the module, or prove nothing: a token beyond
the vocabulary, a length beyond the sequence, a mask that leaves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from lstm_export.contract import SEQUENCE_LENGTH, GraphSpec
from lstm_export.exporting.tracing.call import Call, Leaf

Kind = Literal["fixed", "float", "state", "mask", "lengths", "count", "codes", "flags"]
"""`fixed`: not an input of the graph; `state`: floating without an axis of time; `mask`: one value
up to some place in each row and another one after it; `count`: a single integer; `codes`: any other
integers; `flags`: two values in no order."""


@dataclass(frozen=True, slots=True)
class Role:
    """One leaf. `along` is the axis that lengths and counts may measure."""

    leaf: Leaf
    kind: Kind
    along: str | None = None
    uncertain: bool = False
    values: tuple[float, float] | None = None
    """Of a mask or flags: the value that stands first, and the other one."""
    vocabulary: int = 0
    """Codes below it are known to be valid."""


def roles(
    call: Call,
    graph: GraphSpec,
    traced: Mapping[str, int],
    lengths: Set[str] = frozenset(),
    vocabulary: int = 0,
) -> tuple[Role, ...]:
    """One for each leaf; inputs named in `lengths` are known to be lengths of sequences."""
    axes = {spec.name: spec.axes for spec in graph.inputs}
    found = [
        _role(call, position, leaf, axes, traced, leaf.name in lengths)
        for position, leaf in enumerate(call.inputs)
    ]
    return tuple(
        replace(role, vocabulary=vocabulary) if _constant_codes(role) else role for role in found
    )


def _constant_codes(role: Role) -> bool:
    """Codes of which the example shows but one, as tokens that are all zero."""
    example = role.leaf.example
    codes = role.kind == "codes" and example.dtype != torch.bool
    return codes and example.numel() > 0 and bool(example.min() == example.max())


def _role(
    call: Call,
    position: int,
    leaf: Leaf,
    axes: Mapping[str, tuple[str | int, ...]],
    traced: Mapping[str, int],
    known: bool,
) -> Role:
    example = leaf.example
    if leaf.name not in axes:
        return Role(leaf, "fixed")
    if leaf.kind == "lengths":
        padded = axes.get(call.inputs[position - 1].name, ())
        return Role(leaf, "lengths", _name(padded[:1]))
    values = _two_values(leaf)
    if example.is_floating_point():
        if values is not None:
            return Role(leaf, "mask" if _prefixes(example) else "flags", values=values)
        own = [axis for axis in axes[leaf.name] if isinstance(axis, str)]
        states = any(len(set(other) & set(traced)) > len(own) for other in axes.values())
        return Role(leaf, "state" if states else "float")
    if example.dim() == 0 and example.dtype != torch.bool:
        return Role(leaf, "count", _measured(axes, traced, example), uncertain=True)
    if example.dim() == 1 and example.dtype != torch.bool:
        along = _along(call, position, axes, traced)
        if along is not None and (known or _look_like_lengths(example, traced[along])):
            return Role(leaf, "lengths", along, uncertain=not known)
    if values is not None:
        return Role(leaf, "mask" if _prefixes(example) else "flags", values=values)
    return Role(leaf, "codes", uncertain=True)


def _two_values(leaf: Leaf) -> tuple[float, float] | None:
    """The two values of something like a mask: True and False, 1 and 0, 0 and -inf."""
    example = leaf.example
    if example.dim() == 0 or example.numel() == 0:
        return None
    found = set(example.double().flatten()[:4096].tolist())
    first = float(example[..., 0].double().mode().values.flatten()[0])
    if example.dtype == torch.bool:
        return first, 1.0 - first
    named = "mask" in leaf.name.lower()
    if found == {0.0, 1.0} or (named and found <= {0.0, 1.0}):
        return first, 1.0 - first
    if example.is_floating_point() and len(found) == 2 and example.numel() > 2:
        return first, next(iter(found - {first}))
    return None


def _prefixes(example: Tensor) -> bool:
    """Whether no row returns to its first value once it has left it."""
    same = example == example[..., :1]
    return bool((same[..., 1:] <= same[..., :-1]).all())


def _along(
    call: Call,
    position: int,
    axes: Mapping[str, tuple[str | int, ...]],
    traced: Mapping[str, int],
) -> str | None:
    """The axis of time that a row of lengths would measure.

    It lies beside the batch in another input: one whose size the largest length is, and if several
    are, that of the nearest input before.
    """
    leaf = call.inputs[position]
    batch = axes[leaf.name][0]
    before = [other.name for other in reversed(call.inputs[:position])]
    after = [other.name for other in call.inputs[position + 1 :]]
    found = [
        str(axis)
        for name in [*before, *after]
        for axis in axes.get(name, ())
        if axis in traced and axis != batch and (batch in axes[name] or batch not in traced)
    ]
    largest = int(leaf.example.max()) if leaf.example.numel() else 0
    fitting = [axis for axis in found if traced[axis] == largest]
    return next(iter([*fitting, *found]), None)


def _look_like_lengths(example: Tensor, longest: int) -> bool:
    return example.numel() > 0 and int(example.min()) >= 1 and int(example.max()) <= longest


def _measured(
    axes: Mapping[str, tuple[str | int, ...]], traced: Mapping[str, int], example: Tensor
) -> str | None:
    """The axis whose size a single integer may be, as `total_length` is."""
    names = [axis for own in axes.values() for axis in own if axis in traced]
    fitting = [str(name) for name in names if traced[str(name)] == int(example)]
    lengths = [name for name in fitting if name.startswith(SEQUENCE_LENGTH)]
    return next(iter([*lengths, *fitting]), None)


def _name(axes: tuple[str | int, ...]) -> str | None:
    return next((axis for axis in axes if isinstance(axis, str)), None)
