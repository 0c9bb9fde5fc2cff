"""Keeping the memory of one training step for the next."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_SETTINGS = ((_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 << 20), (_M_MMAP_MAX, 0))
_DEFAULTS = ((_M_TRIM_THRESHOLD, 128 << 10), (_M_TOP_PAD, 128 << 10), (_M_MMAP_MAX, 65_536))
"""glibc's own values; see mallopt(3)."""


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Within the block, glibc keeps freed memory instead of giving it back to the kernel.

    Every step of training frees what it worked in (tens of megabytes for long windows) and asks
    for the same again. By default glibc gets such blocks from mmap and trims the heap, so that the
    kernel hands out, and clears, every page anew: 2×LSTM(50) on batches of 256 windows of 100 has
    25,000 page faults a step, a third of its time. Raising the mmap threshold is not enough, since
    glibc takes at most 32 MiB for it; no mmap and no trimming bring the faults to none.
    What was kept is given back at the end. Elsewhere than on glibc this does nothing.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    for setting, value in _SETTINGS:
        libc.mallopt(setting, value)
    try:
        yield
    finally:
        for setting, value in _DEFAULTS:
            libc.mallopt(setting, value)
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):  # no such library; Windows knows no CDLL(None)
        return None
    known = all(hasattr(libc, name) for name in ("gnu_get_libc_version", "mallopt", "malloc_trim"))
    return libc if known else None
