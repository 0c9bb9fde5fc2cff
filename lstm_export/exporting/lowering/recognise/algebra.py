"""What a cell computes, as sums of products in a normal form.

A vector of `width` features is a sum of terms. Each term is a coefficient times an elementwise
product of atoms: inputs and states (`Variable`), nonlinear functions of other sums (`Gate`), and
matrix products that another factor multiplies (`Linear`). However its author ordered, distributed
or split the arithmetic, the same cell comes to the same terms, which `cells` then compares.

A coefficient of one dimension multiplies each feature by its own number, one of two dimensions is
a matrix (width, width of the atoms). All numbers are float64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.product import Array, ordered_product

Index = npt.NDArray[np.signedinteger[Any]]

MOST_TERMS = 32
"""A cell has some ten; sums that grow beyond this are not worth following."""


class OpaqueError(Exception):
    """A node that the algebra has no form for."""


class TooLargeError(OpaqueError):
    """An expression outgrew what any known cell needs."""


@dataclass(frozen=True, eq=False)
class Variable:
    """A tensor that is read, not looked into; its features lie along the negative `axis`."""

    value: ir.Value
    width: int
    axis: int = -1

    @property
    def key(self) -> str:
        return f"variable {id(self.value)} {self.axis}"

    def part(self, index: Index) -> None:
        """Nothing: a selection from a variable is no variable."""


@dataclass(frozen=True, eq=False)
class Gate:
    """A function applied to each feature: Sigmoid, Tanh, Relu or Exp.

    `held` is the tensor that holds it, where one does.
    """

    function: str
    argument: Expression
    held: Variable | None = None

    @property
    def width(self) -> int:
        return self.argument.width

    @cached_property
    def key(self) -> str:
        return f"{self.function} {self.argument.key}"

    def part(self, index: Index) -> Gate:
        return Gate(self.function, self.argument.part(index))


@dataclass(frozen=True, eq=False)
class Linear:
    """A matrix (width, width of the atoms) times a product of atoms."""

    matrix: Array
    monomial: Monomial

    @property
    def width(self) -> int:
        return len(self.matrix)

    @cached_property
    def key(self) -> str:
        return f"linear {_digest(self.matrix)} {_key(self.monomial)}"

    def part(self, index: Index) -> Linear:
        return Linear(self.matrix[index], self.monomial)


Atom = Variable | Gate | Linear
Monomial = tuple[Atom, ...]


def _key(monomial: Monomial) -> str:
    return "(" + ", ".join(atom.key for atom in monomial) + ")"


def _digest(array: Array) -> str:
    # Adding zero makes every zero positive.
    content = np.ascontiguousarray(array + 0.0)
    return hashlib.sha256(repr(content.shape).encode() + content.tobytes()).hexdigest()


class Expression:
    """A sum of terms, each a product of atoms with its coefficient."""

    def __init__(self, width: int, terms: Iterable[tuple[Monomial, Array]]) -> None:
        self.width = width
        self.terms: dict[str, tuple[Monomial, Array]] = {}
        for monomial, coefficient in terms:
            self._add(tuple(sorted(monomial, key=lambda atom: atom.key)), coefficient)
        if len(self.terms) > MOST_TERMS:
            raise TooLargeError

    def _add(self, monomial: Monomial, coefficient: Array) -> None:
        key = _key(monomial)
        if key in self.terms:
            coefficient = _sum(self.terms.pop(key)[1], coefficient)
        coefficient = _plain(coefficient)
        if coefficient.any():
            self.terms[key] = (monomial, coefficient)

    @staticmethod
    def constant(values: Array) -> Expression:
        """A constant vector (width,)."""
        return Expression(len(values), [((), values)])

    @staticmethod
    def of(atom: Atom) -> Expression:
        """A single atom."""
        return Expression(atom.width, [((atom,), np.ones(atom.width))])

    @cached_property
    def key(self) -> str:
        """Equal for expressions that are the same sum."""
        parts = [f"{_digest(c)} {key}" for key, (_, c) in sorted(self.terms.items())]
        return hashlib.sha256("\n".join([str(self.width), *parts]).encode()).hexdigest()

    @property
    def monomials(self) -> list[tuple[Monomial, Array]]:
        return list(self.terms.values())

    @property
    def atom(self) -> Atom | None:
        """The one atom that this is, if it is nothing else."""
        if len(self.terms) != 1:
            return None
        ((monomial, coefficient),) = self.monomials
        return monomial[0] if len(monomial) == 1 and is_ones(coefficient) else None

    def __add__(self, other: Expression) -> Expression:
        return Expression(self.width, [*self.monomials, *other.monomials])

    def scaled(self, factor: Array) -> Expression:
        """Each feature multiplied by its own constant; `factor` is (width,)."""
        return Expression(
            self.width,
            [
                (monomial, coefficient * (factor if coefficient.ndim == 1 else factor[:, None]))
                for monomial, coefficient in self.monomials
            ],
        )

    def __neg__(self) -> Expression:
        return self.scaled(np.full(self.width, -1.0))

    def __mul__(self, other: Expression) -> Expression:
        """Feature by feature. A matrix product becomes an atom where something multiplies it."""
        terms = []
        for a, p in self.monomials:
            for b, q in other.monomials:
                left, right = (a, p), (b, q)
                if a and b:
                    left, right = _diagonal(a, p), _diagonal(b, q)
                    terms.append((left[0] + right[0], left[1] * right[1]))
                elif a:
                    terms.append((a, p * (q if p.ndim == 1 else q[:, None])))
                else:
                    terms.append((b, q * (p if q.ndim == 1 else p[:, None])))
        return Expression(self.width, terms)

    def times(self, matrix: Array) -> Expression:
        """`matrix` (n, width) applied to the features."""
        terms = []
        for monomial, coefficient in self.monomials:
            if not monomial or coefficient.ndim == 2:
                terms.append((monomial, ordered_product(matrix, coefficient)))
            else:
                terms.append((monomial, matrix * coefficient))
        return Expression(len(matrix), terms)

    def part(self, index: Index) -> Expression:
        """The features at `index`."""
        whole = len(index) == self.width and bool((index == np.arange(self.width)).all())
        if whole:
            return self
        terms: list[tuple[Monomial, Array]] = []
        for monomial, coefficient in self.monomials:
            if not monomial or coefficient.ndim == 2:
                terms.append((monomial, coefficient[index]))
                continue
            atoms = [atom.part(index) for atom in monomial]
            parts = tuple(atom for atom in atoms if atom is not None)
            if len(parts) == len(monomial):
                terms.append((parts, coefficient[index]))
            else:
                terms.append((monomial, np.diag(coefficient)[index]))
        return Expression(len(index), terms)

    @staticmethod
    def joined(parts: list[Expression]) -> Expression:
        """The features of all parts, one part after the other."""
        width, start = sum(part.width for part in parts), 0
        terms: list[tuple[Monomial, Array]] = []
        for part in parts:
            rows = slice(start, start + part.width)
            start += part.width
            for monomial, coefficient in part.monomials:
                if not monomial:
                    block = np.zeros(width)
                else:
                    coefficient = _matrix(coefficient)
                    block = np.zeros((width, coefficient.shape[1]))
                block[rows] = coefficient
                terms.append((monomial, block))
        return Expression(width, terms)


def is_ones(coefficient: Array) -> bool:
    """Whether a coefficient changes nothing."""
    return coefficient.ndim == 1 and bool((coefficient == 1).all())


def as_matrix(coefficient: Array) -> Array:
    """A coefficient as a matrix."""
    return _matrix(coefficient)


def _matrix(coefficient: Array) -> Array:
    return np.diag(coefficient) if coefficient.ndim == 1 else coefficient


def _sum(a: Array, b: Array) -> Array:
    return a + b if a.ndim == b.ndim else _matrix(a) + _matrix(b)


def _plain(coefficient: Array) -> Array:
    """A diagonal matrix as its diagonal."""
    if coefficient.ndim == 2 and coefficient.shape[0] == coefficient.shape[1]:
        diagonal = np.diagonal(coefficient)
        if np.count_nonzero(coefficient) == np.count_nonzero(diagonal):
            return diagonal.copy()
    return coefficient


def _diagonal(monomial: Monomial, coefficient: Array) -> tuple[Monomial, Array]:
    if coefficient.ndim == 1:
        return monomial, coefficient
    return (Linear(coefficient, monomial),), np.ones(len(coefficient))
