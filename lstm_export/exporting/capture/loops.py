"""Time loops that a user wrote in Python, while a module is traced.

A loop over a symbolic length, `for t in range(x.size(1))` or `for x_t in x.unbind(1)`, is run for a
few recorded steps (`steps`), which `rolling` then makes one scan of. What the loop iterates over is
recognised by `stand_ins` and `sequences`, what its lists become by `joining`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor, nn
from torch._export.non_strict_utils import _NonStrictTorchFunctionHandler as _Handler
from torch.fx.experimental.symbolic_shapes import (
    GuardOnDataDependentSymNode,
    statically_known_true,
)

from lstm_export.errors import ExportError
from lstm_export.exporting.capture import indexing
from lstm_export.exporting.capture.joining import SPREAD, joined
from lstm_export.exporting.capture.lines import refusal
from lstm_export.exporting.capture.lists import follow
from lstm_export.exporting.capture.sequences import slices
from lstm_export.exporting.capture.stand_ins import place
from lstm_export.exporting.capture.steps import STEPS, Recorder, active
from lstm_export.exporting.tracing.blame import blame

_lock = threading.Lock()
_users = 0
_originals: dict[str, Callable[..., Any]] = {}


@contextlib.contextmanager
def loop_capture(module: nn.Module, *, steps: int = STEPS) -> Iterator[Recorder]:
    """Within the block, in this thread, loops of `module` over symbolic lengths trace as steps.

    torch.export.export with strict=False must be called in the block. Raises ExportError, with the
    line of the user's code, where a loop does what no scan can.
    """
    recorder, previous = Recorder(steps), active.recorder
    remove = place(module)
    _install()
    active.recorder = recorder
    try:
        yield recorder
    except ExportError:
        raise
    except Exception as error:
        if recorder.loops and (dependent := _decided_by_data(error)) is not None:
            raise refusal(
                blame(error),
                "Python decides here by the index of a time loop or by a value in it "
                f"({dependent}), which every step of a scan would have to do alike",
                "compute both and choose with torch.where, or take the special steps out of the "
                "loop",
            ) from error
        raise
    finally:
        active.recorder = previous
        _remove()
        remove()


def _decided_by_data(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, GuardOnDataDependentSymNode):
            return str(error.cond)
        error = error.__cause__ or error.__context__
    return None


def _install() -> None:
    global _users
    with _lock:
        if _users == 0:
            _originals["function"] = _Handler.__torch_function__
            _originals["overlap"] = torch._debug_has_internal_overlap
            _Handler.__torch_function__ = _dispatching(  # type: ignore[method-assign]
                _Handler.__torch_function__
            )
            torch._debug_has_internal_overlap = _overlap  # type: ignore[assignment]
        _users += 1


def _remove() -> None:
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _Handler.__torch_function__ = _originals["function"]  # type: ignore[method-assign]
            torch._debug_has_internal_overlap = _originals["overlap"]
            _originals.clear()


def _overlap(tensor: Tensor) -> Any:
    # torch asks this before it writes, and so guards that the axes of what is written to are
    # longer than one. 2 says that it cannot tell.
    return 2 if active.recorder is not None else _originals["overlap"](tensor)


def _dispatching(original: Callable[..., Any]) -> Callable[..., Any]:
    """torch.export sees every torch function that user code calls; here we see it before."""

    def handle(
        self: Any,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        recorder = active.recorder
        if recorder is None:
            return original(self, func, types, args, kwargs)
        result = _intercepted(recorder, func, args, kwargs or {})
        if result is NotImplemented:
            result = original(self, func, types, args, kwargs)
        recorder.note(result)
        return result

    return handle


def _intercepted(
    recorder: Recorder,
    func: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    handler = _HANDLERS.get(func)
    result = NotImplemented if handler is None else handler(recorder, *args, **kwargs)
    if result is NotImplemented:
        follow(recorder, args, kwargs)
    return result


def _getitem(recorder: Recorder, x: Tensor, key: Any) -> Any:
    part = indexing.read(x, key, looping=bool(recorder.open))
    return NotImplemented if part is None else part


def _narrow(recorder: Recorder, input: Tensor, dim: int, start: Any, length: Any) -> Any:
    part = indexing.narrowed(input, dim, start, length)
    return NotImplemented if part is None else part


def _setitem(recorder: Recorder, x: Tensor, key: Any, value: Any) -> Any:
    return None if indexing.write(x, key, value) else NotImplemented


def _unbind(recorder: Recorder, input: Tensor, dim: int = 0) -> Any:
    if not _varies(input.size(dim)):
        return NotImplemented
    return slices(recorder, input, dim % input.dim(), keep=False)


def _split(recorder: Recorder, tensor: Tensor, split_size: Any, dim: int = 0) -> Any:
    if split_size != 1 or not _varies(tensor.size(dim)):
        return NotImplemented
    return slices(recorder, tensor, dim % tensor.dim(), keep=True)


def _chunk(recorder: Recorder, input: Tensor, chunks: Any, dim: int = 0) -> Any:
    size = input.size(dim)
    if not _varies(size) or not _varies(chunks) or not statically_known_true(chunks == size):
        return NotImplemented
    return slices(recorder, input, dim % input.dim(), keep=True)


def _varies(size: Any) -> bool:
    return isinstance(size, SymInt) and size.node.maybe_as_int() is None


def _joining(*, stack: bool) -> Callable[..., Any]:
    def handler(recorder: Recorder, tensors: Any, dim: int = 0, **kwargs: Any) -> Any:
        dim = kwargs.pop("axis", dim)
        if kwargs or not isinstance(tensors, list | tuple) or not tensors:
            return NotImplemented
        result = joined(recorder, tensors, dim, stack=stack)
        return NotImplemented if result is None else result

    return handler


def _spreading(spread: Callable[..., Any]) -> Callable[..., Any]:
    def handler(recorder: Recorder, tensors: Any) -> Any:
        if not isinstance(tensors, list | tuple) or not tensors:
            return NotImplemented
        parts, dim = spread(tensors)
        for part, tensor in zip(parts, tensors, strict=True):
            if (maker := recorder.maker(tensor)) is not None:
                recorder.made[part] = maker
        result = joined(recorder, parts, dim, stack=False)
        return NotImplemented if result is None else result

    return handler


_HANDLERS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.Tensor.__getitem__: _getitem,
    torch.Tensor.__setitem__: _setitem,
    torch.narrow: _narrow,
    torch.Tensor.narrow: _narrow,
    torch.unbind: _unbind,
    torch.Tensor.unbind: _unbind,
    torch.split: _split,
    torch.Tensor.split: _split,
    torch.functional.split: _split,
    torch.chunk: _chunk,
    torch.Tensor.chunk: _chunk,
    torch.stack: _joining(stack=True),
    torch.cat: _joining(stack=False),
    torch.concat: _joining(stack=False),
    torch.concatenate: _joining(stack=False),
    **{function: _spreading(spread) for function, spread in SPREAD.items()},
}
