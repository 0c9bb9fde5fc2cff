"""torch's packing functions on symbolic shapes, while a module is traced.

They compute on the CPU with numbers that a tracer does not have. Within `packed_capture` they
carry the padded tensor and its lengths instead (`ragged`). User code holds these functions under
names of its own (`from torch.nn.utils.rnn import pack_padded_sequence`), so it is their code that
is exchanged, not the attribute. A thread that captures nothing still gets torch's own code.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.ragged import (
    Known,
    Packed,
    active,
    checked,
    ragged,
    trimmed,
    unpacked,
)

_patch_lock = threading.Lock()
_patch_users = 0
_originals: dict[str, FunctionType] = {}


@contextlib.contextmanager
def packed_capture(*, trim: bool = True) -> Iterator[Known]:
    """Within the block, in this thread, packed sequences trace with any batch and any lengths.

    `trim` gives padded results torch's own length, that of the longest sequence, as a new size.
    A module that combines them with tensors of the padded input's length runs in eager torch only
    where the longest sequence fills it. If it cannot be traced with a new size, it can be with
    `trim=False`, where both lengths are one. Gives what was packed.
    """
    _install()
    known = Known(trim)
    previous, active.known = active.known, known
    try:
        yield known
    finally:
        active.known = previous
        _remove()


def _install() -> None:
    global _patch_users
    with _patch_lock:
        if _patch_users == 0:
            for function in _TRACED:
                name = function.__qualname__
                _originals[name] = _copy(function)
                function.__code__ = _dispatching(name)
        _patch_users += 1


def _remove() -> None:
    global _patch_users
    with _patch_lock:
        _patch_users -= 1
        if _patch_users == 0:
            for function in _TRACED:
                function.__code__ = _originals[function.__qualname__].__code__


def _copy(function: Any) -> FunctionType:
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _dispatching(name: str) -> CodeType:
    """Code that finds its way back here from torch's own globals."""

    def stand_in(*args, **kwargs):  # type: ignore[no-untyped-def]
        from lstm_export.exporting.capture.packed import dispatch

        return dispatch("name", args, kwargs)

    code = stand_in.__code__
    constants = tuple(name if constant == "name" else constant for constant in code.co_consts)
    return code.replace(co_name=name, co_consts=constants)


def dispatch(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What torch's function `name` gives in this thread."""
    function = _originals[name] if active.known is None else _BY_NAME[name]
    return function(*args, **kwargs)


def _pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    time_major = input.transpose(0, 1) if batch_first else input
    batch = ragged(_tensor(lengths), time_major, is_sorted=enforce_sorted)
    return Packed.of(time_major, batch, clean=False)


def _pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: Any = None,
) -> tuple[Tensor, Tensor]:
    values, batch, clean = unpacked(sequence)
    lengths = batch.lengths
    length: Any = values.shape[0]
    if total_length is not None:
        length = total_length.item() if isinstance(total_length, Tensor) else total_length
    if not statically_known_true(length == values.shape[0]):
        missing = values.new_zeros((length, *values.shape[1:]))
        values = torch.cat([values, missing]).narrow(0, 0, length)
        lengths, clean = checked(lengths, values), False
    if not clean or padding_value != 0:
        valid = torch.arange(values.shape[0])[:, None] < lengths
        valid = valid.reshape(*valid.shape, *[1] * (values.dim() - 2))
        values = torch.where(valid, values, values.new_full((), padding_value))
    if total_length is None:
        values = trimmed(values, batch)
    return (values.transpose(0, 1) if batch_first else values), lengths


def _pack_sequence(sequences: Any, enforce_sorted: bool = True) -> NoReturn:
    raise ExportError(
        f"pack_sequence takes a list of {len(sequences)} tensors, which fixes the batch: expected "
        "one padded tensor and its lengths; use pack_padded_sequence(x, lengths)"
    )


def _unpack_sequence(packed_sequences: PackedSequence) -> NoReturn:
    raise ExportError(
        "unpack_sequence gives a list with one tensor per sequence, which a graph with any batch "
        "cannot; return what pad_packed_sequence gives, the padded tensor and its lengths"
    )


def _unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> NoReturn:
    raise ExportError(
        "unpad_sequence gives a list with one tensor per sequence, which a graph with any batch "
        "cannot; return the padded tensor and its lengths"
    )


class LengthList(Sequence[int]):
    """A tensor's `.tolist()` while its number of elements is a symbol.

    It can be packed with. Reading single elements would fix their number, and is refused.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __getitem__(self, index: Any) -> NoReturn:
        self._refuse()

    def __iter__(self) -> NoReturn:
        self._refuse()

    def __len__(self) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ExportError(
            "a list of lengths from .tolist() was read element by element, which fixes the batch: "
            "expected it to go into pack_padded_sequence as it is; compute on the tensor instead, "
            "for example lengths.max()"
        )


def _tolist(tensor: Tensor) -> Any:
    if tensor.dim() == 1 and _symbolic(tensor.shape[0]):
        return LengthList(tensor)
    return _originals[f"{type(tensor).__name__}.tolist"](tensor)


def _symbolic(size: Any) -> bool:
    return isinstance(size, torch.SymInt) and size.node.maybe_as_int() is None


def _tensor(lengths: Any) -> Tensor:
    if isinstance(lengths, LengthList):
        return lengths.tensor
    if isinstance(lengths, Tensor):
        return lengths
    return torch.stack([torch.scalar_tensor(length, dtype=torch.int64) for length in lengths])


# While torch traces, tensors are of these classes, and their own tolist asks no mode.
_TRACED: dict[Any, Callable[..., Any]] = {
    rnn.pack_padded_sequence: _pack_padded_sequence,
    rnn.pad_packed_sequence: _pad_packed_sequence,
    rnn.pack_sequence: _pack_sequence,
    rnn.unpack_sequence: _unpack_sequence,
    rnn.unpad_sequence: _unpad_sequence,
    FakeTensor.tolist: _tolist,
    FunctionalTensor.tolist: _tolist,
}
_BY_NAME = {function.__qualname__: traced for function, traced in _TRACED.items()}
