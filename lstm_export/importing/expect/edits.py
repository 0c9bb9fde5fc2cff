"""Layers with one step more, fewer or changed; values keep their names for whoever reads them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lstm_export.importing.description import Input, Step
from lstm_export.importing.layers.cursor import NAME
from lstm_export.importing.layers.layers import KINDS, Layers, unnamed
from lstm_export.importing.ops.registry import OPS

_UNNAMED = re.compile(r"_\d+")
_FRESH = "_1000000"


def changed(layers: Layers, index: int, **options: Any) -> Layers:
    """Step `index` with other options; None leaves one out."""
    step = layers.steps[index]
    kept = {key: value for key, value in {**step.options, **options}.items() if value is not None}
    return _with(layers, [*layers.steps[:index], replace(step, options=kept)], index + 1)


def swapped(layers: Layers, index: int, op: str, options: Mapping[str, Any]) -> Layers:
    """Step `index`, which has no weights, as another `op` of the same value."""
    step = layers.steps[index]
    other = Step(op, step.inputs[:1], step.outputs, "", dict(options))
    return _with(layers, [*layers.steps[:index], other], index + 1)


def inserted(layers: Layers, index: int, op: str, options: Mapping[str, Any], *also: str) -> Layers:
    """A step behind step `index`: who read that one's first value reads this one's.

    `also` are values that a joining op reads besides.
    """
    before = layers.steps[index]
    name, *rest = before.outputs
    value = free_name(layers, f"{name.lstrip('_')}_before") if rest else _FRESH
    moved = replace(before, outputs=(value, *rest))
    step = Step(op, (value, *also), (name,), "", dict(options))
    return _with(layers, [*layers.steps[:index], moved, step], index + 1)


def removed(layers: Layers, index: int) -> Layers | None:
    """Without step `index`, whose readers read what it read; None where that is not a step's
    own value alone, and an output is to be called so."""
    step = layers.steps[index]
    value, name = step.inputs[0], step.outputs[0]
    maker = next((i for i, s in enumerate(layers.steps) if value in s.outputs), None)
    rest = [*layers.steps[:index], *layers.steps[index + 1 :]]
    if maker is None or readers(layers, value) != 1 or value in layers.outputs:
        if name in layers.outputs:
            return None
        steps = [renamed(each, name, value) for each in rest]
        return _with(layers, steps, len(layers.steps))
    made = tuple(name if each == value else each for each in rest[maker].outputs)
    rest[maker] = replace(rest[maker], outputs=made)
    return _with(layers, rest, len(layers.steps))


def renamed(step: Step, old: str, new: str) -> Step:
    """`step` reading `new` where it read `old`."""
    return replace(step, inputs=tuple(new if name == old else name for name in step.inputs))


def taking(step: Step, **named: str) -> Step:
    """`step` with further inputs, as lengths=n: those that it had by the same word are replaced."""
    before = step.options.get("takes", ())
    first = step.inputs[: len(step.inputs) - len(before)]
    both = {**dict(zip(before, step.inputs[len(first) :], strict=True)), **named}
    options = {**step.options, "takes": tuple(both)}
    return replace(step, inputs=(*first, *both.values()), options=options)


def not_taking(step: Step, *words: str) -> Step:
    """`step` without the further inputs `words`."""
    before = step.options.get("takes", ())
    first = step.inputs[: len(step.inputs) - len(before)]
    values = dict(zip(before, step.inputs[len(first) :], strict=True))
    left = {word: value for word, value in values.items() if word not in words}
    options = {key: value for key, value in step.options.items() if key != "takes"}
    if left:
        options["takes"] = tuple(left)
    return replace(step, inputs=(*first, *left.values()), options=options)


def with_input(layers: Layers, each: Input) -> Layers:
    """One input more, behind the others."""
    return replace(layers, inputs=(*layers.inputs, each))


def readers(layers: Layers, value: str) -> int:
    """How many steps read `value`."""
    return sum(step.inputs.count(value) for step in layers.steps)


def free_name(layers: Layers, wish: str) -> str:
    """A name that no value has, like `wish`."""
    known = {each.name for each in layers.inputs} | {n for s in layers.steps for n in s.outputs}
    numbered: Iterable[str] = (f"{wish}_{number}" for number in range(2, len(known) + 3))
    return next(name for name in (wish, *numbered) if name not in known)


def can_be_named(name: str) -> bool:
    """Whether an input may be called `name` in a layer string."""
    words = (*OPS, *KINDS, "return", "true", "false", "self")
    return bool(NAME.fullmatch(name)) and name not in words and not keyword.iskeyword(name)


def renumbered(layers: Layers) -> Layers:
    """Values without a name called by the place of their step, as reading the text gives them."""
    names: dict[str, str] = {}
    steps = []
    for index, step in enumerate(layers.steps):
        inputs = tuple(names.get(name, name) for name in step.inputs)
        outputs = step.outputs
        if len(outputs) == 1 and _UNNAMED.fullmatch(outputs[0]):
            names[outputs[0]] = unnamed(index)
            outputs = (unnamed(index),)
        steps.append(replace(step, inputs=inputs, outputs=outputs))
    given = tuple(names.get(name, name) for name in layers.outputs)
    return Layers(layers.inputs, tuple(steps), given)


def _with(layers: Layers, steps: Sequence[Step], rest: int) -> Layers:
    return renumbered(replace(layers, steps=(*steps, *layers.steps[rest:])))
