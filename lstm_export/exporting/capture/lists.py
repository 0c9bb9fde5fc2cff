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
    if maker is None or not maker[0].ended or tensor in recorder.indexed:
        return
    loop, number = maker
    current = recorder.open[-1] if recorder.open and recorder.open[-1].implicit else None
    if current is not None and number == current.step:
        return
    if current is not None and number == current.step + 1:
        # What an earlier step used as well is no entry of its own.
        if id(tensor) not in current.used:
            recorder.advance(current, number)
        return
    if number == 0:
        recorder.advance(recorder.begin(loop.count, implicit=True), 0)
