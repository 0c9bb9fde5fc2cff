"""Which step of a sequence the head reads: another one, a summary, or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lstm_export.importing.expect.alternatives.activations import ACTIVATIONS
from lstm_export.importing.expect.alternatives.alternative import (
    Alternative,
    called,
    recurrent_steps,
    step_ops,
)
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import inserted, removed, swapped
from lstm_export.importing.layers.layers import Layers

SAID = {
    "last": "the last step",
    "first": "the first step",
    "mean": "the mean of all steps",
    "max": "the maximum of all steps",
}


def which_step(case: Case) -> Iterator[Alternative]:
    """Instead of the step that is taken; where none is, behind the last recurrent layer and behind
    the outputs."""
    layers = case.layers
    places = step_ops(layers)
    for index in places:
        options = _axis(layers.steps[index].options)
        place = f"step {called(layers, index)}"
        for op, said in SAID.items():
            if op != layers.steps[index].op:
                other = swapped(layers, index, op, options)
                yield Alternative(f"the head reads {said}", other, place)
        whole = removed(layers, index)
        if whole is not None:
            yield Alternative("the head reads every step", whole, place)
            if index < len(layers.steps) - 1:
                for op in _behind(layers):
                    yield Alternative(
                        f"{SAID[op]} is taken behind the head, not before it",
                        inserted(whole, len(whole.steps) - 1, op, options),
                        place,
                    )
    if not places and recurrent_steps(layers):
        last = recurrent_steps(layers)[-1]
        options = _axis(layers.steps[last].options)
        for op, said in SAID.items():
            yield Alternative(f"{said} alone goes on", inserted(layers, last, op, options), "step")
        if last < len(layers.steps) - 1:
            for op in _behind(layers):
                behind = inserted(layers, len(layers.steps) - 1, op, options)
                yield Alternative(f"{SAID[op]} is taken behind the head", behind, "step")


def _behind(layers: Layers) -> tuple[str, ...]:
    """What comes out differently behind the head: a mean does not where all of it is linear."""
    curved = any(step.op in ACTIVATIONS for step in layers.steps)
    return ("mean", "max") if curved else ("max",)


def _axis(options: Any) -> dict[str, Any]:
    return {"batch_first": False} if options.get("batch_first", True) is False else {}
