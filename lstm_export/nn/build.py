"""A module from a checkpoint."""

from __future__ import annotations

import numpy as np
import torch

from lstm_export.checkpoint import Checkpoint
from lstm_export.errors import CheckpointError
from lstm_export.nn.forecaster import Forecaster


def build(checkpoint: Checkpoint) -> Forecaster:
    """The forecaster of `checkpoint`, float32 on the CPU, in eval mode.

    Raises CheckpointError naming every tensor that is missing, of another shape than the
    checkpoint's own terms ask for, not float32, not finite, or of no use.
    """
    try:
        model = Forecaster(checkpoint.description.forecast)
    except (RuntimeError, ValueError, TypeError) as error:
        raise CheckpointError(f"the checkpoint's terms describe no model: {error}") from None
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    wrong = []
    for name, shape in expected.items():
        weights = checkpoint.weights.get(name)
        if weights is None:
            wrong.append(f"{name} {shape} is missing")
        elif weights.shape != shape:
            wrong.append(f"{name} has the shape {weights.shape}, expected {shape}")
        elif weights.dtype != np.float32:
            wrong.append(f"{name} is {weights.dtype}, expected float32")
        elif not np.isfinite(weights).all():
            wrong.append(f"{name} holds {np.count_nonzero(~np.isfinite(weights))} NaN or infinity")
    wrong += [
        f"{name} is not a weight of this model" for name in checkpoint.weights.keys() - expected
    ]
    if wrong:
        raise CheckpointError(
            "the checkpoint's weights cannot be used: "
            + "; ".join(wrong)
            + ". Take model.safetensors and checkpoint.json from the same run"
        )
    model.load_state_dict({name: torch.tensor(w) for name, w in checkpoint.weights.items()})
    return model.eval()
