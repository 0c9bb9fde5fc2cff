"""Sizes in traced graphs, where a number is a 0-d tensor (prim::NumToTensor) until it is used.

As a tensor a size would lose its symbol while the module is traced, so arithmetic on sizes is
arithmetic on numbers here.
"""

from __future__ import annotations

from collections.abc import Sequence

from lstm_export.importing.scripted.scalars import grouped
from lstm_export.importing.scripted.terms import Term

_ARITHMETIC = {
    "aten::mul": "*",
    "aten::floor_divide": "//",
    "aten::remainder": "%",
    "aten::add": "+",
    "aten::sub": "-",
    "aten::rsub": "-",
}
_BACK = frozenset({"aten::Int", "aten::IntImplicit", "aten::ScalarImplicit", "aten::item"})


def number(kind: str, inputs: Sequence[Term]) -> tuple[str, bool] | None:
    """(text, whether it is still a tensor in the graph), None where there is no size in it."""
    if not inputs or not any(one.is_number for one in inputs[:2]):
        return None
    first = inputs[0].text
    if kind in _BACK:
        return first, False
    if kind in ("aten::to", "aten::detach", "aten::clone", "aten::type_as"):
        return first, True
    if len(inputs) < 2:
        return None
    values = [_plain(one) for one in inputs[:2]]
    if any(value is None for value in values):
        return None
    left, right = (grouped(str(value)) for value in values)
    if kind == "aten::div" and len(inputs) == 3 and inputs[2].known in ("floor", "trunc"):
        return f"{left} // {right}", True
    if kind not in _ARITHMETIC:
        return None
    if kind in ("aten::add", "aten::sub", "aten::rsub") and len(inputs) > 2:
        if not inputs[2].is_known:
            return None
        if inputs[2].known != 1:
            right = f"{right} * {grouped(inputs[2].text)}"
    if kind == "aten::rsub":
        left, right = right, left
    return f"{left} {_ARITHMETIC[kind]} {right}", True


def _plain(one: Term) -> str | None:
    if one.is_number or isinstance(one.known, int):
        return one.text
    if one.weight is not None:
        value = one.weight()
        if value.dim() == 0 and not value.is_floating_point():
            return repr(value.item())
    return None
