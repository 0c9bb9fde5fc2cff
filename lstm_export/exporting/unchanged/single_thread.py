"""torch on one thread while small things are run.

The threads of torch's recurrent layers wait for each other at every step; where the cores have
other work to do, a step can take a second. And one thread rounds alike on every machine.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

_lock = threading.Lock()
_users = 0
_usual = 1


@contextlib.contextmanager
def single_thread() -> Iterator[None]:
    """Within the block torch computes on the calling thread alone.

    Blocks may overlap in several threads: the last to leave restores the number that the first
    found.
    """
    global _users, _usual
    with _lock:
        if _users == 0:
            _usual = torch.get_num_threads()
        _users += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            torch.set_num_threads(_usual)
