"""A layer's input added to what it gives, which shapes permit where both are of one size."""

from __future__ import annotations

from collections.abc import Iterator

from lstm_export.importing.expect.alternatives.alternative import RECURRENT, Alternative, called
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import inserted


def residual(case: Case) -> Iterator[Alternative]:
    """The model's input on its output; and around each layer that keeps its number of features."""
    steps = case.layers.steps
    for name in case.layers.outputs:
        index = next((i for i, step in enumerate(steps) if step.outputs[0] == name), None)
        for each in case.layers.inputs:
            if (
                index is not None
                and case.axes[each.name] == case.axes[name]
                and each.kind == "floats"
            ):
                more = inserted(case.layers, index, "add", {}, each.name)
                yield Alternative(f"the input {each.name} is added to {name}", more, f"end {name}")
    for index, step in enumerate(case.layers.steps):
        value = step.inputs[0]
        if step.op not in (*RECURRENT, "linear"):
            continue
        if case.axes[value] == case.axes[step.outputs[0]]:
            more = inserted(case.layers, index, "add", {}, value)
            sentence = f"what {called(case.layers, index)} reads is added to what it gives"
            yield Alternative(sentence, more, f"residual {index}")
