"""A layer's input added to what it gives, which shapes permit where both are of one size."""

from __future__ import annotations

from collections.abc import Iterator

from lstm_export.importing.expect.alternatives.alternative import RECURRENT, Alternative, called
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import inserted


def residual(case: Case) -> Iterator[Alternative]:
    """Around each recurrent and linear layer that keeps its number of features."""
    for index, step in enumerate(case.layers.steps):
        value = step.inputs[0]
        if step.op not in (*RECURRENT, "linear"):
            continue
        if case.axes[value] == case.axes[step.outputs[0]]:
            more = inserted(case.layers, index, "add", {}, value)
            sentence = f"what {called(case.layers, index)} reads is added to what it gives"
            yield Alternative(sentence, more, f"residual {index}")
