"""The names that the Python written for a script may use, beside Python's own."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import SymFloat, SymInt, Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

# As c10/core/ScalarType.h numbers them.
_DTYPES = {
    0: torch.uint8,
    1: torch.int8,
    2: torch.int16,
    3: torch.int32,
    4: torch.int64,
    5: torch.float16,
    6: torch.float32,
    7: torch.float64,
    8: torch.complex32,
    9: torch.complex64,
    10: torch.complex128,
    11: torch.bool,
    15: torch.bfloat16,
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


def dtype_of(code: int | None) -> torch.dtype | None:
    """A dtype by the number that scripts have for it."""
    return None if code is None else _DTYPES[code]


def code_of(tensor: Tensor) -> int:
    """The number that scripts have for a tensor's dtype."""
    return _CODES[tensor.dtype]


def whole(value: Any) -> Any:
    """int(value), which leaves sizes symbolic while a module is traced."""
    if isinstance(value, Tensor):
        value = value.item()
    return value if isinstance(value, SymInt) else int(value)


def real(value: Any) -> Any:
    """float(value), which leaves sizes symbolic while a module is traced."""
    if isinstance(value, Tensor):
        value = value.item()
    if isinstance(value, SymInt | SymFloat):
        return torch.sym_float(value)  # type: ignore[no-untyped-call]
    return float(value)


def tensor_of(value: Any) -> Tensor:
    """A number as the 0-d tensor that it is in a traced graph."""
    kind = torch.float32 if isinstance(value, float | SymFloat) else torch.int64
    return torch.scalar_tensor(value, dtype=kind)


def smaller(*values: Any) -> Any:
    """min of two numbers or of a list's."""
    if len(values) == 2:
        return torch.sym_min(*values)  # type: ignore[no-untyped-call]
    return min(*values)


def larger(*values: Any) -> Any:
    """max of two numbers or of a list's."""
    if len(values) == 2:
        return torch.sym_max(*values)  # type: ignore[no-untyped-call]
    return max(*values)


def packed(sequence: Any) -> PackedSequence:
    """A packed sequence out of the tuple that it is in a script."""
    return sequence if isinstance(sequence, PackedSequence) else PackedSequence(*sequence)


def expect_one_batch(x: Tensor, dim: int, order: Tensor) -> None:
    """Says that x has as many sequences as there are lengths, which index_select does not ask."""
    torch._check(x.size(dim) == order.size(0))  # type: ignore[no-untyped-call]


def extended(values: list[Any], more: list[Any]) -> list[Any]:
    """values += more."""
    values += more
    return values


def stop(message: Any) -> NoReturn:
    """What a `raise` of the script does."""
    raise RuntimeError(message)


NAMES: dict[str, Any] = {
    "__name__": "scripted",
    "torch": torch,
    "F": F,
    "math": math,
    "inf": math.inf,
    "nan": math.nan,
    "PackedSequence": PackedSequence,
    "pack_padded_sequence": pack_padded_sequence,
    "pad_packed_sequence": pad_packed_sequence,
    **{
        function.__name__: function
        for function in (
            *(dtype_of, code_of, whole, real, tensor_of),
            *(smaller, larger, packed, expect_one_batch, extended, stop),
        )
    },
}
