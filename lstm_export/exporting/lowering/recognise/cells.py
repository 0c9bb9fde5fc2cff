"""Which cell an expression is: LSTM, GRU or RNN, and with which weights.

The equations are those of https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html and
onnx__RNN.html, in their gate order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lstm_export.contract import Cell
from lstm_export.exporting.lowering.recognise.algebra import (
    Atom,
    Expression,
    Gate,
    Linear,
    Monomial,
    Variable,
    as_matrix,
    is_ones,
)
from lstm_export.exporting.lowering.recognise.product import Array


class NoCellError(Exception):
    """The expressions are no cell that an operator could hold; the message says where it ends."""


@dataclass(frozen=True, slots=True)
class FoundCell:
    """A cell in ONNX layout, one direction.

    `inputs` are the tensors that make up x, side by side; `W` (gates · hidden_size, input_size),
    `R` (gates · hidden_size, hidden_size), `B` (2 · gates · hidden_size,).
    """

    cell: Cell
    inputs: tuple[Variable, ...]
    W: Array
    R: Array
    B: Array
    activation: str = "Tanh"
    linear_before_reset: bool = True

    @property
    def hidden_size(self) -> int:
        return int(self.R.shape[1])


RequireInput = Callable[[Variable], None]
"""Raises NoCellError for what cannot be had for the whole sequence."""


def lstm(
    h: Variable, c: Variable, next_h: Expression, next_c: Expression, require_input: RequireInput
) -> FoundCell:
    """c' = f ⊙ c + i ⊙ g and h' = o ⊙ tanh(c'), where i or f may be one minus the other.

    Raises NoCellError.
    """
    kept, new = _divided(next_c, c)
    f = _sigmoid(kept, "what the cell state is multiplied by")
    i_factor, g = _tanh_factor(new, "what is added to the cell state")
    i = _sigmoid(i_factor, "what the candidate is multiplied by")
    o_factor, shown = _tanh_factor(next_h, "the hidden state")
    if shown.key != next_c.key:
        raise NoCellError("the hidden state is not made from tanh of the new cell state")
    o = _sigmoid(o_factor, "what tanh of the cell state is multiplied by")
    return _with_gates("lstm", [i, o, f, g], h, require_input)


def gru(h: Variable, next_h: Expression, require_input: RequireInput) -> FoundCell:
    """h' = z ⊙ h + (1 − z) ⊙ n, the reset gate before or after the recurrent product.

    Raises NoCellError.
    """
    kept, new = _divided(next_h, h)
    z = _sigmoid(kept, "what the state is multiplied by")
    rest, n = _tanh_factor(new, "what is added to the state")
    if _sigmoid(rest, "what the candidate is multiplied by").key != (-z).key:
        raise NoCellError("state and candidate are not weighted by z and 1 − z")
    outside, inside, r = _reset(n, h)
    gates = [z, r, outside]
    found = _with_gates("gru", gates, h, require_input)
    size = h.width
    R, B = found.R, found.B
    matrices = [(m, coefficient) for m, coefficient in inside.monomials if m]
    constants = [values for m, values in inside.monomials if not m]
    before = all(len(m) == 1 and isinstance(m[0], Linear) for m, _ in matrices)
    matrix = np.zeros((size, size))
    for monomial, coefficient in matrices:
        atom = monomial[0]
        if isinstance(atom, Linear) and before:
            if [a.key for a in atom.monomial] != [h.key] or not is_ones(coefficient):
                raise NoCellError("the reset gate multiplies more than the state's product")
            matrix += atom.matrix
        elif [a.key for a in monomial] == [h.key]:
            matrix += as_matrix(coefficient)
        else:
            raise NoCellError("the reset gate multiplies more than the state")
    # A diagonal matrix may stand on either side of the gate.
    diagonal = all(coefficient.ndim == 1 for _, coefficient in matrices)
    if constants and not (before or diagonal):
        raise NoCellError("the reset gate multiplies both the state and a bias")
    R[2 * size :] = matrix
    B[5 * size :] = constants[0] if constants else 0
    return FoundCell("gru", found.inputs, found.W, R, B, linear_before_reset=diagonal)


def rnn(h: Variable, next_h: Expression, require_input: RequireInput) -> FoundCell:
    """h' = tanh or relu of a linear function. Raises NoCellError."""
    gate = next_h.atom
    if not isinstance(gate, Gate) or gate.function not in ("Tanh", "Relu"):
        raise NoCellError("the new state is not tanh or relu of a linear function")
    found = _with_gates("rnn", [gate.argument], h, require_input)
    return FoundCell("rnn", found.inputs, found.W, found.R, found.B, activation=gate.function)


def _with_gates(
    cell: Cell, gates: list[Expression], h: Variable, require_input: RequireInput
) -> FoundCell:
    size, rows = h.width, len(gates) * h.width
    R, bias = np.zeros((rows, size)), np.zeros(2 * rows)
    blocks: dict[str, tuple[Variable, Array]] = {}
    for position, gate in enumerate(gates):
        if gate.width != size:
            raise NoCellError(f"a gate is {gate.width} wide and the state {size}")
        part = slice(position * size, (position + 1) * size)
        for monomial, coefficient in gate.monomials:
            if not monomial:
                bias[part] = coefficient
                continue
            atom = _as_variable(monomial[0])
            if len(monomial) > 1 or atom is None:
                raise NoCellError("a gate is not a linear function of input and state")
            if atom.key == h.key:
                R[part] = as_matrix(coefficient)
                continue
            require_input(atom)
            if atom.key not in blocks:
                blocks[atom.key] = (atom, np.zeros((rows, atom.width)))
            blocks[atom.key][1][part] = as_matrix(coefficient)
    if not blocks:
        raise NoCellError("no gate reads an input")
    variables = tuple(variable for variable, _ in blocks.values())
    W = np.concatenate([block for _, block in blocks.values()], axis=1)
    return FoundCell(cell, variables, W, R, bias)


def _as_variable(atom: Atom) -> Variable | None:
    """An atom as the tensor that holds it."""
    if isinstance(atom, Gate):
        return atom.held
    return atom if isinstance(atom, Variable) else None


def _divided(expression: Expression, atom: Atom) -> tuple[Expression, Expression]:
    """The expression as factor ⊙ atom + rest."""
    factor: list[tuple[Monomial, Array]] = []
    rest: list[tuple[Monomial, Array]] = []
    for monomial, coefficient in expression.monomials:
        others = _without(monomial, atom)
        if others is not None and coefficient.ndim == 1:
            factor.append((others, coefficient))
        else:
            rest.append((monomial, coefficient))
    return Expression(expression.width, factor), Expression(expression.width, rest)


def _tanh_factor(expression: Expression, what: str) -> tuple[Expression, Expression]:
    """The expression as factor ⊙ tanh(argument): the factor and the argument."""
    candidates = {
        atom.key: atom
        for monomial, _ in expression.monomials
        for atom in monomial
        if isinstance(atom, Gate) and atom.function == "Tanh"
    }
    for atom in candidates.values():
        factor, rest = _divided(expression, atom)
        if not rest.terms:
            return factor, atom.argument
    raise NoCellError(f"{what} is not a gate times tanh{_blocking(expression)}")


def _without(monomial: Monomial, atom: Atom) -> Monomial | None:
    """The other factors, None if `atom` is none of them."""
    keys = [factor.key for factor in monomial]
    if atom.key not in keys:
        return None
    position = keys.index(atom.key)
    return monomial[:position] + monomial[position + 1 :]


def _sigmoid(expression: Expression, what: str) -> Expression:
    """a, where the expression is sigmoid(a); −a, where it is 1 − sigmoid(a)."""
    atom = expression.atom
    if isinstance(atom, Gate) and atom.function == "Sigmoid":
        return atom.argument
    ones = Expression.constant(np.ones(expression.width))
    atom = (ones + -expression).atom
    if isinstance(atom, Gate) and atom.function == "Sigmoid":
        return -atom.argument
    raise NoCellError(f"{what} is not a sigmoid gate{_blocking(expression)}")


def _reset(n: Expression, h: Variable) -> tuple[Expression, Expression, Expression]:
    """The candidate's argument as outside + r ⊙ inside, r by the argument of its sigmoid.

    A matrix applied to r ⊙ h counts as inside, with r taken out from under the matrix.
    """
    gates = {
        atom.key: atom
        for monomial, _ in n.monomials
        for atom in monomial
        if isinstance(atom, Gate) and atom.function == "Sigmoid"
    }
    if len(gates) != 1:
        raise NoCellError("the candidate has no single reset gate")
    (r,) = gates.values()
    outside: list[tuple[Monomial, Array]] = []
    inside: list[tuple[Monomial, Array]] = []
    for monomial, coefficient in n.monomials:
        others = _without(monomial, r)
        if others is None:
            outside.append((monomial, coefficient))
        else:
            inside.append((others, coefficient))
    if any(h.key == atom.key for monomial, _ in outside for atom in monomial):
        raise NoCellError("the candidate reads the state past the reset gate")
    return Expression(n.width, outside), Expression(n.width, inside), r.argument


def _blocking(expression: Expression) -> str:
    """What stands in the way, where it is a node that the algebra does not know."""
    for monomial, _ in expression.monomials:
        for atom in monomial:
            if isinstance(atom, Variable) and atom.value.producer() is not None:
                return f" ({_described(atom)})"
    return ""


def _described(variable: Variable) -> str:
    node = variable.value.producer()
    return "another state" if node is None else f"{node.op_type} of the state"
