"""What a module does with the rows of a packed sequence.

The rows are one per valid step, as torch has them. Where they are padded again after nothing but
functions of single rows (a linear layer, a dropout), the padded rows go through those functions
just as well, and the padding is cut off afterwards: no runtime has to know sizes that depend on
data.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.capture.opaque import DOMAIN
from lstm_export.exporting.capture.ragged import PACK
from lstm_export.exporting.lowering.builder import Builder
from lstm_export.exporting.lowering.lengths import Steps, per_feature, without_padding

_ACTIVATIONS = frozenset(["Elu", "Gelu", "HardSigmoid", "LeakyRelu", "Relu", "Sigmoid", "Tanh"])
_ELEMENTWISE = frozenset(["Abs", "Cast", "Clip", "Erf", "Exp", "Identity", "Neg", "Sqrt"])
_BROADCASTING = frozenset(["Add", "Div", "Mul", "PRelu", "Pow", "Sub"])
_ON_FEATURES = frozenset(["BatchNormalization", "Gemm", "LayerNormalization", "MatMul"])


def lower_trim(builder: Builder) -> None:
    """A padded tensor up to its longest sequence: gathered, for tract's Slice cannot."""
    padded, lengths = builder.node.inputs
    longest = builder.op("ReduceMax", [lengths], {"keepdims": 0})
    steps = builder.op("Range", [builder.integer(0), longest, builder.integer(1)])
    builder.replace([builder.op("Gather", [padded, steps], {"axis": 0})])


def lower_pack(builder: Builder, steps: Steps, order: ir.Value | None) -> None:
    """The rows (sum of lengths, …) of a padded tensor, step by step, sequences as in `order`."""
    padded, valid = builder.node.inputs[0], steps.valid
    assert padded is not None
    if order is not None:
        padded, valid = (builder.op("Gather", [v, order], {"axis": 1}) for v in (padded, valid))
    places = builder.op("Transpose", [builder.op("NonZero", [valid])], {"perm": [1, 0]})
    builder.replace([builder.op("GatherND", [padded, places])])


def lower_unpack(
    builder: Builder, steps: Steps, order: ir.Value | None, inverse: ir.Value | None
) -> None:
    """The padded tensor (sequence_length, batch, …) of rows, zero in the padding."""
    rows = builder.node.inputs[0]
    assert rows is not None
    packing = _packed_as(rows, steps, order)
    if packing is not None:
        padded = _padded(builder, rows, packing, steps)
        builder.replace([_cut(builder, padded, steps)])
        return
    valid = steps.valid
    if order is not None:
        valid = builder.op("Gather", [valid, order], {"axis": 1})
    flat = builder.op("Reshape", [valid, builder.integers([-1])])
    counts = builder.op("Cast", [flat], {"to": ir.DataType.INT64})
    places = builder.op("CumSum", [counts, builder.integer(0)])
    places = builder.op("Sub", [places, builder.integer(1)])
    places = builder.op("Reshape", [places, builder.op("Shape", [valid])])
    if inverse is not None:
        places = builder.op("Gather", [places, inverse], {"axis": 1})
    padded = _like(builder.op("Gather", [rows, places], {"axis": 0}), builder.node.outputs[0])
    builder.replace([_cut(builder, padded, steps)])


def _padded(builder: Builder, rows: ir.Value, packing: ir.Node, steps: Steps) -> ir.Value:
    """The padded tensor of `rows`, which are functions of the single rows that `packing` made."""
    padded, given = packing.inputs[0], packing.outputs[0]
    assert padded is not None
    if rows is given:
        return padded
    first = Builder(builder.graph, packing)
    # Zeros, because what stands in the padding may be no valid index of an embedding.
    flat = _cut(first, padded, steps)
    first.replace([first.op("Reshape", [flat, first.integers([-1, *_features(given)])])])
    sizes = builder.op("Gather", [builder.op("Shape", [padded]), builder.integers([0, 1])])
    shape = builder.concat([sizes, builder.integers(_features(rows))], 0)
    return _like(builder.op("Reshape", [rows, shape]), builder.node.outputs[0])


def _cut(builder: Builder, padded: ir.Value, steps: Steps) -> ir.Value:
    assert padded.shape is not None
    return without_padding(builder, padded, per_feature(builder, steps.valid, len(padded.shape)))


def _packed_as(rows: ir.Value, steps: Steps, order: ir.Value | None) -> ir.Node | None:
    """The node that packed what `rows` are functions of, row by row; None if they are not."""
    value = rows
    while (node := value.producer()) is not None:
        packs = (node.domain, node.op_type) == (DOMAIN, PACK)
        if packs and [*node.inputs, None][1:3] != [steps.lengths, order]:
            return None
        if packs and value is rows:
            return node
        if len(value.uses()) > 1 or value.is_graph_output() or not _fixed_features(value):
            return None
        if packs:
            return node
        source = _row_wise(node)
        if source is None:
            return None
        value = source
    return None


def _row_wise(node: ir.Node) -> ir.Value | None:
    """The input that `node` is a function of, each row by itself; None if there is no such."""
    inputs = list(node.inputs)
    if node.domain != "":
        return None
    if node.op_type == "Gather":  # rows of indices into an embedding
        axis = node.attributes.get("axis")
        return inputs[1] if _constant(inputs[0]) and (axis is None or axis.as_int() == 0) else None
    if node.op_type in _BROADCASTING and _constant(inputs[0]):
        inputs.reverse()
    others = [value for value in inputs[1:] if value is not None]
    if not all(map(_constant, others)):
        return None
    if node.op_type in _BROADCASTING:
        same = all(all(size == 1 for size in list(value.shape or ())[:-1]) for value in others)
        return inputs[0] if same else None
    if node.op_type == "Gemm" and (flag := node.attributes.get("transA")) and flag.as_int():
        return None
    if node.op_type == "LayerNormalization":
        axis = node.attributes.get("axis")
        return inputs[0] if axis is None or axis.as_int() != 0 else None
    return inputs[0] if node.op_type in _ACTIVATIONS | _ELEMENTWISE | _ON_FEATURES else None


def _constant(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is not None


def _fixed_features(rows: ir.Value) -> bool:
    return rows.shape is not None and all(isinstance(size, int) for size in rows.shape[1:])


def _features(rows: ir.Value) -> list[int]:
    assert rows.shape is not None
    return [size for size in rows.shape[1:] if isinstance(size, int)]


def _like(value: ir.Value, other: ir.Value) -> ir.Value:
    value.shape, value.type = other.shape, other.type
    return value
