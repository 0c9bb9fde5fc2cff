"""sha256 without OpenSSL where that is worth it.

`import hashlib` maps OpenSSL: 4 MB of memory and 3 ms, as much as everything else that the runtime
needs for a small bundle. The interpreter's own sha256 gives the same digest, at a sixth of the
speed, so large files still go through hashlib.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable

_LARGE = 1 << 21
_BUILT_IN = "_sha2" if sys.version_info >= (3, 12) else "_sha256"


def sha256_hex(content: bytes) -> str:
    """The sha256 of `content` in hexadecimal."""
    module = "hashlib" if len(content) >= _LARGE else _BUILT_IN
    try:
        digest = importlib.import_module(module)
    except ImportError:  # an interpreter built without its own
        digest = importlib.import_module("hashlib")
    return str(digest.sha256(content).hexdigest())


def sha256_of_pieces(pieces: Iterable[bytes | memoryview]) -> str:
    """The sha256 of what `pieces` are together, in hexadecimal."""
    digest = importlib.import_module("hashlib").sha256()
    for piece in pieces:
        digest.update(piece)
    return str(digest.hexdigest())
