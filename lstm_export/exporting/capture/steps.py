"""The recorded steps of a time loop: what marks them in a graph, and the index that counts them.

A loop over a symbolic length runs a few times while it is traced, whatever the length. A
`lstm_export::step` node stands where each run begins and one more where the last one ends; what it
yields is the number of the step, a symbol of its own, so that every use of it is seen in the graph
and nothing can be decided by its value. A `lstm_export::collect` node stands for what a list with
one tensor from every step became.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
import torch
from torch import SymInt, Tensor
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols, statically_known_true
from torch.fx.node import has_side_effect
from torch.utils.weak import WeakIdKeyDictionary

from lstm_export.errors import ExportError
from lstm_export.exporting.blame import Place
from lstm_export.exporting.capture.lines import subscripted, users_frame, users_place

STEPS = 3
"""Steps that are recorded: the first may differ, and two that follow show what is carried."""


@torch.library.custom_op("lstm_export::step", mutates_args=())
def step(count: int, loop: int, number: int, place: str, implicit: bool) -> Tensor:
    """Marks where step `number` of a loop of `count` steps begins; yields its number.

    An `implicit` loop was recognised by what it uses (`lists`), and may turn out to be none.
    """
    return torch.tensor(number)


@step.register_fake
def _(count: int, loop: int, number: int, place: str, implicit: bool) -> Tensor:
    return torch.empty((), dtype=torch.int64)


@torch.library.custom_op("lstm_export::collect", mutates_args=())
def collect(
    parts: Sequence[Tensor],
    count: int,
    loop: int,
    dim: int,
    stacked: bool,
    backwards: bool,
    start: Tensor | None = None,
) -> Tensor:
    """What stacking, or concatenating, one tensor from each of `count` steps along `dim` gives.

    `parts` come from the recorded steps in order of time, the result may run backwards. `start`
    stands at the end where the first step's part is.
    """
    ordered = list(reversed(parts)) if backwards else list(parts)
    if start is not None:
        ordered.insert(len(ordered) if backwards else 0, start)
    return torch.stack(ordered, dim) if stacked else torch.cat(ordered, dim)


@collect.register_fake
def _(
    parts: Sequence[Tensor],
    count: int,
    loop: int,
    dim: int,
    stacked: bool,
    backwards: bool,
    start: Tensor | None = None,
) -> Tensor:
    sizes = list(parts[-1].shape)
    if stacked:
        sizes.insert(dim, count)
    else:
        sizes[dim] = sizes[dim] * count
    if start is not None:
        sizes[dim] = sizes[dim] + start.shape[dim]
    return parts[-1].new_empty(sizes)


# A marker is there for its place in the graph, not for its value.
has_side_effect(torch.ops.lstm_export.step.default)


@dataclass(eq=False)
class Loop:
    """A time loop that is being recorded, or was."""

    number: int
    count: Any
    place: Place | None
    implicit: bool = False
    backwards: bool = False
    step: int = 0
    ended: bool = False
    symbol: Any = None
    index: Any = None
    used: set[int] = field(default_factory=set)
    """What an implicit loop was seen to use, by identity."""


@dataclass(eq=False)
class Recorder:
    """The loops of one trace, and which step made a tensor."""

    steps: int = STEPS
    loops: list[Loop] = field(default_factory=list)
    open: list[Loop] = field(default_factory=list)
    made: WeakIdKeyDictionary = field(default_factory=WeakIdKeyDictionary)
    joined: WeakIdKeyDictionary = field(default_factory=WeakIdKeyDictionary)
    indexed: WeakIdKeyDictionary = field(default_factory=WeakIdKeyDictionary)
    """Tensors that the current step took from a list by its index."""

    def begin(self, count: Any, *, implicit: bool = False, backwards: bool = False) -> Loop:
        """A new loop of `count` steps, in its first step."""
        self.settle()
        if (
            isinstance(count, SymInt)
            and free_unbacked_symbols(count)
            and not count.node.expr.is_Symbol
        ):
            # A number of its own, of which torch can know that it is not zero.
            count = torch.scalar_tensor(count, dtype=torch.int64).item()
            torch._check(count >= 1)
        loop = Loop(len(self.loops), count, users_place(), implicit, backwards)
        self.loops.append(loop)
        self.open.append(loop)
        return loop

    def advance(self, loop: Loop, number: int) -> StepIndex:
        """The index of `loop` in step `number`, which begins here."""
        self.settle(but=loop)
        self._expect_innermost(loop)
        self.indexed = WeakIdKeyDictionary()
        loop.step = number
        value = self._mark(loop).item()
        torch._check(value >= min(number, 1))
        symbol = value.node.expr
        loop.symbol = symbol
        loop.index = StepIndex(value.node, {symbol: 0} if number == 0 else {})
        return loop.index

    def end(self, loop: Loop) -> None:
        """Notes that `loop` ran through."""
        self.settle(but=loop)
        self._expect_innermost(loop)
        loop.step = self.steps
        self._mark(loop)
        loop.ended = True
        self.open.pop()

    def settle(self, *, but: Loop | None = None) -> None:
        """Ends an implicit loop, of which nobody says when it does."""
        while self.open and self.open[-1].implicit and self.open[-1] is not but:
            loop = self.open[-1]
            if loop.step < self.steps - 1:
                self._forget(loop)
            else:
                self.end(loop)

    def _forget(self, loop: Loop) -> None:
        """It was none: what it made was made by the loop around it."""
        self.open.pop()
        around = (self.open[-1], self.open[-1].step) if self.open else None
        for tensor in [made for made, maker in self.made.items() if maker[0] is loop]:
            if around is None:
                del self.made[tensor]
            else:
                self.made[tensor] = around

    def _mark(self, loop: Loop) -> Tensor:
        mark: Tensor = torch.ops.lstm_export.step(
            loop.count,
            loop.number,
            loop.step,
            "" if loop.place is None else str(loop.place),
            loop.implicit,
        )
        return mark

    def _expect_innermost(self, loop: Loop) -> None:
        if self.open[-1] is not loop:
            raise refusal(
                self.open[-1].place,
                "this time loop was left before its end, or shares its steps with another",
                "run it to the end without break or return, as one for statement",
            )

    def note(self, result: Any) -> None:
        """Remembers that the current step made `result`."""
        if self.open:
            for tensor in tensors_in(result):
                self.made[tensor] = (self.open[-1], self.open[-1].step)

    def maker(self, tensor: Any) -> tuple[Loop, int] | None:
        """The loop and the step that made `tensor`, None if no loop did."""
        return self.made.get(tensor) if isinstance(tensor, Tensor) else None


def tensors_in(result: Any) -> list[Tensor]:
    """The tensors within nested lists and tuples."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, list | tuple):
        return [tensor for part in result for tensor in tensors_in(part)]
    return []


class _Active(threading.local):
    recorder: Recorder | None = None


active = _Active()
"""Which recorder this thread is capturing with."""


def refusal(place: Place | None, what: str, rewrite: str) -> ExportError:
    """The error that a loop cannot be exported, because of `what`, unless one does `rewrite`."""
    where = f"\n  at {place}" if place is not None else ""
    return ExportError(f"{what}: {rewrite}{where}")


class StepIndex(SymInt):
    """The number of a step, or what was computed from it.

    Comparisons that hold for every step but the first, or for the first alone, have a plain
    answer, since the first is recorded by itself. Any other is refused where it is decided.
    """

    def __init__(self, node: Any, first: dict[Any, int]) -> None:
        super().__init__(node)
        self.first = first
        """Symbols whose value is known, in the first step."""

    def known(self) -> Any:
        """The value as sympy has it, the first step's number put in."""
        return self.node.expr.subs(self.first)

    def __index__(self) -> int:
        return position_in_list(self)

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
            return StepIndex(result.node, first)
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
            if statically_known_true(torch.sym_not(result)):
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


def position_in_list(index: StepIndex) -> int:
    """Where a list that loops filled has the value for `index`; refuses any other list."""
    recorder, frame = active.recorder, users_frame()
    taken_from = subscripted(frame) if frame is not None else None
    if recorder is not None and isinstance(taken_from, list | tuple):
        # Whether the tensors of this list are those of the steps shows when these are compared.
        for loop in recorder.open:
            offset = index.node.expr - loop.symbol
            if offset.is_Integer and all(tensors_in(part) for part in taken_from):
                position = loop.step + int(offset)
                for tensor in tensors_in(taken_from[position : position + 1]):
                    recorder.indexed[tensor] = True
                return position
    raise refusal(
        users_place(),
        "the index of a time loop is needed as a plain number here, which it has none of",
        "use it to index tensors; keep what varies with time in a tensor",
    )
