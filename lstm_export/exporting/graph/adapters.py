"""Operators whose form or meaning differs between ONNX opset 18 and another.

Up to opset 23 nearly every change of an operator admits further types, or adds an attribute whose
default is the old behaviour: such nodes stay as they are, and the others are in UP, by operator and
the opset that changed it. Down to 17, every operator that opset 18 brought or changed is in DOWN,
or has no form there. The changes are in https://github.com/onnx/onnx/blob/main/docs/Changelog.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir import tape

from lstm_export.errors import ExportError


@dataclass(frozen=True)
class Recorder:
    """Records what replaces a node; constants become initializers of the main graph."""

    main: ir.Graph
    tape: tape.Tape = field(default_factory=tape.Tape)

    def op(self, op_type: str, inputs: Sequence[ir.Value | None], **attributes: Any) -> ir.Value:
        """One node with one output."""
        return self.tape.op(op_type, inputs, attributes)

    def integers(self, values: int | Sequence[int]) -> ir.Value:
        """A constant int64 scalar or vector."""
        array, number = np.array(values, np.int64), 0
        while (name := f"tensor_opset_{number}") in self.main.initializers:
            number += 1
        value = self.tape.initializer(ir.tensor(array), name=name)
        self.main.register_initializer(value)
        return value


Adapter = Callable[[ir.Node, Recorder], Sequence[ir.Value] | None]
"""Gives the values that replace a node's outputs, None where it stays, its attributes perhaps
changed. Raises ExportError where the other opset has no form for it."""


def constant(value: ir.Value | None) -> list[int] | None:
    """The integers that `value` always holds, None where they are not known."""
    if value is None:
        return None
    known, producer = value.const_value, value.producer()
    if known is None and producer is not None and producer.op_type == "Constant":
        attribute = producer.attributes.get("value") or producer.attributes.get("value_ints")
        if attribute is not None and attribute.type == ir.AttributeType.INTS:
            return list(attribute.as_ints())
        known = attribute.as_tensor() if attribute is not None else None
    return None if known is None else [int(item) for item in known.numpy().ravel()]


def _attributes(node: ir.Node) -> dict[str, Any]:
    return {name: attribute.value for name, attribute in node.attributes.items()}


def _input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _refusal(node: ir.Node, what: str, opset: int) -> ExportError:
    return ExportError(
        f"{node.op_type} {what} has no form in opset {opset}: ask for opset_version=18"
    )


def _dft_up(node: ir.Node, to: Recorder) -> Sequence[ir.Value]:
    attributes = _attributes(node)
    axis = to.integers(attributes.pop("axis", 1))  # left out it would now mean -2
    return [to.op("DFT", [node.inputs[0], _input(node, 1), axis], **attributes)]


def _grid_sample_up(node: ir.Node, to: Recorder) -> None:
    renamed = {"bilinear": "linear", "bicubic": "cubic"}
    if (mode := node.attributes.get("mode")) is not None:
        text = mode.as_string()
        node.attributes["mode"] = ir.AttrString("mode", renamed.get(text, text))


def _group_normalization_up(node: ir.Node, to: Recorder) -> None:
    raise _refusal(node, "with one scale per group", 21)


def _reduce_down(node: ir.Node, to: Recorder) -> Sequence[ir.Value]:
    attributes = _attributes(node)
    keep_all = attributes.pop("noop_with_empty_axes", 0)
    axes = _input(node, 1)
    known = constant(axes)
    if axes is not None and known is None:
        raise _refusal(node, "over axes that are computed", 17)
    if known:
        attributes["axes"] = known
    elif keep_all:
        return [to.op("Identity", [node.inputs[0]])]
    return [to.op(node.op_type, [node.inputs[0]], **attributes)]


def _split_down(node: ir.Node, to: Recorder) -> Sequence[ir.Value] | None:
    attributes = _attributes(node)
    parts = attributes.pop("num_outputs", None)
    if parts is None:
        return None
    # All parts are as long as the first, the last one takes what is left: opset 17 has no word
    # for it, and the axis may be dynamic.
    x, axis = node.inputs[0], attributes.get("axis", 0)
    size = to.op("Gather", [to.op("Shape", [x]), to.integers([axis])], axis=0)
    rounded = to.op("Add", [size, to.integers([parts - 1])])
    first = to.op("Div", [rounded, to.integers([parts])])
    others = to.op("Mul", [first, to.integers([parts - 1])])
    sizes = to.op("Concat", [*[first] * (parts - 1), to.op("Sub", [size, others])], axis=0)
    return to.tape.op_multi_out("Split", [x, sizes], attributes, num_outputs=parts)


def _pad_down(node: ir.Node, to: Recorder) -> Sequence[ir.Value] | None:
    axes = _input(node, 3)
    if axes is None:
        return None
    # The pads of all axes are zeros with those given scattered into them.
    x, pads, value = node.inputs[0], node.inputs[1], _input(node, 2)
    rank = to.op("Shape", [to.op("Shape", [x])])
    axes = to.op("Cast", [axes], to=ir.DataType.INT64)
    before = to.op("Mod", [to.op("Add", [axes, rank]), rank])
    places = to.op("Concat", [before, to.op("Add", [before, rank])], axis=0)
    zeros = to.op(
        "ConstantOfShape",
        [to.op("Mul", [rank, to.integers([2])])],
        value=ir.tensor(np.zeros(1, np.int64)),
    )
    all_pads = to.op("ScatterElements", [zeros, places, pads], axis=0)
    return [to.op("Pad", [x, all_pads, value], **_attributes(node))]


def _without(**neutral: Any) -> Adapter:
    """For operators to which opset 18 added attributes: they must be absent or neutral."""

    def adapt(node: ir.Node, to: Recorder) -> None:
        for name, value in neutral.items():
            if name not in node.attributes:
                continue
            given = node.attributes[name].value
            if isinstance(value, Sequence) and not isinstance(value, str):
                same = all(item in value for item in given)
            else:
                same = given == value
            if not same:
                raise _refusal(node, f"with {name}={given!r}", 17)
            del node.attributes[name]

    return adapt


def _scatter_down(node: ir.Node, to: Recorder) -> None:
    reduction = node.attributes.get("reduction")
    if reduction is not None and reduction.as_string() in ("max", "min"):
        raise _refusal(node, f"with reduction={reduction.as_string()!r}", 17)


def _mish_down(node: ir.Node, to: Recorder) -> Sequence[ir.Value]:
    x = node.inputs[0]
    return [to.op("Mul", [x, to.op("Tanh", [to.op("Softplus", [x])])])]


UP: dict[tuple[str, int], Adapter] = {
    ("DFT", 20): _dft_up,
    ("GridSample", 20): _grid_sample_up,
    ("GroupNormalization", 21): _group_normalization_up,
}

DOWN: dict[str, Adapter] = {
    **{
        f"Reduce{kind}": _reduce_down
        for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
    },
    "Split": _split_down,
    "Pad": _pad_down,
    "Resize": _without(antialias=0, keep_aspect_ratio_policy="stretch", axes=()),
    "LpPool": _without(ceil_mode=0, dilations=(1,)),
    "ScatterElements": _scatter_down,
    "ScatterND": _scatter_down,
    "Mish": _mish_down,
}
