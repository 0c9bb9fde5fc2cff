"""Layers and tensors together: which tensor plays which role, and the sizes that follow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lstm_export.errors import CheckpointError
from lstm_export.importing.description import Description, Input, Step
from lstm_export.importing.layers.layers import UNKNOWN, Layers
from lstm_export.importing.ops.op import Axes, label
from lstm_export.importing.ops.recurrent_weights import recurrence
from lstm_export.importing.ops.registry import OPS
from lstm_export.importing.raw import Array, RawLayer
from lstm_export.importing.shapes import op_of, shapes, tensors_of


def bind(
    layers: Layers, tensors: Mapping[str, Array], declared: Iterable[RawLayer] = ()
) -> Description:
    """The description of `layers` over `tensors`, whose names begin with the layers' prefixes.

    A prefix that is the name of a `declared` layer has that layer's tensors and layout; other
    layers have torch's. Sizes of inputs that the string leaves open are those that the first layer
    behind them asks for. Raises CheckpointError for a layer that has no tensors, for shapes that
    do not fit, and for a size that nothing says.
    """
    raw = {each.name: each for each in declared}
    steps = tuple(_with_tensors(step, tensors, raw) for step in layers.steps)
    description = Description(layers.inputs, steps, layers.outputs, tensors)
    description = replace(description, inputs=_sized(description))
    for each in description.inputs:
        if UNKNOWN in each.axes:
            example = f"{each.name}:{each.kind}(size=3)"
            raise CheckpointError(
                f"no tensor says how many features the input {each.name} has: expected its size, "
                f"as in {example}"
            )
    shapes(description)
    return description


def unused(description: Description) -> tuple[str, ...]:
    """Tensors that no step has, in the file's order."""
    used = {name for step in description.steps for name in step.tensors.values()}
    return tuple(name for name in description.tensors if name not in used)


def _with_tensors(step: Step, tensors: Mapping[str, Array], raw: Mapping[str, RawLayer]) -> Step:
    if step.op not in OPS or not OPS[step.op].roles:
        return step
    prefix = step.name or step.op
    if prefix in raw:
        return replace(step, tensors=dict(raw[prefix].tensors), layout=raw[prefix].layout)
    pattern = re.compile("|".join(OPS[step.op].roles[step.layout]))
    found = {}
    for name in tensors:
        role = name[len(prefix) :].lstrip("./") if name.startswith(prefix) else ""
        if name in (f"{prefix}.{role}", f"{prefix}/{role}") and pattern.fullmatch(role):
            found[role] = name
    if not found:
        begins = sorted({name.rpartition(".")[0] for name in tensors} - {""})
        known = ", ".join(begins[:20]) or ", ".join(list(tensors)[:20]) or "none"
        raise CheckpointError(
            f"{label(step)} ({step.op}): expected tensors that begin with {prefix}. and end as a "
            f"{step.op}'s do; the file has {known}{', …' * (len(begins) > 20)}"
        )
    return replace(step, tensors=found)


def _sized(description: Description) -> tuple[Input, ...]:
    """The inputs with the sizes that tensors say: a state's those of the step that takes it, and
    features those that the first weights behind them want."""
    sizes: dict[str, Axes] = {}
    for step in description.steps:
        if step.op not in ("lstm", "gru", "rnn"):
            continue
        from_weights = _state_sizes(step, description.tensors)
        takes = step.options.get("takes", ())
        further = step.inputs[len(step.inputs) - len(takes) :]
        for role, name in zip(takes, further, strict=True):
            if role in from_weights:
                sizes.setdefault(name, from_weights[role])
    found = []
    for each in description.inputs:
        if each.kind == "state" and each.name in sizes:
            rows, size = sizes[each.name][0], sizes[each.name][2]
            given = (each.axes[0], each.axes[2])
            axes = (
                rows if given[0] == UNKNOWN else given[0],
                "batch",
                size if given[1] == UNKNOWN else given[1],
            )
            found.append(replace(each, axes=axes))
        elif each.kind == "floats" and each.axes[-1] == UNKNOWN:
            found.append(_through(each, description))
        else:
            found.append(each)
    return tuple(found)


def _state_sizes(step: Step, tensors: Mapping[str, Array]) -> dict[str, Axes]:
    sizes = recurrence(step, tensors_of(step, tensors))
    rows = len(sizes.layers) * sizes.directions
    return {
        "initial_h": (rows, "batch", sizes.state_size),
        "initial_c": (rows, "batch", sizes.hidden_size),
    }


def _through(each: Input, description: Description) -> Input:
    """`each` by the first step with weights behind steps that keep the number of features."""
    names = {each.name}
    for step in description.steps:
        if step.inputs[0] not in names:
            continue
        op = op_of(step)
        size = op.input_size(step, tensors_of(step, description.tensors))
        if size is not None:
            return replace(each, axes=(*each.axes[:-1], size))
        if op.keeps and step.options.get("channels") != "first":
            names.update(step.outputs)
    return each
