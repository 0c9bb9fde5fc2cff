"""Nodes on plain numbers, words, lists and dicts, as Python expressions.

Source of the semantics: torch/csrc/jit/runtime/register_prim_ops.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lstm_export.importing.scripted.namespace import NAMES
from lstm_export.importing.scripted.terms import UNKNOWN, Term, constant

NUMBERS = {
    "aten::add": "{0} + {1}",
    "aten::sub": "{0} - {1}",
    "aten::mul": "{0} * {1}",
    "aten::div": "{0} / {1}",
    "aten::floordiv": "{0} // {1}",
    "aten::floor_divide": "{0} // {1}",
    "aten::remainder": "{0} % {1}",
    "aten::pow": "{0} ** {1}",
    "aten::neg": "-{0}",
    "aten::eq": "{0} == {1}",
    "aten::ne": "{0} != {1}",
    "aten::lt": "{0} < {1}",
    "aten::le": "{0} <= {1}",
    "aten::gt": "{0} > {1}",
    "aten::ge": "{0} >= {1}",
    "aten::__not__": "not {0}",
    "aten::__and__": "{0} and {1}",
    "aten::__or__": "{0} or {1}",
    "aten::__xor__": "{0} != {1}",
    "aten::Int": "whole({0})",
    "aten::Float": "real({0})",
    "aten::Bool": "bool({0})",
    "aten::str": "str({0})",
    "aten::abs": "abs({0})",
    "prim::abs": "abs({0})",
    "prim::min": "smaller({all})",
    "prim::max": "larger({all})",
    "aten::floor": "math.floor({0})",
    "aten::ceil": "math.ceil({0})",
    "aten::sqrt": "math.sqrt({0})",
    "aten::exp": "math.exp({0})",
    "aten::log": "math.log({0})",
    "aten::tanh": "math.tanh({0})",
    "aten::__range_length": "len(range({0}, {1}, {2}))",
    "aten::__derive_index": "{0} + {1} * {2}",
    "aten::format": "{0}.format({rest})",
    "aten::percentFormat": "{0} % ({rest},)",
}
"""Where no operand is a tensor."""

CONTAINERS = {
    "aten::add": "{0} + {1}",
    "aten::add_": "extended({0}, {1})",
    "aten::append": "{0}.append({1})",
    "aten::extend": "{0}.extend({1})",
    "aten::insert": "{0}.insert({1}, {2})",
    "aten::pop": "{0}.pop({rest})",
    "aten::clear": "{0}.clear()",
    "aten::reverse": "{0}.reverse()",
    "aten::_set_item": "{0}.__setitem__({1}, {2})",
    "aten::Delete": "{0}.__delitem__({1})",
    "aten::__getitem__": "{0}[{1}]",
    "aten::__contains__": "{1} in {0}",
    "aten::len": "len({0})",
    "aten::list": "list({0})",
    "aten::copy": "{0}.copy()",
    "aten::slice": "{0}[{1}:{2}:{3}]",
    "aten::keys": "list({0}.keys())",
    "aten::values": "list({0}.values())",
    "aten::items": "list({0}.items())",
    "aten::get": "{0}.get({rest})",
    "aten::mul": "{0} * {1}",
    "aten::eq": "{0} == {1}",
    "aten::ne": "{0} != {1}",
}
"""Where the first operand is a list, a dict or a word."""

CHANGING = frozenset(
    f"aten::{name}"
    for name in ("add_", "append", "extend", "insert", "pop", "clear", "reverse", "sort", "Delete")
) | {"aten::_set_item"}
"""What changes the container that it is given."""

_KINDS = frozenset({"ListType", "DictType", "StringType", "TupleType"})
_GIVES_ITSELF = frozenset({"aten::append", "aten::extend", "aten::insert", "aten::_set_item"})


def expression(kind: str, inputs: Sequence[Term]) -> tuple[str, bool, bool] | None:
    """(text, whether it is pure, whether the result is the first operand), None if `kind` is not
    of those on plain values.
    """
    if not inputs:
        return None
    table: dict[str, str] = {}
    if inputs[0].kind in _KINDS or isinstance(inputs[0].known, str):
        table = CONTAINERS
    if kind not in table and not any(
        one.kind in ("TensorType",) and not one.is_number for one in inputs
    ):
        table = NUMBERS
    if kind not in table:
        return None
    texts = [grouped(one.text) for one in inputs]
    text = table[kind].format(*texts, all=", ".join(texts), rest=", ".join(texts[1:]))
    return text, kind not in CHANGING, kind in _GIVES_ITSELF


def folded(text: str, inputs: Sequence[Term]) -> Term | None:
    """`text` as a plain value where all operands are such."""
    if not inputs or not all(
        isinstance(one.known, bool | int | float | str | None) for one in inputs
    ):
        return None
    try:
        value: Any = eval(text, dict(NAMES))
    except Exception:  # division by zero and the like: Python says so where it is run
        return None
    return constant(value) if isinstance(value, bool | int | float | str) else None


def identity(kind: str, inputs: Sequence[Term]) -> Term | None:
    """`a is b` and `a is not b`, decided where one is None and the other is known to be or not."""
    one, other = inputs
    if other.known is not None:
        one, other = other, one
    same: Any = UNKNOWN
    if other.known is None and one.is_none is not None:
        same = one.is_none
    if same is not UNKNOWN:
        return constant(same == (kind == "aten::__is__"))
    return None


def grouped(text: str) -> str:
    """`text` in parentheses where it is more than a name, a call or a plain value."""
    return f"({text})" if " " in text and not text.startswith(("(", "[", '"', "'")) else text
