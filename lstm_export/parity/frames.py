"""Tensors between the verifier and a runtime in a process of its own, over a pair of pipes.

So plain that a hundred lines of C or JavaScript speak it too. A message is a line of ASCII,
`run 2`, and as many tensors, each of them a line, `x float32 3 2 5 1` (name, dtype, rank, sizes),
and then its bytes: little-endian, row-major, and no more of them than the line says.

A runtime begins with `ready 0`, once its model is loaded, or with `refused <bytes>` and a text of
that many bytes. It answers `run` by `ok` and all outputs, or by `failed <bytes>` and a text; both
texts are its own words. Where its input ends, it ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
import numpy.typing as npt

Tensors = Mapping[str, npt.NDArray[Any]]
Word = Literal["run", "ready", "ok", "refused", "failed"]
DTYPES = (
    *("float32", "float64", "float16", "int64", "int32", "int16", "int8"),
    *("uint8", "uint16", "uint32", "uint64", "bool"),
)
_TEXTS = ("refused", "failed")
_LONGEST_LINE = 4096
_MOST_TENSORS = 1000
_LONGEST_TEXT = 1 << 20


class FrameError(Exception):
    """Bytes that are no message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `tensors` of run and ok, or the `text` of refused and failed."""

    word: Word
    tensors: Tensors
    text: str = ""


def written(word: Word, tensors: Tensors | None = None, text: str = "") -> bytes:
    """A message as bytes. Raises FrameError for a name or a dtype that no line can say."""
    if word in _TEXTS:
        body = text.encode()[:_LONGEST_TEXT]
        return f"{word} {len(body)}\n".encode() + body
    pieces = [f"{word} {len(tensors or {})}\n".encode()]
    for name, given in (tensors or {}).items():
        # np.ascontiguousarray would give a number an axis.
        array = np.asarray(given, order="C")
        if not name or not name.isascii() or any(c.isspace() for c in name):
            raise FrameError(f"expected a name of ASCII without white space, got {name!r}")
        if str(array.dtype.newbyteorder("=")) not in DTYPES:
            raise FrameError(f"{name}: expected one of {', '.join(DTYPES)}, got {array.dtype}")
        sizes = " ".join(map(str, (array.ndim, *array.shape)))
        pieces.append(f"{name} {array.dtype.newbyteorder('=')} {sizes}\n".encode())
        pieces.append(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return b"".join(pieces)


def read(stream: BinaryIO) -> Message | None:
    """The next message, or None where the stream has ended. Raises FrameError for anything else."""
    line = stream.readline(_LONGEST_LINE)
    if not line:
        return None
    word, *counts = _words(line)
    if word not in get_args(Word) or len(counts) != 1:
        raise FrameError(f"expected a message, got {line[:60]!r}")
    count = _number(counts[0])
    if word in _TEXTS:
        text = _exactly(stream, min(count, _LONGEST_TEXT)).decode("utf-8", "replace")
        return Message(word, {}, text)  # type: ignore[arg-type]  # just compared
    if count > _MOST_TENSORS:
        raise FrameError(f"expected at most {_MOST_TENSORS} tensors, got {count}")
    tensors = dict(_tensor(stream) for _ in range(count))
    return Message(word, tensors)  # type: ignore[arg-type]  # just compared


def _tensor(stream: BinaryIO) -> tuple[str, npt.NDArray[Any]]:
    line = stream.readline(_LONGEST_LINE)
    name, *rest = _words(line)
    if len(rest) < 2 or rest[0] not in DTYPES:
        raise FrameError(f"expected a tensor's name, dtype, rank and sizes, got {line[:60]!r}")
    rank, *shape = map(_number, rest[1:])
    if rank != len(shape):
        raise FrameError(f"{name}: expected {rank} sizes, got {line[:60]!r}")
    dtype = np.dtype(rest[0]).newbyteorder("<")
    body = _exactly(stream, math.prod(shape) * dtype.itemsize)
    array = np.frombuffer(body, dtype).reshape(shape)
    return name, array.astype(dtype.newbyteorder("="))


def _words(line: bytes) -> list[str]:
    if not line.endswith(b"\n") or not line.isascii():
        raise FrameError(f"expected a line of ASCII, got {line[:60]!r}")
    words = line.decode("ascii").split()
    if not words:
        raise FrameError("expected a message, got an empty line")
    return words


def _number(word: str) -> int:
    if not word.isdigit() or len(word) > 15:
        raise FrameError(f"expected a number, got {word[:40]!r}")
    return int(word)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes, read piece by piece, so that nothing is reserved on the word of a line."""
    pieces, missing = list[bytes](), count
    while missing:
        piece = stream.read(min(missing, 1 << 20))
        if not piece:
            raise FrameError(f"expected {count} bytes, got {count - missing}")
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)
