"""A start from states that the user's file holds beside the inputs, h0 and c0 say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lstm_export.errors import InputError
from lstm_export.importing.description import Input
from lstm_export.importing.expect.alternatives.alternative import (
    Alternative,
    called,
    recurrent_steps,
)
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import can_be_named, free_name, taking, with_input
from lstm_export.importing.expect.expected import Values
from lstm_export.importing.expect.fitting import fitted
from lstm_export.importing.expect.names import usual
from lstm_export.importing.layers.layers import UNKNOWN
from lstm_export.importing.shapes import op_of, tensors_of


def given_states(case: Case) -> Iterator[Alternative]:
    """One recurrent layer takes one or two of the arrays, those with usual names first."""
    layers = case.layers
    for index in recurrent_steps(layers):
        step = case.description.steps[index]
        if "initial_h" in step.options.get("takes", ()):
            continue
        axes = [case.axes[name] for name in step.inputs]
        wanted = op_of(step).axes(step, tensors_of(step, case.weights.tensors), axes)[1:]
        roles = ("initial_h", "initial_c")[: len(wanted)]
        fitting = [
            [key for key in case.expected.extra if _fits(case, key, found)] for found in wanted
        ]
        for keys in _pairs(fitting, roles):
            more, added, named = layers, dict[str, Values](), dict[str, str]()
            for role, key in zip(roles, keys, strict=True):
                name = key
                if not can_be_named(key):
                    name = free_name(more, f"{role[-1]}0")
                    added[name] = case.expected.extra[key]
                more = with_input(more, Input(name, "state", (UNKNOWN, "batch", UNKNOWN)))
                named[role] = name
            steps = list(more.steps)
            steps[index] = taking(steps[index], **named)
            sentence = f"{called(layers, index)} starts from {' and '.join(keys)}, not from zeros"
            yield Alternative(sentence, replace(more, steps=tuple(steps)), f"start {index}", added)


def _fits(case: Case, key: str, axes: tuple[str | int, ...]) -> bool:
    if key in case.axes or not (can_be_named(key) or usual(key, "initial_h")):
        return False
    try:
        array, _ = fitted(Input(key, "state", axes), case.expected.extra[key], "")
    except InputError:
        return False
    return bool(array.shape[1] == case.sizes.get("batch"))


def _pairs(fitting: list[list[str]], roles: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    named = [
        sorted(keys, key=lambda key, role=role: not usual(key, role))  # type: ignore[misc]
        for keys, role in zip(fitting, roles, strict=True)
    ]
    if len(named) == 1:
        yield from ((key,) for key in named[0])
        return
    yield from ((h, c) for h in named[0] for c in named[1] if h != c)
