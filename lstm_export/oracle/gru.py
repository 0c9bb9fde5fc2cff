"""One layer of a GRU, in torch's gate order r, z, n.

Equations as torch.nn.GRU documents them. They differ from Cho et al. (2014) in one place: the
reset gate is applied after the product with h, not before it (in Keras `reset_after=True`, in
ONNX `linear_before_reset=1`), so that b_hn stands inside the bracket::

    r[t] = σ(W_ir x[t] + b_ir + W_hr h[t−1] + b_hr)              reset gate
    z[t] = σ(W_iz x[t] + b_iz + W_hz h[t−1] + b_hz)              update gate
    n[t] = tanh(W_in x[t] + b_in + r[t] ⊙ (W_hn h[t−1] + b_hn))  candidate
    h[t] = (1 − z[t]) ⊙ n[t] + z[t] ⊙ h[t−1]

`weight_ih` is W_ir, W_iz, W_in on top of each other, and so are the others.
"""

from __future__ import annotations

import numpy as np

from lstm_export.oracle.layer import Array, LayerWeights, State, sigmoid

GATES = 3


def gru(x: Array, weights: LayerWeights, state: State) -> tuple[Array, State]:
    """Runs x (batch, sequence_length, input_size) from (h,).

    Gives y (batch, sequence_length, hidden_size) and the last (h,); h is (batch, hidden_size).
    """
    (h,) = state
    y = np.empty((*x.shape[:2], h.shape[1]))
    for t in range(x.shape[1]):
        from_input = x[:, t] @ weights.weight_ih.T + weights.bias_ih
        from_state = h @ weights.weight_hh.T + weights.bias_hh
        x_r, x_z, x_n = np.split(from_input, GATES, axis=1)
        h_r, h_z, h_n = np.split(from_state, GATES, axis=1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        h = (1 - z) * n + z * h
        y[:, t] = h
    return y, (h,)
