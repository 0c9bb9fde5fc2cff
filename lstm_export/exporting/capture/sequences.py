"""What a loop over a symbolic length iterates over, in the recorded steps.

Each of these stands for as many items as the length says and yields those of the recorded steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.fx.experimental.symbolic_shapes import statically_known_true

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.lines import refusal, unpacked_into, users_frame, users_place
from lstm_export.exporting.capture.steps import Recorder


class Steps:
    """An iterable of symbolic length whose item for a step comes from `item(index, number)`.

    `number` counts the recorded steps, `index` is the symbol that the step has for its number.
    """

    def __init__(
        self, recorder: Recorder, count: Any, item: Callable[[Any, int | None], Any]
    ) -> None:
        self.recorder, self.count, self.item = recorder, count, item

    def __iter__(self) -> Iterator[Any]:
        frame = users_frame()
        if frame is not None and (expected := unpacked_into(frame)) is not None:
            # An axis of fixed size after all: torch notes that it is one.
            if self.count == expected:
                return iter([self.item(position, None) for position in range(expected)])
            raise ValueError(f"expected {expected} values to unpack, got {self.count}")
        return self._steps()

    def _steps(self) -> Iterator[Any]:
        loop = self.recorder.begin(self.count)
        for number in range(self.recorder.steps):
            item = self.item(self.recorder.advance(loop, number), number)
            self.recorder.note(item)
            yield item
        self.recorder.end(loop)

    def __reversed__(self) -> Iterator[Any]:
        return iter(self.backwards())

    def backwards(self) -> Steps:
        """The same items in the opposite order."""
        last = self.count - 1

        def item(index: Any, number: int | None) -> Any:
            return self.item(last - index, None if number is None else self._mirrored(number))

        return Steps(self.recorder, self.count, item)

    def _mirrored(self, number: int) -> int:
        return self.recorder.steps - 1 - number

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            if key == slice(None):
                return self
            if key == slice(None, None, -1):
                return self.backwards()
            raise refusal(
                users_place(),
                "this takes a part of what a time loop runs over",
                "slice the tensor itself, x[:, a:b], before the loop",
            )
        fixed = isinstance(key, int) and key < 0
        return self.item(self.count + key if fixed else key, None)

    def __len__(self) -> NoReturn:
        raise _LengthError(
            "the length of what a time loop runs over varies from call to call and cannot be a "
            "plain number: use x.size(dim) of the tensor"
        )


class _LengthError(ExportError, TypeError):
    """Python takes a TypeError for having no length, and builds the list all the same."""


def counted(recorder: Recorder, start: Any, stop: Any, stride: int) -> Steps:
    """What range(start, stop, stride) yields, where one of its ends is symbolic."""
    if stride > 0:
        distance = stop if isinstance(start, int) and start == 0 else stop - start
    else:
        distance = start - stop
    width = abs(stride)
    count = distance if width == 1 else (distance + width - 1) // width

    def item(index: Any, number: int | None) -> Any:
        offset = index if stride == 1 else index * stride
        return offset if isinstance(start, int) and start == 0 else start + offset

    return Steps(recorder, count, item)


def slices(recorder: Recorder, x: Tensor, dim: int, *, keep: bool) -> Steps:
    """The slices of x along `dim`, that axis kept with size 1 or dropped."""

    def item(index: Any, number: int | None) -> Tensor:
        part = x.select(dim, index)
        return part.unsqueeze(dim) if keep else part

    return Steps(recorder, x.size(dim), item)


def enumerated(recorder: Recorder, steps: Steps, start: Any) -> Steps:
    """What enumerate(steps, start) yields."""

    def item(index: Any, number: int | None) -> Any:
        position = index if isinstance(start, int) and start == 0 else start + index
        return position, steps.item(index, number)

    return Steps(recorder, steps.count, item)


def zipped(recorder: Recorder, parts: Sequence[Any], *, strict: bool = False) -> Steps:
    """What zip(*parts) yields, where at least one of the parts is of symbolic length."""
    together = [per_step(recorder, part) for part in parts]
    count = together[0].count
    for part in together[1:]:
        if strict:
            torch._check(count == part.count)  # type: ignore[no-untyped-call]
        elif statically_known_true(part.count <= count):
            count = part.count
        elif not statically_known_true(count <= part.count):
            count = torch.sym_min(count, part.count)  # type: ignore[no-untyped-call]

    def item(index: Any, number: int | None) -> Any:
        return tuple(part.item(index, number) for part in together)

    return Steps(recorder, count, item)


def per_step(recorder: Recorder, values: Any) -> Steps:
    """`values` as steps: they are already, or a list that an earlier loop filled."""
    if isinstance(values, Steps):
        return values
    listed = list(values) if isinstance(values, list | tuple) else []
    makers = {recorder.maker(_first(value)) for value in listed}
    loops = {maker[0] for maker in makers if maker is not None}
    if len(listed) != recorder.steps or len(loops) != 1:
        raise refusal(
            users_place(),
            "this loop pairs something of symbolic length with something of fixed length",
            "loop over tensors of one length, or over their indices",
        )

    def item(index: Any, number: int | None) -> Any:
        assert number is not None
        return listed[number]

    return Steps(recorder, next(iter(loops)).count, item)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) and value else value
