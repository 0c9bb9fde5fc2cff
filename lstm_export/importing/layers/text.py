"""Layers as a layer string: the inverse of `grammar.parse`."""

from __future__ import annotations

from typing import Any

from lstm_export.importing.description import Input, Step
from lstm_export.importing.layers.assemble import OUTPUT
from lstm_export.importing.layers.layers import UNKNOWN, Layers, unnamed
from lstm_export.importing.layers.tokens import WORD
from lstm_export.importing.ops.registry import OPS


def to_text(layers: Layers) -> str:
    """One line that reads back as `layers`.

    Sequences are written with commas; an input is declared where its default would not do.
    """
    statements = []
    default = _default_input(layers)
    if not default:
        statements += [_declaration(each) for each in layers.inputs]
    sequences = [each.name for each in layers.inputs if each.kind in ("floats", "ids")]
    only = sequences[0] if len(sequences) == 1 else None
    index = 0
    while index < len(layers.steps):
        step = layers.steps[index]
        begins = step.inputs[0]
        if OPS[step.op].joins:
            parts = [_layer(step, step.inputs)]
        elif begins == only:
            parts = [_layer(step, ())]
        else:
            parts = [begins, _layer(step, ())]
        while _goes_on(layers, index):
            index += 1
            step = layers.steps[index]
            joined = step.inputs[1:] if OPS[step.op].joins else ()
            parts.append(_layer(step, joined))
        flow = ", ".join(parts)
        last = index == len(layers.steps) - 1
        plain = last and step.outputs == (OUTPUT,) and layers.outputs == (OUTPUT,)
        statements.append(flow if plain else f"{', '.join(step.outputs)} = {flow}")
        index += 1
    if layers.outputs != layers.steps[-1].outputs:
        statements.append(f"return {', '.join(layers.outputs)}")
    return "; ".join(statements)


def _goes_on(layers: Layers, index: int) -> bool:
    """Whether the next step is the only one that reads this one's value, which has no name."""
    if index + 1 >= len(layers.steps) or layers.steps[index].outputs != (unnamed(index),):
        return False
    value, following = unnamed(index), layers.steps[index + 1]
    readers = sum(step.inputs.count(value) for step in layers.steps)
    return following.inputs[0] == value and readers == 1 and value not in layers.outputs


def _default_input(layers: Layers) -> bool:
    """Whether the inputs are those that a string without a declaration gets."""
    first = layers.steps[0]
    if OPS[first.op].joins or first.inputs != ("x",):
        return False
    ids = Input("x", "ids", ("batch", "sequence_length"))
    floats = Input("x", "floats", ("batch", "sequence_length", UNKNOWN))
    return layers.inputs == ((ids if first.op == "embedding" else floats),)


def input_options(each: Input) -> dict[str, Any]:
    """The options that declare an input of these axes."""
    axes, said = each.axes, dict[str, Any]()
    if each.kind == "state":
        said = {"rows": axes[0], "size": axes[2]}
    elif each.kind in ("floats", "ids"):
        rest = axes[:-1] if each.kind == "floats" else axes
        if each.kind == "floats":
            said["size"] = axes[-1]
        steps = [axis for axis in rest if axis != "batch"]
        if not steps:
            said["steps"] = False
        elif isinstance(steps[0], int):
            said["steps"] = steps[0]
        if "batch" not in rest:
            said["batch"] = False
        if len(rest) == 2 and rest[1] == "batch":
            said["time_major"] = True
    return {key: value for key, value in said.items() if value != UNKNOWN}


def _declaration(each: Input) -> str:
    written = [f"{key}={_value(value)}" for key, value in input_options(each).items()]
    return f"{each.name}:{each.kind}" + (f"({', '.join(written)})" if written else "")


def _layer(step: Step, values: tuple[str, ...]) -> str:
    takes = step.options.get("takes", ())
    further = step.inputs[len(step.inputs) - len(takes) :] if takes else ()
    written = [
        *values,
        *(f"{key}={value}" for key, value in zip(takes, further, strict=True)),
        *(f"{key}={_value(value)}" for key, value in step.options.items() if key != "takes"),
    ]
    options = f"({', '.join(written)})" if written else ""
    return f"{_prefix(step.name)}:{step.op}{options}" if step.name else f"{step.op}{options}"


def _prefix(name: str) -> str:
    """A prefix as it is, or quoted where it would not read back as one word."""
    return name if WORD.fullmatch(name) and name != "return" else f'"{name}"'


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return repr(value) if isinstance(value, float) else str(value)
