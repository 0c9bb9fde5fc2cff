"""safetensors, read with NumPy alone.

Source: the format section of github.com/huggingface/safetensors (README.md): an unsigned 64-bit
little-endian length N, N bytes of JSON that give each tensor's dtype, shape and data_offsets, then
the numbers, row-major and little-endian, with neither holes nor overlaps.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats.json_text import parsed
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.raw import Array, RawFile
from lstm_export.importing.stored_numbers import decoded, item_size

NAME = "safetensors"
_MOST_HEADER = 100_000_000  # the format's own bound
_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}


def matches(path: Path, head: bytes) -> bool:
    """Whether a JSON object stands where the header would."""
    return len(head) > 8 and head[8:9] == b"{" and head[7:8] == b"\0"


def read(path: Path) -> RawFile:
    """The tensors of the file at `path`, and its `__metadata__` in `declared`.

    Raises CheckpointError if the header and the file's length disagree, tensors overlap or leave
    holes, or a dtype has no NumPy counterpart.
    """
    body = memoryview(path.read_bytes())
    length = int.from_bytes(body[:8], "little")
    if length > min(len(body) - 8, _MOST_HEADER):
        raise CheckpointError(
            f"{path}: expected a header of {length} bytes, as its first eight declare, found "
            f"{max(len(body) - 8, 0)} after them: the file is cut off, download it again"
        )
    header = parsed(bytes(body[8 : 8 + length]), f"the header of {path}")
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: expected an object as header, found {header!r:.60}")
    numbers = body[8 + length :]
    words = header.pop("__metadata__", {})
    if not isinstance(words, dict):
        raise CheckpointError(f"{path}: expected an object as __metadata__, found {words!r:.60}")
    tensors, stored, spans = dict[str, Array](), dict[str, str](), []
    for name, entry in header.items():
        dtype, shape, begin, end = _entry(path, name, entry)
        if end > len(numbers):
            raise CheckpointError(
                f"{path}: {shown(name)} ends at byte {end} of the data, which has "
                f"{len(numbers)}: the file is cut off, download it again"
            )
        tensors[name] = decoded(numbers[begin:end], dtype).reshape(shape)
        stored[name] = dtype
        spans.append((begin, end, name))
    _check_spans(path, spans, len(numbers))
    return RawFile(
        str(path),
        NAME,
        tensors,
        stored,
        declared={f"__metadata__.{k}": v for k, v in words.items()},
    )


def _entry(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    where = f"{path}: {shown(name)}"
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(
            f"{where}: expected dtype, shape and data_offsets, found {str(entry)[:80]}"
        )
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise CheckpointError(
            f"{where} is stored as {shown(str(dtype), 20)}, expected one of {', '.join(_DTYPES)}: "
            "save it as F32 (tensor.float())"
        )
    if not (_are_sizes(shape) and _are_sizes(offsets)) or len(offsets) != 2 or len(shape) > 32:
        raise CheckpointError(
            f"{where}: expected a shape and two offsets, found {str(shape)[:60]} and "
            f"{str(offsets)[:60]}"
        )
    begin, end = offsets
    needed = math.prod(shape) * item_size(_DTYPES[dtype])
    if end - begin != needed:
        raise CheckpointError(
            f"{where}: {dtype} of shape {tuple(shape)} takes {needed} bytes, its data_offsets "
            f"{begin} to {end} give {end - begin}"
        )
    return _DTYPES[dtype], tuple(shape), begin, end


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in value)


def _check_spans(path: Path, spans: list[tuple[int, int, str]], total: int) -> None:
    at, before = 0, "the start"
    for begin, end, name in sorted(spans):
        if begin != at:
            what = "overlap" if begin < at else f"leave {begin - at} bytes between them"
            raise CheckpointError(
                f"{path}: {shown(before)} and {shown(name)} {what}, expected every byte to be one "
                "tensor's: write the file again"
            )
        at, before = end, name
    if at != total:
        raise CheckpointError(
            f"{path}: the header accounts for {at} bytes of data, the file has {total}: write or "
            "download it again"
        )
