"""The number of a step of a time loop, while the loop is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
import torch
from torch import SymInt
from torch.fx.experimental.symbolic_shapes import statically_known_true

from lstm_export.exporting.capture.lines import refusal, users_place


class StepIndex(SymInt):
    """The number of a step, or what was computed from it.

    Comparisons that hold for every step but the first, or for the first alone, have a plain
    answer, since the first is recorded by itself. Any other is refused where it is decided.
    """

    def __init__(
        self, node: Any, first: dict[Any, int], position: Callable[[StepIndex], int]
    ) -> None:
        super().__init__(node)  # type: ignore[no-untyped-call]
        self.first = first
        """Symbols whose value is known, in the first step."""
        self.position = position
        """Where a list has the value for an index."""

    def known(self) -> Any:
        """The value as sympy has it, the first step's number put in."""
        return self.node.expr.subs(self.first)

    def __index__(self) -> int:
        return self.position(self)

    def __int__(self) -> int:
        raise refusal(
            users_place(),
            "the index of a time loop is needed as a plain number here",
            "use it to index tensors only, or give it as a tensor",
        )

    def __hash__(self) -> int:
        raise refusal(
            users_place(),
            "the index of a time loop looks something up in a dict or a set",
            "keep what varies with time in a tensor and index that",
        )


def _arithmetic(name: str) -> Callable[..., Any]:
    original = getattr(SymInt, name)

    def method(self: StepIndex, *others: Any) -> Any:
        result = original(self, *others)
        if isinstance(result, SymInt):
            first = dict(self.first)
            for other in others:
                first.update(getattr(other, "first", {}))
            return StepIndex(result.node, first, self.position)
        return result

    return method


_DECIDE: dict[str, Callable[[Any, Any], Any]] = {
    "__eq__": sympy.Eq,
    "__ne__": sympy.Ne,
    "__lt__": sympy.Lt,
    "__le__": sympy.Le,
    "__gt__": sympy.Gt,
    "__ge__": sympy.Ge,
}


def _comparison(name: str) -> Callable[..., Any]:
    original, decide = getattr(SymInt, name), _DECIDE[name]

    def method(self: StepIndex, other: Any) -> Any:
        if isinstance(other, int | SymInt):
            theirs = other.node.expr if isinstance(other, SymInt) else other
            first = {**self.first, **getattr(other, "first", {})}
            known = decide(self.known(), sympy.sympify(theirs).subs(first))
            if known in (sympy.true, sympy.false):
                return bool(known)
        result = original(self, other)
        if isinstance(result, torch.SymBool):
            if statically_known_true(result):
                return True
            if statically_known_true(torch.sym_not(result)):  # type: ignore[no-untyped-call]
                return False
            raise refusal(
                users_place(),
                f"Python decides here by the index of a time loop ({result}), but every step of a "
                "loop over any length has to do the same",
                "compute both and choose with torch.where, or take the special step out of the "
                "loop; the first step may differ (if t == 0)",
            )
        return result

    return method


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "neg", "floordiv", "mod"):
    setattr(StepIndex, f"__{_name}__", _arithmetic(f"__{_name}__"))
for _name in _DECIDE:
    setattr(StepIndex, _name, _comparison(_name))
