"""Axes whose names are expressions: `2*sequence_length`, `sequence_length - 4`, `floor(a/2)`."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: Fraction(a) / Fraction(b),
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "floor": math.floor,
    "ceiling": math.ceil,
    "Max": max,
    "Min": min,
    "Mod": operator.mod,
}


def size_of(axis: str, sizes: Mapping[str, int]) -> int | None:
    """The size of an axis where the named ones have `sizes`; None where they do not say."""
    if axis in sizes:
        return sizes[axis]
    try:
        value = _value(ast.parse(axis, mode="eval").body, sizes)
    except (SyntaxError, LookupError, ArithmeticError, TypeError, ValueError):
        return None
    return int(value) if value == int(value) else None


def _value(node: ast.AST, sizes: Mapping[str, int]) -> Any:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return sizes[node.id]
    if isinstance(node, ast.BinOp):
        operation = _OPERATORS[type(node.op)]
        return operation(_value(node.left, sizes), _value(node.right, sizes))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, sizes)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _FUNCTIONS[node.func.id](*(_value(one, sizes) for one in node.args))
    raise ValueError(f"{ast.dump(node)} is no size")
