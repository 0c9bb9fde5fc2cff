"""Layers whose recurrent states are inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.description import Description, Input, Step
from lstm_export.importing.expect.alternatives.alternative import recurrent_steps
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import free_name, renamed, taking
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.layers.layers import UNKNOWN, Layers
from lstm_export.importing.layers.text import to_text


@dataclass(frozen=True, slots=True)
class Stateful:
    """`states` gives for each final state, an output, the input that it goes on as; `roles` for
    each such input the tensor by which a file would hold it."""

    text: str
    description: Description
    states: dict[str, str]
    roles: dict[str, str]

    def shape(self, name: str, batch: int) -> tuple[int, ...]:
        """Of a state that goes in: (layers · directions, batch, size)."""
        axes = next(each.axes for each in self.description.inputs if each.name == name)
        return tuple(batch if axis == "batch" else int(axis) for axis in axes)


def stateful(case: Case) -> Stateful | None:
    """The layers of `case` with every state in and out; None where some are inputs already."""
    layers, states, roles = case.layers, dict[str, str](), dict[str, str]()
    places = recurrent_steps(layers)
    for number, index in enumerate(places):
        step = layers.steps[index]
        if "initial_h" in step.options.get("takes", ()):
            return None
        end = f"_{number}" if len(places) > 1 else ""
        outputs, given = list(step.outputs), dict[str, str]()
        if outputs[0].startswith("_"):
            outputs[0] = free_name(layers, f"y{end}")
        for place, word in enumerate(("h", "c")[: 2 if step.op == "lstm" else 1], start=1):
            name = free_name(layers, f"{word}0{end}")
            given[f"initial_{word}"] = name
            if len(outputs) <= place:
                outputs.append(free_name(layers, f"final_{word}{end}"))
            states[outputs[place]] = name
            roles[name] = f"{step.name or step.op}.initial_{word}"
        layers = _with_states(layers, index, outputs, given)
    layers = replace(layers, outputs=tuple(dict.fromkeys((*layers.outputs, *states))))
    text = to_text(layers)
    try:
        description = bind(parse(text), case.weights.tensors, case.weights.declared)
    except (CheckpointError, OptionError):
        return None
    return Stateful(text, description, states, roles)


def _with_states(layers: Layers, index: int, outputs: list[str], given: dict[str, str]) -> Layers:
    before = layers.steps[index]
    steps: list[Step] = [renamed(step, before.outputs[0], outputs[0]) for step in layers.steps]
    steps[index] = replace(taking(before, **given), outputs=tuple(outputs))
    inputs = [Input(name, "state", (UNKNOWN, "batch", UNKNOWN)) for name in given.values()]
    named = tuple(outputs[0] if n == before.outputs[0] else n for n in layers.outputs)
    return Layers((*layers.inputs, *inputs), tuple(steps), named)
