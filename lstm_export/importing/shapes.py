"""The axes of every value of a description, and with that all checks of shapes."""

from __future__ import annotations

from collections.abc import Mapping

from lstm_export.errors import CheckpointError
from lstm_export.importing.description import Description, Step
from lstm_export.importing.ops.op import Axes, Op, label
from lstm_export.importing.ops.registry import OPS
from lstm_export.importing.raw import Array


def op_of(step: Step) -> Op:
    """The op of `step`; raises CheckpointError if there is none, or not in its layout."""
    if step.op not in OPS:
        raise CheckpointError(f"{label(step)}: there is no op {step.op}; known: {', '.join(OPS)}")
    op = OPS[step.op]
    if op.roles and step.layout not in op.roles:
        known = ", ".join(op.roles)
        raise CheckpointError(
            f"{label(step)}: expected {step.op} in one of the layouts {known}, got {step.layout}"
        )
    return op


def tensors_of(step: Step, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The raw tensors of `step` by role; raises CheckpointError for one that is not there."""
    for role, name in step.tensors.items():
        if name not in tensors:
            raise CheckpointError(
                f"{label(step)} ({step.op}): {role} is to be {name}: no such tensor"
            )
    return {role: tensors[name] for role, name in step.tensors.items()}


def shapes(description: Description) -> dict[str, Axes]:
    """Axes by value, inputs included.

    Raises CheckpointError for the first step whose tensors, options or inputs do not fit, and for
    an output that no step gives.
    """
    known: dict[str, Axes] = {each.name: each.axes for each in description.inputs}
    for step in description.steps:
        if missing := [name for name in step.inputs if name not in known]:
            raise CheckpointError(f"{label(step)} ({step.op}): nothing gives {missing[0]}")
        inputs = [known[name] for name in step.inputs]
        found = op_of(step).axes(step, tensors_of(step, description.tensors), inputs)
        if len(step.outputs) > len(found):
            raise CheckpointError(
                f"{label(step)} ({step.op}): expected at most {len(found)} outputs, "
                f"got {', '.join(step.outputs)}"
            )
        # A step may name fewer values than its op gives: the final states are often left.
        known.update(zip(step.outputs, found, strict=False))
    if missing := [name for name in description.outputs if name not in known]:
        raise CheckpointError(f"the output {missing[0]} is no input and no value of a step")
    return known
