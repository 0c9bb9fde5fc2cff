"""Training by the cells that `lstm_export.nn` has written out, in the place of torch's layers."""

from __future__ import annotations

from typing import Any, TypeVar

from lstm_export.nn.equations.convert import from_torch, to_torch
from lstm_export.nn.trainable import Trainable

Model = TypeVar("Model", bound=Trainable)


def written_out(model: Model) -> Model:
    """`model`, its recurrent layers the same function by their equations."""
    layers: Any = model
    layers.recurrent = from_torch(layers.recurrent)
    return model


def in_torch(model: Model) -> Model:
    """The reverse: checkpoints hold torch's layout, whichever way a model was trained."""
    layers: Any = model
    layers.recurrent = to_torch(layers.recurrent)
    return model
