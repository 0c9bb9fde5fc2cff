"""A module from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from lstm_export.checkpoint import Checkpoint, Weights
from lstm_export.errors import CheckpointError
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.sequence_model import SequenceModel

Module = TypeVar("Module", bound=nn.Module)


def build(checkpoint: Checkpoint) -> Forecaster:
    """The forecaster of `checkpoint`, float32 on the CPU, in eval mode.

    Raises CheckpointError naming every tensor that is missing, of another shape than the
    checkpoint's own terms ask for, not float32, not finite, or of no use; or if it is of another
    task.
    """
    terms = checkpoint.description.forecaster
    return _filled(lambda: Forecaster(terms), checkpoint.weights)


def build_sequence_model(checkpoint: Checkpoint) -> SequenceModel:
    """The model of sequences of `checkpoint`; the rest as `build`."""
    terms = checkpoint.description.sequence_terms
    return _filled(lambda: SequenceModel(terms), checkpoint.weights)


def _filled(make: Callable[[], Module], weights_by_name: Weights) -> Module:
    try:
        model = make()
    except (RuntimeError, ValueError, TypeError) as error:
        raise CheckpointError(f"the checkpoint's terms describe no model: {error}") from None
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    wrong = []
    for name, shape in expected.items():
        weights = weights_by_name.get(name)
        if weights is None:
            wrong.append(f"{name} {shape} is missing")
        elif weights.shape != shape:
            wrong.append(f"{name} has the shape {weights.shape}, expected {shape}")
        elif weights.dtype != np.float32:
            wrong.append(f"{name} is {weights.dtype}, expected float32")
        elif not np.isfinite(weights).all():
            wrong.append(f"{name} holds {np.count_nonzero(~np.isfinite(weights))} NaN or infinity")
    wrong += [f"{name} is not a weight of this model" for name in weights_by_name.keys() - expected]
    if wrong:
        raise CheckpointError(
            "the checkpoint's weights cannot be used: "
            + "; ".join(wrong)
            + ". Take model.safetensors and checkpoint.json from the same run"
        )
    model.load_state_dict({name: torch.tensor(w) for name, w in weights_by_name.items()})
    return model.eval()
