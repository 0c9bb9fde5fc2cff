"""Warnings of the user's own modules, while they are run on the user's behalf.

`warnings.catch_warnings` restores the wrong filters when two threads leave it in the order in which
they entered. Here the first to enter notes the filters and the last to leave puts them back.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Iterator
from typing import Any

_lock = threading.Lock()
_users = 0
_caught: Any = None


@contextlib.contextmanager
def no_warnings() -> Iterator[None]:
    """Within the block the process shows no warnings; blocks may overlap in several threads."""
    global _users, _caught
    with _lock:
        if _users == 0:
            _caught = warnings.catch_warnings()
            _caught.__enter__()
            warnings.simplefilter("ignore")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _caught.__exit__(None, None, None)
                _caught = None


_TALKATIVE = (
    *("torch.onnx", "torch.export", "torch._subclasses.fake_tensor"),
    *("torch.fx.experimental.symbolic_shapes", "onnx_ir"),
)


@contextlib.contextmanager
def no_chatter() -> Iterator[None]:
    """Within the block torch's exporter does not log: what it means for the user, we say."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
