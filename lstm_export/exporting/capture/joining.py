"""Lists that a time loop filled, where they become tensors: stack, cat and their relatives.

Recorded, such a list has one entry per recorded step. In its place goes a `collect` node, of the
size that the list would have had. A tensor that grows by a cat in every step is the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lstm_export.exporting.capture.lines import refusal, users_place
from lstm_export.exporting.capture.step_ops import COLLECT
from lstm_export.exporting.capture.steps import Loop, Recorder


@dataclass(frozen=True, slots=True)
class Joint:
    """A result of cat: of what, and along which axis."""

    parts: tuple[Tensor, ...]
    dim: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Entries `start` to `stop` of a list: `width` of them from every step of `loop`, in order."""

    start: int
    stop: int
    width: int
    loop: Loop
    backwards: bool


def joined(recorder: Recorder, tensors: Sequence[Any], dim: int, *, stack: bool) -> Tensor | None:
    """What torch.stack or torch.cat of `tensors` stands for, None if no loop has to do with it."""
    if not all(isinstance(tensor, Tensor) for tensor in tensors):
        return None
    if any(
        recorder.maker(tensor) == (loop, 1) for tensor in tensors for loop in recorder.open[-1:]
    ):
        recorder.settle()
    _expect_no_part_of_an_open_loop(recorder, tensors)
    if (run := _run(recorder, tensors)) is not None:
        return _around(recorder, list(tensors), run, dim, stack)
    if not stack and recorder.open:
        return _cat_within_loop(recorder, tuple(tensors), dim)
    return None


def _around(recorder: Recorder, tensors: list[Tensor], run: _Run, dim: int, stack: bool) -> Tensor:
    dim = _positive(dim, tensors[run.start], stack)
    entries = tensors[run.start : run.stop]
    groups = [entries[at : at + run.width] for at in range(0, len(entries), run.width)]
    if run.backwards:
        groups.reverse()
    columns = [list(column) for column in zip(*groups, strict=True)]
    stacked = stack or run.width > 1
    wholes: list[Tensor] = [
        COLLECT(column, run.loop.count, run.loop.number, dim, stacked, run.backwards)
        for column in columns
    ]
    whole = wholes[0]
    if run.width > 1:
        # Several entries from each step alternate.
        beside = torch.stack(wholes, dim + 1) if stack else torch.cat(wholes, dim + 1)
        whole = beside.flatten(dim, dim + 1)
    before, after = tensors[: run.start], tensors[run.stop :]
    if not before and not after:
        return whole
    rest = [_rest(recorder, part, dim, stack) for part in (before, after)]
    return torch.cat([part for part in (rest[0], whole, rest[1]) if part is not None], dim)


def _rest(recorder: Recorder, tensors: list[Tensor], dim: int, stack: bool) -> Tensor | None:
    if not tensors:
        return None
    if (result := joined(recorder, tensors, dim, stack=stack)) is not None:
        return result
    return torch.stack(tensors, dim) if stack else torch.cat(tensors, dim)


def _run(recorder: Recorder, tensors: Sequence[Tensor]) -> _Run | None:
    makers = [recorder.maker(tensor) for tensor in tensors]
    for loop in dict.fromkeys(maker[0] for maker in makers if maker is not None):
        if not loop.ended:
            continue
        numbers = [None if maker is None or maker[0] is not loop else maker[1] for maker in makers]
        if (run := _run_of(loop, numbers, recorder.steps)) is not None:
            return run
    return None


def _run_of(loop: Loop, numbers: list[int | None], steps: int) -> _Run | None:
    width = numbers.count(1)
    if width == 0:
        return None
    forwards = [number for number in range(steps) for _ in range(width)]
    for wanted, backwards in ((forwards, False), (forwards[::-1], True)):
        for start in range(len(numbers) - len(wanted) + 1):
            if numbers[start : start + len(wanted)] == wanted:
                return _Run(start, start + len(wanted), width, loop, backwards)
    # Appended before it was computed: entry k comes from step k - 1, the first from before.
    lagged = list(range(steps - 1))
    for start in range(len(numbers) - steps + 1):
        rest = numbers[start + 1 : start + steps]
        if rest == lagged and numbers[start] is None:
            return _Run(start, start + steps, 1, loop, False)
    return None


def _expect_no_part_of_an_open_loop(recorder: Recorder, tensors: Sequence[Tensor]) -> None:
    for loop in recorder.open:
        if loop.implicit:
            continue
        makers = [recorder.maker(tensor) for tensor in tensors]
        numbers = {maker[1] for maker in makers if maker is not None and maker[0] is loop}
        if len(tensors) > 1 and len(numbers) > 1 and not _same_size_each_step(loop, numbers):
            raise refusal(
                users_place(),
                "a step of a time loop uses everything that the steps before it made, "
                "so its cost and its shapes grow with time, which a scan cannot express",
                "keep what a step needs of the past in a state of fixed size",
            )


def _same_size_each_step(loop: Loop, numbers: set[int]) -> bool:
    """Made by this step and the one before: a growing tensor, or a window, not a list of all."""
    return len(numbers) == 2 and numbers == {loop.step, loop.step - 1}


def _cat_within_loop(recorder: Recorder, tensors: tuple[Tensor, ...], dim: int) -> Tensor | None:
    loop = recorder.open[-1]
    dim = _positive(dim, tensors[-1], stack=False)
    if loop.step == recorder.steps - 1:
        for position in (0, len(tensors) - 1):
            if (chain := _chain(recorder, tensors, dim, position)) is not None:
                return _grown(loop, chain, dim, position)
    result = torch.cat(tensors, dim)
    recorder.joined[result] = Joint(tensors, dim)
    return result


def _chain(
    recorder: Recorder, tensors: tuple[Tensor, ...], dim: int, position: int
) -> list[tuple[Tensor, ...]] | None:
    """What each step added at the other end, first whatever the tensor was before the loop."""
    loop, added = recorder.open[-1], []
    parts, number = tensors, recorder.steps - 1
    while True:
        added.append(parts[1:] if position == 0 else parts[:-1])
        grown = parts[0] if position == 0 else parts[-1]
        if number == 0:
            return [(grown,), *reversed(added)]
        maker, joint = recorder.maker(grown), recorder.joined.get(grown)
        number -= 1
        if maker != (loop, number):
            return None
        if joint is None or joint.dim != dim or len(joint.parts) != len(tensors):
            # `if outputs is None`: the first step's own contribution started it.
            return [(), (grown,), *reversed(added)] if number == 0 else None
        parts = joint.parts


def _grown(loop: Loop, chain: list[tuple[Tensor, ...]], dim: int, position: int) -> Tensor | None:
    start, *steps = chain
    if any(len(step) != 1 for step in steps):
        return None
    parts, backwards = [step[0] for step in steps], position != 0
    # torch skips an empty tensor of one axis, whatever the others are.
    begun = start[0] if start and not (start[0].dim() == 1 and start[0].numel() == 0) else None
    whole: Tensor = COLLECT(parts, loop.count, loop.number, dim, False, backwards, begun)
    return whole


def _positive(dim: int, tensor: Tensor, stack: bool) -> int:
    return dim % (tensor.dim() + stack) if dim < 0 else dim


def _vertical(tensors: Sequence[Tensor]) -> tuple[list[Tensor], int]:
    return [t if t.dim() >= 2 else t.reshape(1, -1) for t in tensors], 0


def _horizontal(tensors: Sequence[Tensor]) -> tuple[list[Tensor], int]:
    return [t if t.dim() else t.reshape(1) for t in tensors], 0 if tensors[0].dim() <= 1 else 1


def _columns(tensors: Sequence[Tensor]) -> tuple[list[Tensor], int]:
    return [t.reshape(-1, 1) if t.dim() <= 1 else t for t in tensors], 1


SPREAD: dict[Callable[..., Any], Callable[[Sequence[Tensor]], tuple[list[Tensor], int]]] = {
    torch.vstack: _vertical,
    torch.row_stack: _vertical,
    torch.hstack: _horizontal,
    torch.column_stack: _columns,
}
"""Relatives of cat: what they make of their tensors before they concatenate them, along which."""
