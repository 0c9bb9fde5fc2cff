"""Loops over lists that earlier loops filled.

Python does not say when it iterates over a list, but what is used does: the entry that the first
recorded step made, then that of the second, and so on. Each first use begins a step of an implicit
loop. `sum(outputs)`, `[self.head(h) for h in outputs]` and `for h in outputs` are such loops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from lstm_export.exporting.capture.steps import Recorder, tensors_in


def follow(recorder: Recorder, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Notes what a torch function is about to use."""
    if not recorder.loops:
        return
    given = tensors_in([*args, *kwargs.values()])
    for tensor in given:
        _use(recorder, tensor)
    if recorder.open and recorder.open[-1].implicit:
        recorder.open[-1].used.update(map(id, given))


def _use(recorder: Recorder, tensor: Tensor) -> None:
    maker = recorder.maker(tensor)
    if maker is None or tensor in recorder.indexed:
        return
    loop, number = maker
    if loop.implicit and number == 0 and loop.step == recorder.steps - 1:
        recorder.settle()
    if not loop.ended:
        return
    last = recorder.steps - 1
    current = recorder.open[-1] if recorder.open and recorder.open[-1].implicit else None
    if current is not None:
        position = last - number if current.backwards else number
        if position == current.step or id(tensor) in current.used:
            return
        if position == current.step + 1:
            recorder.advance(current, position)
            return
        if not current.backwards and 0 < current.step < last:
            return
    if number == 0 or (number == last and (current is None or current.step == last)):
        # The last entry may be that of a list read backwards, or a final value.
        backwards = number != 0
        recorder.advance(recorder.begin(loop.count, implicit=True, backwards=backwards), 0)
