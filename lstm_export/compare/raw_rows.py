"""Values that look like what a model was trained on, the same on every machine.

They come from NumPy's PCG64 by additions and multiplications alone, never through a library's sine
or logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Column, Recurrent, Scaling

Scale = Literal["tiny", "typical", "large"]
State = Literal["zero", "random"]

SCALES: dict[Scale, float] = {"tiny": 1e-3, "typical": 1.0, "large": 30.0}
"""Spread of what the recurrent layers see, in units of the training data's: gates that hardly
move, gates that work, and gates that saturate."""
STATES: tuple[State, ...] = ("zero", "random")

_LIMIT = 1e30
"""No raw value exceeds this: a forecast near the end of float32 says nothing about parity."""
_REACH: dict[State, float] = {"zero": 0.0, "random": 1.0}


def raw_rows(
    features: Sequence[Column],
    scaling: Scaling,
    shape: tuple[int, int],
    scale: Scale,
    rng: np.random.Generator,
    *,
    lag: int = 0,
) -> npt.NDArray[np.float32]:
    """Rows (batch, length, features) that start inside the columns' ranges and, where a model sees
    differences over `lag` rows, go on as the training data did."""
    factor, length = SCALES[scale], shape[1]
    low, high = (
        np.clip(np.array([getattr(c, end) for c in features], np.float64), -_LIMIT, _LIMIT)
        for end in ("minimum", "maximum")
    )
    centre, reach = (low + high) / 2, np.abs(high - low) / 2
    offset = np.array(scaling.offset, dtype=np.float64)
    spread = np.array(scaling.scale) if scaling.kind != "none" else reach
    noise = _uniform(rng, (*shape, len(features)))
    values = centre + reach * noise
    if lag:
        steps = offset + factor * spread * noise
        for t in range(lag, length):
            values[:, t] = values[:, t - lag] + steps[:, t]
    elif scale != "typical":
        values = offset + factor * spread * noise
    return np.clip(values, -_LIMIT, _LIMIT).astype(np.float32)


def initial_states(
    spec: Recurrent, batch: int, state: State, rng: np.random.Generator
) -> dict[str, npt.NDArray[np.float32]]:
    """`initial_h` and for an LSTM `initial_c`, as torch has them.

    A random state is uniform in (−1, 1) for h, where a cell can really be, and in (−2, 2) for c.
    """
    reach = _REACH[state]
    h_shape = (spec.num_layers * spec.num_directions, batch, spec.state_size)
    states = {"initial_h": (reach * _uniform(rng, h_shape)).astype(np.float32)}
    if spec.cell == "lstm":
        c_shape = (*h_shape[:2], spec.hidden_size)
        states["initial_c"] = (2 * reach * _uniform(rng, c_shape)).astype(np.float32)
    return states


def _uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Uniform in [−1, 1)."""
    return 2 * rng.random(shape) - 1
