"""Raw arrays into torch's parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn


def fill(module: nn.Module, **values: Any) -> None:
    """Copies arrays into the parameters and buffers of those names; None leaves them alone."""
    with torch.no_grad():
        for name, value in values.items():
            if value is not None:
                getattr(module, name).copy_(torch.tensor(np.asarray(value, dtype=np.float64)))
