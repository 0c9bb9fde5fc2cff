"""One layer of a plain (Elman) RNN, as torch.nn.RNN documents it::

    h[t] = tanh(W_ih x[t] + b_ih + W_hh h[t−1] + b_hh)

Elman, "Finding Structure in Time" (1990).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lstm_export.oracle.layer import Array, LayerWeights, State
from lstm_export.oracle.probe import Probe

GATES = 1


def rnn(
    x: Array,
    weights: LayerWeights,
    state: State,
    probe: Probe | None = None,
    *,
    activation: Callable[[Array], Array] = np.tanh,
) -> tuple[Array, State]:
    """Runs x (batch, sequence_length, input_size) from (h,).

    Gives y (batch, sequence_length, hidden_size) and the last (h,); h is (batch, hidden_size). A
    `probe` sees h; there are no gates. `activation` takes tanh's place in an RNN that has another.
    """
    (h,) = state
    y = np.empty((*x.shape[:2], h.shape[1]))
    for t in range(x.shape[1]):
        from_input = x[:, t] @ weights.weight_ih.T + weights.bias_ih
        from_state = h @ weights.weight_hh.T + weights.bias_hh
        h = activation(from_input + from_state)
        y[:, t] = h
        if probe is not None:
            probe.state(h)
    return y, (h,)
