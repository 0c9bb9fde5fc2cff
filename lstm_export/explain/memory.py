"""How long a unit remembers, from the gate that carries its state into the next step.

What an LSTM's unit keeps of c[t] after k steps is f[t+1] · … · f[t+k]: on average the geometric
mean of f to the k-th power. It has fallen to 1/e after

    τ = −1 / mean(log f)

steps, which for f near 1 is the 1 / (1 − f) of Tallec and Ollivier, "Can recurrent neural networks
warp time?" (2018). For a GRU the update gate z takes f's place. Only the direct way is counted, not
what returns through the recurrent weights; a forget gate near 0 forgets, one near 1 keeps.
"""

from __future__ import annotations

import numpy as np

from lstm_export.oracle.layer import Array

FORMULA = "τ = −1 / mean(log f), in steps"


def memory_length(mean_log: Array) -> Array:
    """τ of each unit, (units,), in steps: 0 where the gate was shut for once, ∞ where it was never
    anything but open."""
    with np.errstate(divide="ignore"):
        return np.abs(-1 / mean_log)
