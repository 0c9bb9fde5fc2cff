"""Python's range, enumerate, zip, reversed and len, where the module's code looks them up.

`range` of a symbolic length asks it for a plain number, which bakes it in. While something is
traced, these names stand in the globals of the code that a module runs and recognise symbolic
lengths; for any other argument, and in threads that trace nothing, they are Python's own.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import SymInt, Tensor, nn

from lstm_export.exporting.capture.scopes import scopes_of
from lstm_export.exporting.capture.sequences import Steps, counted, enumerated, per_step, zipped
from lstm_export.exporting.capture.step_index import StepIndex
from lstm_export.exporting.capture.steps import Recorder, active


class _StandIn(type):
    """A class that is another one to whoever asks, and calls `symbolic` before it."""

    stands_for: ClassVar[type]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if (recorder := active.recorder) is not None:
            result = cls.symbolic(recorder, *args, **kwargs)
            if result is not NotImplemented:
                return result
        return cls.stands_for(*args, **kwargs)

    def symbolic(cls, recorder: Recorder, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.stands_for)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.stands_for)


class _Range(metaclass=_StandIn):
    stands_for = range

    @classmethod
    def symbolic(cls, recorder: Recorder, *args: Any) -> Any:
        ends = [_number(recorder, argument) for argument in args]
        if not any(map(_varies, ends)):
            return NotImplemented
        start, stop = (0, ends[0]) if len(ends) == 1 else ends[:2]
        stride = ends[2] if len(ends) == 3 else 1
        if not isinstance(stride, int) or stride == 0:
            return NotImplemented
        return counted(recorder, start, stop, stride)


class _Enumerate(metaclass=_StandIn):
    stands_for = enumerate

    @classmethod
    def symbolic(cls, recorder: Recorder, iterable: Any, start: Any = 0) -> Any:
        if isinstance(iterable, Tensor):
            iterable = iterable.unbind(0)
        if isinstance(iterable, list | tuple) and filled_by(recorder, iterable) is not None:
            iterable = per_step(recorder, iterable)
        if not isinstance(iterable, Steps):
            return NotImplemented
        return enumerated(recorder, iterable, start)


class _Zip(metaclass=_StandIn):
    stands_for = zip

    @classmethod
    def symbolic(cls, recorder: Recorder, *iterables: Any, strict: bool = False) -> Any:
        parts = [part.unbind(0) if isinstance(part, Tensor) else part for part in iterables]
        if not any(isinstance(part, Steps) for part in parts):
            return NotImplemented
        return zipped(recorder, parts, strict=strict)


class _Reversed(metaclass=_StandIn):
    stands_for = reversed

    @classmethod
    def symbolic(cls, recorder: Recorder, sequence: Any) -> Any:
        if isinstance(sequence, list | tuple) and filled_by(recorder, sequence) is not None:
            sequence = per_step(recorder, sequence)
        return sequence.backwards() if isinstance(sequence, Steps) else NotImplemented


def _len(sized: Any, /) -> Any:
    recorder = active.recorder
    if recorder is None:
        return builtins.len(sized)
    if isinstance(sized, Steps):
        return sized.count
    if isinstance(sized, Tensor) and sized.dim():
        return sized.size(0)
    if isinstance(sized, list | tuple):
        return _length(recorder, sized)
    return builtins.len(sized)


def _length(recorder: Recorder, values: Any) -> Any:
    """How many entries a list would have, had the loops that filled it run in full."""
    if (filled := filled_by(recorder, values)) is not None:
        loop, width = filled
        return loop.count * width + builtins.len(values) - width * recorder.steps
    if isinstance(values, tuple):  # a state (h, c) that each step replaces: nothing grows
        return builtins.len(values)
    for loop in recorder.open:
        made = _numbers(recorder, values).get(loop, [])
        width = made.count(0)
        others = builtins.len(values) - builtins.len(made)
        if width and builtins.len(made) in (loop.step * width, (loop.step + 1) * width):
            now = builtins.len(made) // width - loop.step
            assert loop.index is not None
            return (loop.index + now) * width + others
    return builtins.len(values)


def filled_by(recorder: Recorder, values: Any) -> Any:
    """The loop that filled a list and how many entries each step gave it, None if none did."""
    for loop, numbers in _numbers(recorder, values).items():
        width = numbers.count(1)
        if width and builtins.len(numbers) == width * recorder.steps:
            if loop.implicit:
                recorder.settle()
            if loop.ended:
                return loop, width
    return None


def _numbers(recorder: Recorder, values: Any) -> dict[Any, list[int]]:
    numbers: dict[Any, list[int]] = {}
    for value in values:
        first = value[0] if isinstance(value, list | tuple) and value else value
        if (maker := recorder.maker(first)) is not None:
            numbers.setdefault(maker[0], []).append(maker[1])
    return numbers


def _number(recorder: Recorder, value: Any) -> Any:
    """A size that torch already knows as a plain number; a tensor with one element as a symbol."""
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_floating_point():
        value = value.item()
        if isinstance(value, SymInt) and not isinstance(value, StepIndex):
            torch._check(value >= 1)  # type: ignore[no-untyped-call]
    if isinstance(value, SymInt) and (known := value.node.maybe_as_int()) is not None:
        return known
    return value


def _varies(value: Any) -> bool:
    return isinstance(value, SymInt)


_STAND_INS: dict[str, Any] = {
    "range": _Range,
    "enumerate": _Enumerate,
    "zip": _Zip,
    "reversed": _Reversed,
    "len": _len,
}
_lock = threading.Lock()
_placed: dict[int, tuple[dict[str, Any], int, dict[str, Any]]] = {}


def place(module: nn.Module) -> Callable[[], None]:
    """Puts the stand-ins where the code of `module` looks; gives what takes them away again."""
    scopes = list(scopes_of(module))
    with _lock:
        for scope in scopes:
            _, users, before = _placed.get(id(scope), (scope, 0, {}))
            if users == 0:
                before = {name: scope.get(name, _ABSENT) for name in _STAND_INS}
                for name, stand_in in _STAND_INS.items():
                    if before[name] is _ABSENT or before[name] is getattr(builtins, name):
                        scope[name] = stand_in
            _placed[id(scope)] = scope, users + 1, before

    def remove() -> None:
        with _lock:
            for scope in scopes:
                _, users, before = _placed[id(scope)]
                if users > 1:
                    _placed[id(scope)] = scope, users - 1, before
                    continue
                del _placed[id(scope)]
                for name, stand_in in _STAND_INS.items():
                    if scope.get(name) is not stand_in:
                        continue
                    if before[name] is _ABSENT:
                        del scope[name]
                    else:
                        scope[name] = before[name]

    return remove


_ABSENT = object()
