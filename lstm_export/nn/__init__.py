"""The models that are trained and exported, in torch, and the cells by their equations.

The names below load when they are first used: `from lstm_export.nn import LSTMCell`. What they
are is in docs/cells.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_export.nn.equations.convert import from_torch as from_torch
    from lstm_export.nn.equations.convert import to_torch as to_torch
    from lstm_export.nn.equations.elman import ElmanCell as ElmanCell
    from lstm_export.nn.equations.gru import GRUCell as GRUCell
    from lstm_export.nn.equations.layers import EquationLayers as EquationLayers
    from lstm_export.nn.equations.layers import equation_layers as equation_layers
    from lstm_export.nn.equations.lstm import LSTMCell as LSTMCell

_HOMES = {
    "ElmanCell": "lstm_export.nn.equations.elman",
    "EquationLayers": "lstm_export.nn.equations.layers",
    "GRUCell": "lstm_export.nn.equations.gru",
    "LSTMCell": "lstm_export.nn.equations.lstm",
    "equation_layers": "lstm_export.nn.equations.layers",
    "from_torch": "lstm_export.nn.equations.convert",
    "to_torch": "lstm_export.nn.equations.convert",
}

__all__ = [
    "ElmanCell",
    "EquationLayers",
    "GRUCell",
    "LSTMCell",
    "equation_layers",
    "from_torch",
    "to_torch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
