"""How an operator of one step is applied to a whole sequence, with time as a new leading axis.

One rule per kind of operator. Axes move by one, operands of lower rank keep their alignment, and
what cannot be shown to give the same numbers raises NotLiftableError.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.folding import FOLDING, each_number
from lstm_export.exporting.lowering.recognise.lifting import Lift, NotLiftableError, Rule, moved


def _elementwise(lift: Lift) -> list[ir.Value]:
    inputs = [value for value in lift.node.inputs if value is not None]
    rank = max(lift.rank(value) for value in inputs)
    return lift.out(
        [
            None if value is None else lift.aligned(position, rank)
            for position, value in enumerate(lift.node.inputs)
        ]
    )


def _identity(lift: Lift) -> list[ir.Value]:
    return [lift.sequence(0)]


def _first_input(lift: Lift) -> list[ir.Value]:
    """Elementwise in the first input; the others are settings that must not vary."""
    others = [lift.constant(position) for position in range(1, len(lift.node.inputs))]
    for given, found in zip(lift.node.inputs[1:], others, strict=True):
        if given is not None and found is None:
            raise NotLiftableError(f"{lift.node.op_type} has limits that vary")
    return lift.out([lift.sequence(0), *others])


def _matmul(lift: Lift) -> list[ir.Value]:
    left, right = (lift.rank(value) for value in lift.node.inputs)
    a, b = lift.constant(0), lift.constant(1)
    builder = lift.builder
    if left >= 2 and right >= 2:
        rank = max(left, right)
        return lift.out([lift.aligned(0, rank), lift.aligned(1, rank)])
    if left == 1 and b is not None and right == 2:
        return lift.out([lift.sequence(0), b])
    if right == 1 and a is not None and left == 2:
        columns = builder.op("Unsqueeze", [lift.sequence(1), builder.integers([-1])])
        product = builder.op("MatMul", [a, columns])
        return [builder.op("Squeeze", [product, builder.integers([-1])])]
    raise NotLiftableError("MatMul of vectors")


def _gemm(lift: Lift) -> list[ir.Value]:
    b, builder = lift.constant(1), lift.builder
    if lift.constant(0) is not None or b is None or lift.attribute("transA", 0):
        raise NotLiftableError("Gemm with a varying matrix")
    if lift.attribute("transB", 0):
        b = _transposed(lift, b)
    product = builder.op("MatMul", [lift.sequence(0), b])
    for name in ("alpha", "beta"):
        factor = lift.node.attributes.get(name)
        if factor is not None and factor.as_float() != 1:
            raise NotLiftableError(f"Gemm with {name}")
    if len(lift.node.inputs) < 3 or lift.node.inputs[2] is None:
        return [product]
    return [builder.op("Add", [product, lift.aligned(2, 2)])]


def _transposed(lift: Lift, matrix: ir.Value) -> ir.Value:
    """A parameter stays an initializer, so that what quantises weights finds it."""
    if matrix.const_value is None:
        return lift.builder.op("Transpose", [matrix], {"perm": [1, 0]})
    return lift.builder.constant(f"{matrix.name}.T", matrix.const_value.numpy().T)


def _einsum(lift: Lift) -> list[ir.Value]:
    left, arrow, result = lift.node.attributes["equation"].as_string().partition("->")
    letter = next((a for a in "tuvwxyzabcdefgh" if a not in left), "")
    if not arrow or not letter or "..." in left:
        raise NotLiftableError("Einsum without all its axes named")
    inputs, terms = [], []
    for position, term in enumerate(left.split(",")):
        constant = lift.constant(position)
        inputs.append(lift.sequence(position) if constant is None else constant)
        terms.append(term.strip() if constant is not None else letter + term.strip())
    equation = f"{','.join(terms)}->{letter}{result.strip()}"
    return lift.out(inputs, {"equation": equation})


def _gather(lift: Lift) -> list[ir.Value]:
    data, index = lift.constant(0), lift.constant(1)
    axis = lift.attribute("axis", 0)
    if data is not None:
        if axis != 0:
            raise NotLiftableError("Gather by a varying index along an inner axis")
        return lift.out([data, lift.sequence(1)])
    if index is None:
        raise NotLiftableError("Gather of a varying tensor by a varying index")
    return lift.out([lift.sequence(0), index], lift.attributes(axis=moved(axis)))


def _concat(lift: Lift) -> list[ir.Value]:
    parts = [lift.sequence(position) for position in range(len(lift.node.inputs))]
    return lift.out(parts, lift.attributes(axis=lift.axis(0)))


def _along_axis(default: int) -> Rule:
    """Operators with an attribute `axis` whose other inputs are constants."""

    def rule(lift: Lift) -> list[ir.Value]:
        others = [lift.constant(position) for position in range(1, len(lift.node.inputs))]
        if any(
            given is not None and found is None
            for given, found in zip(lift.node.inputs[1:], others, strict=True)
        ):
            raise NotLiftableError(f"{lift.node.op_type} with operands that vary")
        attributes = lift.attributes(axis=lift.axis(default))
        return lift.out([lift.sequence(0), *others], attributes)

    return rule


def _slice(lift: Lift) -> list[ir.Value]:
    starts, axes = lift.integers(1), lift.integers(3)
    if starts is None or lift.constant(2) is None:
        raise NotLiftableError("Slice with limits that vary")
    axes = list(range(len(starts))) if axes is None else axes
    steps = lift.constant(4)
    shifted = lift.builder.integers([moved(axis) for axis in axes])
    return lift.out([lift.sequence(0), lift.constant(1), lift.constant(2), shifted, steps])


def _squeeze(lift: Lift) -> list[ir.Value]:
    axes = lift.integers(1)
    if axes is None:
        raise NotLiftableError(f"{lift.node.op_type} without axes")
    return lift.out([lift.sequence(0), lift.builder.integers([moved(axis) for axis in axes])])


def _reshape(lift: Lift) -> list[ir.Value]:
    shape, builder = lift.constant(1), lift.builder
    if shape is None:
        raise NotLiftableError("Reshape to a shape that varies")
    sequence, known = lift.sequence(0), lift.sequences.constants.integers(shape)
    literal = lift.attribute("allowzero", 0) and (known is None or 0 in known)
    # A zero copies the size at its own place, which moves along with it, unless it is meant.
    length = builder.size(sequence, 0) if literal else builder.integers([0])
    longer = builder.integers([0, *known]) if known and not literal else None
    longer = longer or builder.concat([length, shape], 0)
    return lift.out([sequence, longer], {"allowzero": 1} if literal else {})


def _flatten(lift: Lift) -> list[ir.Value]:
    if lift.attribute("axis", 1) != 1:
        raise NotLiftableError("Flatten that keeps more than one axis")
    return [lift.builder.op("Reshape", [lift.sequence(0), lift.builder.integers([0, 0, -1])])]


def _expand(lift: Lift) -> list[ir.Value]:
    shape, value = lift.constant(1), lift.node.outputs[0]
    if shape is None:
        raise NotLiftableError("Expand to a shape that varies")
    longer = lift.builder.concat([lift.builder.integers([1]), shape], 0)
    return lift.out([lift.aligned(0, lift.rank(value)), longer])


def _transpose(lift: Lift) -> list[ir.Value]:
    rank = lift.rank(lift.node.inputs[0])
    given = lift.node.attributes.get("perm")
    order = list(range(rank))[::-1] if given is None else list(given.as_ints())
    return lift.out([lift.sequence(0)], {"perm": [0, *(axis + 1 for axis in order)]})


def _reduce(lift: Lift) -> list[ir.Value]:
    if "axes" in lift.node.attributes:
        axes: list[int] | None = list(lift.node.attributes["axes"].as_ints())
        shifted = [moved(axis) for axis in axes or []]
        return lift.out([lift.sequence(0)], lift.attributes(axes=shifted))
    axes = lift.integers(1)
    if axes is None:
        if lift.attribute("noop_with_empty_axes", 0):
            return lift.out([lift.sequence(0)])
        axes = list(range(lift.rank(lift.node.inputs[0])))
    shifted = [moved(axis) for axis in axes]
    return lift.out([lift.sequence(0), lift.builder.integers(shifted)])


def _normalisation(lift: Lift) -> list[ir.Value]:
    if len(lift.node.outputs) != 1:
        raise NotLiftableError(f"{lift.node.op_type} with statistics")
    return _along_axis(-1)(lift)


_UNARY = (
    *("Abs", "Cast", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid"),
    *("HardSwish", "LeakyRelu", "Log", "Neg", "Not", "Reciprocal", "Relu", "Round"),
    *("Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh", "Mish", "IsNaN"),
)
_BROADCAST = (
    *("Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max"),
    *("Mean", "Min", "Mod", "Mul", "Or", "Pow", "PRelu", "Sub", "Sum", "Where", "Xor"),
)
_REDUCTIONS = ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

RULES: dict[str, Rule] = {
    **dict.fromkeys(_UNARY, each_number(_first_input)),
    **FOLDING,
    **dict.fromkeys(_BROADCAST, _elementwise),
    **{f"Reduce{name}": _reduce for name in _REDUCTIONS},
    "Identity": _identity,
    "Clip": _first_input,
    "CastLike": _first_input,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Gather": _gather,
    "Concat": _concat,
    "Split": _along_axis(0),
    "Softmax": _along_axis(-1),
    "LogSoftmax": _along_axis(-1),
    "ArgMax": _along_axis(0),
    "ArgMin": _along_axis(0),
    "LayerNormalization": _normalisation,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _squeeze,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Expand": _expand,
    "Transpose": _transpose,
}
"""By operator; what is not here stays in the loop."""
