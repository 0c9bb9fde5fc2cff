"""Padded sequences: what is read is the last step before the padding, or a summary of those."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lstm_export.importing.description import Input
from lstm_export.importing.expect.alternatives.alternative import (
    RECURRENT,
    Alternative,
    recurrent_steps,
    step_ops,
)
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import (
    can_be_named,
    free_name,
    inserted,
    not_taking,
    removed,
    taking,
    with_input,
)
from lstm_export.importing.expect.expected import Values
from lstm_export.importing.expect.lengths import counted
from lstm_export.importing.expect.names import usual
from lstm_export.importing.layers.layers import Layers

_SAID = {
    "last_valid": "the head reads the last valid step of each sequence",
    "mean": "the head reads the mean of the valid steps",
    "max": "the head reads the maximum of the valid steps",
}


def valid_steps(case: Case) -> Iterator[Alternative]:
    """With lengths that the layers take already, that the file has beside the inputs, or that the
    zeros at the ends of its sequences tell."""
    layers = case.layers
    name = next((each.name for each in layers.inputs if each.kind == "lengths"), None)
    added, where = dict[str, Values](), ""
    if name is None:
        if (source := _lengths(case)) is None:
            return
        name, added, where = source
        layers = with_input(layers, Input(name, "lengths", ("batch",)))
    for sentence, other in _readings(layers, name, _is_two_way(case)):
        yield Alternative(sentence + where, other, "lengths", added)


def _readings(layers: Layers, name: str, two_way: bool) -> Iterator[tuple[str, Layers]]:
    last = recurrent_steps(layers)[-1:]
    taken = step_ops(layers)[-1:]
    for index in taken or last:
        for op, sentence in _SAID.items():
            more, at = (layers, index) if taken else (inserted(layers, index, op, {}), index + 1)
            steps = list(more.steps)
            options = {k: v for k, v in steps[at].options.items() if k == "batch_first"}
            bare = replace(not_taking(steps[at], "lengths"), op=op, options=options)
            steps[at] = taking(bare, lengths=name)
            ended = replace(more, steps=tuple(steps))
            yield sentence, ended
            # One way alone, what lies behind an end changes nothing before it.
            if two_way:
                yield f"{sentence}, and the recurrent layer stops there", _packed(ended, name)
    packed = _packed(layers, name)
    yield "the recurrent layer stops at each sequence's end", packed
    for index in taken:
        if (every := removed(packed, index)) is not None:
            yield "the head reads every step, zeros behind each sequence's end", every
    for index in recurrent_steps(layers):
        if "lengths" in layers.steps[index].options.get("takes", ()):
            steps = list(layers.steps)
            steps[index] = not_taking(steps[index], "lengths")
            yield (
                "the recurrent layer runs over the padding too",
                replace(layers, steps=tuple(steps)),
            )


def _is_two_way(case: Case) -> bool:
    steps = [case.description.steps[i] for i in recurrent_steps(case.layers)]
    return any(role.endswith("_reverse") for step in steps for role in step.tensors)


def _packed(layers: Layers, name: str) -> Layers:
    steps = tuple(
        taking(step, lengths=name) if step.op in RECURRENT else step for step in layers.steps
    )
    return replace(layers, steps=steps)


def _lengths(case: Case) -> tuple[str, dict[str, Values], str] | None:
    """The input to declare, its array where the file has none, and the words that tell of it."""
    for key, array in case.expected.extra.items():
        whole = array.dtype.kind in "iu" and array.size == case.sizes.get("batch")
        if usual(key, "lengths") and whole:
            said = f" ({key} in {case.expected.source})"
            if can_be_named(key):
                return key, {}, said
            # `lengths` is a word of the layer string; an array of that name is found as any other.
            return (name := free_name(case.layers, "n")), {name: array}, said
    for each in case.description.inputs:
        if each.kind not in ("floats", "ids"):
            continue
        found = counted(each, case.feeds[each.name])
        if found is not None and (found < case.sizes["sequence_length"]).any():
            name = free_name(case.layers, "n")
            said = ", ".join(map(str, found[:8].tolist())) + ", …" * (found.size > 8)
            return name, {name: found}, f" ({name} counted from the zeros at the ends: {said})"
    return None
