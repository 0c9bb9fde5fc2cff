"""The recorded steps of time loops.

A loop over a symbolic length runs a few times while it is traced, whatever the length. Its index is
a symbol of its own in each of these steps, so that every use of it is seen in the graph and nothing
can be decided by its value.
"""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import SymInt, Tensor
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols
from torch.utils.weak import WeakIdKeyDictionary

from lstm_export.exporting.capture.lines import (
    refusal,
    subscripted,
    users_frame,
    users_place,
)
from lstm_export.exporting.capture.step_index import StepIndex
from lstm_export.exporting.capture.step_ops import STEP
from lstm_export.exporting.tracing.blame import Place

STEPS = 3
"""Steps that are recorded: the first may differ, and two that follow show what is carried."""


def _by_identity() -> Any:
    return WeakIdKeyDictionary()


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
    index: StepIndex | None = None
    used: set[int] = field(default_factory=set)
    """What an implicit loop was seen to use, by identity."""


@dataclass(eq=False)
class Recorder:
    """The loops of one trace, and which step made a tensor."""

    steps: int = STEPS
    loops: list[Loop] = field(default_factory=list)
    open: list[Loop] = field(default_factory=list)
    made: MutableMapping[Tensor, tuple[Loop, int]] = field(default_factory=_by_identity)
    """The loop and the step that made a tensor."""
    joined: MutableMapping[Tensor, Any] = field(default_factory=_by_identity)
    """What a result of cat was made of."""
    indexed: MutableMapping[Tensor, bool] = field(default_factory=_by_identity)
    """Tensors that the current step took from a list by its index."""

    def begin(self, count: Any, *, implicit: bool = False, backwards: bool = False) -> Loop:
        """A new loop of `count` steps, in its first step."""
        self.settle()
        if isinstance(count, SymInt) and free_unbacked_symbols(count):
            given = bool(count.node.expr.is_Symbol)
            if not given:
                # A number of its own: torch need not know how it compares with the other.
                count = torch.ops.aten.scalar_tensor(count, dtype=torch.int64).item()
            # A number that was given has to be one at least; one less than it need not.
            torch._check(count >= int(given))  # type: ignore[no-untyped-call]
        loop = Loop(len(self.loops), count, users_place(), implicit, backwards)
        self.loops.append(loop)
        self.open.append(loop)
        return loop

    def advance(self, loop: Loop, number: int) -> StepIndex:
        """The index of `loop` in step `number`, which begins here."""
        self.settle(but=loop)
        self._expect_innermost(loop)
        self.indexed = _by_identity()
        loop.step = number
        value: Any = self._mark(loop).item()
        torch._check(value >= min(number, 1))  # type: ignore[no-untyped-call]
        loop.symbol = value.node.expr
        first = {loop.symbol: 0} if number == 0 else {}
        loop.index = StepIndex(value.node, first, self.position)
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
        mark: Tensor = STEP(
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

    def position(self, index: StepIndex) -> int:
        """Where a list that loops filled has the value for `index`; refuses any other list."""
        frame = users_frame()
        taken_from = subscripted(frame) if frame is not None else None
        if isinstance(taken_from, list | tuple):
            # Whether the tensors of this list are those of the steps shows when these are compared.
            for loop in self.open:
                offset = index.node.expr - loop.symbol
                if offset.is_Integer and all(tensors_in(part) for part in taken_from):
                    position = loop.step + int(offset)
                    for tensor in tensors_in(taken_from[position : position + 1]):
                        self.indexed[tensor] = True
                    return position
        raise refusal(
            users_place(),
            "the index of a time loop is needed as a plain number here, which it has none of",
            "use it to index tensors; keep what varies with time in a tensor",
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
