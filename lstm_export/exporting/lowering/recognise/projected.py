"""Inputs that were multiplied with the gates' weights before the loop, as many write it for speed.

The operator does that product itself. Fed with its result it would need an identity matrix for W
and multiply again, so the product outside is taken back into the cell.
"""

from __future__ import annotations

import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.algebra import Expression, Variable
from lstm_export.exporting.lowering.recognise.constants import Constants
from lstm_export.exporting.lowering.recognise.interpret import Interpreter
from lstm_export.exporting.lowering.recognise.loop import ScanLoop
from lstm_export.exporting.lowering.recognise.sequences import Sequences
from lstm_export.exporting.lowering.recognise.shapes import dims


def projected_inputs(
    loop: ScanLoop, sequences: Sequences, constants: Constants
) -> dict[ir.Value, Expression]:
    """What a step reads that is a linear function of something else, as that function."""
    found = {}
    for value, whole in loop.scanned:
        expression = _definition(whole, sequences, constants)
        if expression is not None:
            found[value] = expression
    return found


def _definition(whole: ir.Value, sequences: Sequences, constants: Constants) -> Expression | None:
    inner, turned = whole, False
    node = whole.producer()
    if node is not None and node.op_type == "Transpose" and node.inputs[0] is not None:
        order = node.attributes.get("perm")
        turned = order is not None and list(order.as_ints()) == [1, 0, 2]
        inner = node.inputs[0] if turned else whole
    if not _is_known(inner):
        return None
    interpreter = Interpreter(-1, constants, set(), lambda _: True)
    expression = interpreter.expression(inner)
    if expression.atom is not None:
        return None
    terms = []
    for monomial, coefficient in expression.monomials:
        if not monomial:
            terms.append((monomial, coefficient))
            continue
        (source, *others) = monomial
        if others or not isinstance(source, Variable) or coefficient.ndim == 1:
            return None
        step = _step(source.value, inner, turned, sequences)
        if step is None:
            return None
        terms.append(((Variable(step, source.width),), coefficient))
    return Expression(expression.width, terms)


def _step(source: ir.Value, inner: ir.Value, turned: bool, sequences: Sequences) -> ir.Value | None:
    """A value that stands for one step of `source`, which has the leading axes of `inner`."""
    sizes, beside = dims(source), dims(inner)
    if sizes is None or beside is None or sizes[:-1] != beside[:-1]:
        return None
    if turned:
        sequence = sequences.builder.op("Transpose", [source], {"perm": [1, 0, 2]})
        sizes = (sizes[1], sizes[0], sizes[2])
    else:
        sequence = source
    return sequences.step_of(sequence, sizes[1:])


def _is_known(value: ir.Value) -> bool:
    sizes = dims(value)
    return sizes is not None and len(sizes) in (2, 3) and isinstance(sizes[-1], int)
