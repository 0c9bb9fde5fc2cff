"""The head reads final states, not a step of what the recurrent layer gives.

In one direction the final h is the last step. In two it is not: the second direction ends at the
first step. Layers on top of each other have a final state each, and an LSTM has c beside h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lstm_export.importing.description import Step
from lstm_export.importing.expect.alternatives.alternative import (
    Alternative,
    called,
    recurrent_steps,
    step_ops,
)
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import free_name, renamed, renumbered
from lstm_export.importing.layers.layers import Layers
from lstm_export.importing.ops.recurrent_weights import recurrence
from lstm_export.importing.shapes import tensors_of


def final_states(case: Case) -> Iterator[Alternative]:
    """Rows of the last recurrent layer's h, and of an LSTM's c: (layers · directions, batch, …)."""
    layers = case.layers
    places = recurrent_steps(layers)
    if not places:
        return
    index = places[-1]
    step = case.description.steps[index]
    sizes = recurrence(step, tensors_of(step, case.weights.tensors))
    rows = len(sizes.layers) * sizes.directions
    packed = "lengths" in step.options.get("takes", ())
    name = called(layers, index)
    said = f"the head reads the final state h of {name}"
    readings: list[tuple[str, str, tuple[int, ...]]] = []
    if sizes.directions == 2:
        readings += [
            (f"{said} in both directions, forward first", "h", (rows - 2, rows - 1)),
            (f"{said} in both directions, backward first", "h", (rows - 1, rows - 2)),
            (f"{said}, forward", "h", (rows - 2,)),
            (f"{said}, backward", "h", (rows - 1,)),
        ]
    elif packed:
        readings.append((said, "h", (rows - 1,)))
    if len(sizes.layers) > 1:
        order = tuple(range(rows))
        readings += [
            (f"{said}, of all its layers side by side", "h", order),
            (f"{said}, of its first layer", "h", order[: sizes.directions]),
        ]
    if step.op == "lstm":
        top = tuple(range(rows - sizes.directions, rows))
        readings.append((f"the head reads the final c of {name}, not h", "c", top))
    for sentence, state, picked in readings:
        yield Alternative(sentence, _reading(layers, index, state, picked), "step")


def _reading(layers: Layers, index: int, state: str, rows: Sequence[int]) -> Layers:
    """The rows of `state` side by side in place of the step that was taken, or of every step."""
    step = layers.steps[index]
    outputs = list(step.outputs)
    old = outputs[0]
    for wish in ("y", "h", "c")[len(outputs) :]:
        outputs.append(free_name(replace(layers, steps=(*layers.steps, _naming(outputs))), wish))
    taken = next((i for i in step_ops(layers) if layers.steps[i].inputs[0] == old), None)
    outputs[0] = free_name(replace(layers, steps=(*layers.steps, _naming(outputs))), "y")
    outputs = outputs[: 2 if state == "h" else 3]
    result = old if taken is None else layers.steps[taken].outputs[0]
    values = outputs[1 if state == "h" else 2]
    picked = [result] if len(rows) == 1 else [free_name(layers, f"{values}_{n}") for n in rows]
    added = [
        Step("pick", (values,), (name,), "", {"index": row})
        for row, name in zip(rows, picked, strict=True)
    ]
    if len(rows) > 1:
        added.append(Step("concat", tuple(picked), (result,)))
    made = replace(step, outputs=tuple(outputs))
    if taken is None:
        following = list(layers.steps[index + 1 :])
    else:
        following = [
            renamed(each, old, outputs[0])
            for place, each in enumerate(layers.steps[index + 1 :], start=index + 1)
            if place != taken
        ]
    return renumbered(replace(layers, steps=(*layers.steps[:index], made, *added, *following)))


def _naming(outputs: Sequence[str]) -> Step:
    return Step("all", (), tuple(outputs))
