"""JSON of strangers: bounded in size and depth, each key once, and never a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from lstm_export.errors import CheckpointError
from lstm_export.importing.pickles.values import shown

# A number takes some ten times its text once it is a Python object.
MOST_BYTES = 256 << 20
MOST_DEPTH = 64
_STRETCH = 1 << 20
# Possessive, and the closing quote optional: one pass, whatever the text.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def read_json(path: Path) -> Any:
    """The value in the file at `path`. Raises CheckpointError as `parsed` does."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise CheckpointError(
                f"{path}: {size} bytes of JSON, expected at most {MOST_BYTES}: save the weights as "
                "safetensors or .npz instead"
            )
        body = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from None
    return parsed(body, str(path))


def parsed(body: bytes, where: str) -> Any:
    """The value that the JSON text `body` holds; NaN and Infinity, which Python writes, are read.

    Raises CheckpointError, naming `where`, for text that is not UTF-8 or not JSON, lists nested
    deeper than MOST_DEPTH, and a key that occurs twice.
    """
    depth = _depth(body)
    if depth > MOST_DEPTH:
        raise CheckpointError(
            f"{where}: JSON nested {depth} deep, expected at most {MOST_DEPTH}: this is no file of "
            "weights"
        )
    try:
        return json.loads(body.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not UTF-8"
    except json.JSONDecodeError as error:
        why = f"{error.msg} at line {error.lineno} column {error.colno}"
    except (ValueError, RecursionError) as error:
        why = str(error)
    raise CheckpointError(f"{where} is not whole JSON ({why}): write or download it again")


def _depth(body: bytes) -> int:
    """How deep lists and objects are nested, whatever stands in strings."""
    marks = np.frombuffer(_STRING.sub(b"", body), np.uint8)
    depth = deepest = 0
    for start in range(0, len(marks), _STRETCH):  # a sum for every byte at once takes gigabytes
        part = marks[start : start + _STRETCH]
        opening = (part == ord("[")) | (part == ord("{"))
        closing = (part == ord("]")) | (part == ord("}"))
        depths = depth + np.cumsum(opening.astype(np.int64) - closing)
        depth, deepest = int(depths[-1]), max(deepest, int(depths.max()))
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)!r} occurs twice in one object")
    return value
