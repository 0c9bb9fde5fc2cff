"""Which axis is time: sequences first or steps first, for the recurrence, the step, the outputs.

nn.LSTM reads (sequence_length, batch, features) unless told otherwise. A model may be fed so on
purpose, or take its input (batch, sequence_length, features) for that by mistake, and a head that
reads out[:, -1] then takes the last of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from lstm_export.importing.description import Input, Step
from lstm_export.importing.expect.alternatives.alternative import (
    RECURRENT,
    STEP_OPS,
    Alternative,
    step_ops,
)
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import inserted
from lstm_export.importing.layers.layers import Layers

_NAMES = {"batch": "sequence_length", "sequence_length": "batch"}


def time_axis(case: Case) -> Iterator[Alternative]:
    """Everything the other way round; the recurrence alone; the step alone; the outputs."""
    layers = case.layers
    first = all(
        step.options.get("batch_first", True) for step in layers.steps if step.op in RECURRENT
    )
    now = "(sequence_length, batch, …)" if first else "(batch, sequence_length, …)"
    yield Alternative(
        f"the sequences are {now}, {'steps' if first else 'the batch'} first",
        _turned(layers, (*RECURRENT, *STEP_OPS), inputs=True),
        "time axis",
    )
    if step_ops(layers):
        yield Alternative(
            f"the recurrent layers read {now}, but the step is taken along the other axis, as "
            f"{'out[:, -1]' if first else 'out[-1]'} does: probably a mistake in the original "
            "model, which then mixes the sequences of a batch",
            _turned(layers, RECURRENT, inputs=True),
            "time axis",
        )
        yield Alternative(
            f"the step is taken along axis {0 if first else 1}, as "
            f"{'out[-1]' if first else 'out[:, -1]'} does: probably a mistake in the original "
            "model, which then gives an answer for each step of one sequence",
            _turned(layers, STEP_OPS, inputs=False),
            "time axis",
        )
    for name in layers.outputs:
        index = next((i for i, step in enumerate(layers.steps) if name in step.outputs), None)
        if (
            index is not None
            and len(case.axes[name]) == 3
            and layers.steps[index].outputs[0] == name
        ):
            yield Alternative(
                f"the axes of {name} are turned: steps first where the batch was, or the other way",
                inserted(layers, index, "time_major", {}),
                f"axes of {name}",
            )


def _turned(layers: Layers, ops: tuple[str, ...], *, inputs: bool) -> Layers:
    def step(each: Step) -> Step:
        if each.op not in ops:
            return each
        options = dict(each.options)
        if options.pop("batch_first", True):
            options["batch_first"] = False
        return replace(each, options=options)

    def given(each: Input) -> Input:
        if each.kind not in ("floats", "ids") or len(each.axes) < 2:
            return each
        axes = tuple(
            _NAMES.get(axis, axis) if isinstance(axis, str) else axis for axis in each.axes
        )
        # A fixed number of steps stands beside the batch: they change places.
        if "batch" in each.axes and "sequence_length" not in each.axes:
            axes = (each.axes[1], each.axes[0], *each.axes[2:])
        sequence = {"batch", "sequence_length"} & set(each.axes) and len(each.axes) - (
            each.kind == "floats"
        ) == 2
        return replace(each, axes=axes) if sequence else each

    changed: Callable[[Input], Input] = given if inputs else lambda each: each
    return Layers(
        tuple(changed(each) for each in layers.inputs),
        tuple(step(each) for each in layers.steps),
        layers.outputs,
    )
