"""The proposal of a file that describes its layers itself: one after the other, as they stand."""

from __future__ import annotations

from collections.abc import Sequence

from lstm_export.errors import CheckpointError
from lstm_export.importing.description import Input, Step
from lstm_export.importing.infer.flow_text import OUTPUT
from lstm_export.importing.infer.group import RECURRENT, option_text, prefix_text
from lstm_export.importing.infer.proposal import Proposal
from lstm_export.importing.raw import RawFile, RawLayer

# Layers that add the model's own input to what they read.
_OVER_INPUT = ("skip",)
# Where the width of a layer's input stands, by layout and role: the axis of that tensor.
_WIDTHS = {"weight_ih_l0": 1, "weight_ih": 1, "kernel": -2, "weight": 1}


def from_layers(raw: RawFile, layers: Sequence[RawLayer]) -> Proposal:
    """Raises CheckpointError if no layer is recurrent or one names a tensor that is not there."""
    if not any(layer.kind in RECURRENT for layer in layers):
        kinds = ", ".join(layer.kind for layer in layers) or "none"
        raise CheckpointError(
            f"{raw.path} holds no recurrent layer: expected an LSTM, GRU or RNN among its layers; "
            f"they are {kinds}"
        )
    for layer in layers:
        for role, name in layer.tensors.items():
            if name not in raw.tensors:
                raise CheckpointError(
                    f"{raw.path}: the {role} of {layer.name or layer.kind} should be {name}, which "
                    "is not in the file"
                )
    steps: list[Step] = []
    value = "x"
    for index, layer in enumerate(layers):
        result = OUTPUT if index == len(layers) - 1 else f"_{index}"
        reads = (value, "x") if layer.kind in _OVER_INPUT else (value,)
        name = "" if layer.name == layer.kind else layer.name
        steps.append(
            Step(layer.kind, reads, (result,), name, layer.options, layer.tensors, layer.layout)
        )
        value = result
    text = ", ".join(_text(layer) for layer in layers)
    return Proposal(text, (_input(raw, layers[0]),), tuple(steps), (value,), ())


def _input(raw: RawFile, first: RawLayer) -> Input:
    axes: tuple[str | int, ...] = ("batch", "sequence_length")
    if first.kind == "embedding":
        return Input("x", "ids", axes)
    for role, axis in _WIDTHS.items():
        if role in first.tensors:
            array = raw.tensors[first.tensors[role]]
            if array.ndim < 2:
                break
            width = int(array.shape[axis])
            if first.layout == "nam":  # input and state stand beside each other
                width -= int(array.shape[0]) // 4
            if first.kind == "conv1d":
                width *= int(first.options.get("groups", 1))
            return Input("x", "floats", (*axes, width))
    return Input("x", "floats", (*axes, "features"))


def _text(layer: RawLayer) -> str:
    name = "" if layer.name == layer.kind else layer.name
    options = option_text(layer.options)
    if layer.kind in _OVER_INPUT:
        options = f"(x, {options[1:]}" if options else "(x)"
    return prefix_text(name) + layer.kind + options
