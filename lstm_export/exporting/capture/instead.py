"""Something else in place of the forward of a module's recurrent layers, for a while.

The layers are those of torch.nn and those by their equations (`lstm_export.nn`). The classes are
patched, so subclasses that call super().forward() are reached, but the patch acts only in a thread
that asked for it and only on the layers of its module: everyone else gets the class's own forward.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from lstm_export.exporting.gates import RecurrentLayers
from lstm_export.nn.equations.layers import EquationLayers

Forward = Callable[[RecurrentLayers, Any, Any], Any]
"""The class's own: a layer, its input and its initial state or None."""
Instead = Callable[[Forward, str, RecurrentLayers, Any, Any], Any]
"""What is called for it: with the class's forward, the layer's path, and forward's arguments."""

_CLASSES: tuple[type[nn.Module], ...] = (nn.LSTM, nn.GRU, nn.RNN, EquationLayers)
_originals: dict[type, Callable[..., Any]] = {}
_patch_lock = threading.Lock()
_patch_users = 0
_here = threading.local()


@contextlib.contextmanager
def instead_of_forward(module: nn.Module, instead: Instead) -> Iterator[None]:
    """Within the block, in this thread, the recurrent layers inside `module` do `instead`."""
    paths = {
        id(child): path for path, child in module.named_modules() if isinstance(child, _CLASSES)
    }
    _install()
    previous = getattr(_here, "asked", None)
    _here.asked = paths, instead
    try:
        yield
    finally:
        _here.asked = previous
        _remove()


def _install() -> None:
    global _patch_users
    with _patch_lock:
        if _patch_users == 0:
            for cls in _CLASSES:
                _originals[cls] = cls.forward
                cls.forward = _dispatching(cls.forward)
        _patch_users += 1


def _remove() -> None:
    global _patch_users
    with _patch_lock:
        _patch_users -= 1
        if _patch_users == 0:
            for cls, forward in _originals.items():
                cls.forward = forward  # type: ignore[attr-defined]
            _originals.clear()


def _dispatching(original: Forward) -> Callable[..., Any]:
    _, first, second = inspect.signature(original).parameters

    @functools.wraps(original)
    def forward(self: RecurrentLayers, *args: Any, **kwargs: Any) -> Any:
        asked: tuple[dict[int, str], Instead] | None = getattr(_here, "asked", None)
        if asked is None or id(self) not in asked[0]:
            return original(self, *args, **kwargs)
        given = dict(zip((first, second), args, strict=False)) | kwargs
        paths, instead = asked
        return instead(original, paths[id(self)], self, given[first], given.get(second))

    return forward
