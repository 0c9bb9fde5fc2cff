"""One layer of a GRU, in torch's gate order r, z, n.

Equations as torch.nn.GRU documents them. They differ from Cho et al. (2014) in one place: the
reset gate is applied after the product with h, not before it (in Keras `reset_after=True`, in
ONNX `linear_before_reset=1`), so that b_hn stands inside the bracket::

    r[t] = σ(W_ir x[t] + b_ir + W_hr h[t−1] + b_hr)              reset gate
    z[t] = σ(W_iz x[t] + b_iz + W_hz h[t−1] + b_hz)              update gate
    n[t] = tanh(W_in x[t] + b_in + r[t] ⊙ (W_hn h[t−1] + b_hn))  candidate
    h[t] = (1 − z[t]) ⊙ n[t] + z[t] ⊙ h[t−1]

With `reset_after=False` a layer follows Cho et al., as ONNX does by default::

    n[t] = tanh(W_in x[t] + b_in + W_hn (r[t] ⊙ h[t−1]) + b_hn)

`weight_ih` is W_ir, W_iz, W_in on top of each other, and so are the others.
"""

from __future__ import annotations

import numpy as np

from lstm_export.oracle.layer import Array, LayerWeights, State, sigmoid
from lstm_export.oracle.probe import Probe

GATES = 3


def gru(
    x: Array,
    weights: LayerWeights,
    state: State,
    probe: Probe | None = None,
    *,
    reset_after: bool = True,
) -> tuple[Array, State]:
    """Runs x (batch, sequence_length, input_size) from (h,).

    Gives y (batch, sequence_length, hidden_size) and the last (h,); h is (batch, hidden_size). A
    `probe` sees the gates reset and update, then the candidate that follows from them, and h.
    """
    (h,) = state
    w_hn, b_hn = np.split(weights.weight_hh, GATES)[2], np.split(weights.bias_hh, GATES)[2]
    y = np.empty((*x.shape[:2], h.shape[1]))
    for t in range(x.shape[1]):
        from_input = x[:, t] @ weights.weight_ih.T + weights.bias_ih
        from_state = h @ weights.weight_hh.T + weights.bias_hh
        x_r, x_z, x_n = np.split(from_input, GATES, axis=1)
        h_r, h_z, h_n = np.split(from_state, GATES, axis=1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        if probe is not None:
            r, z = probe.gates(reset=r, update=z)
        n = np.tanh(x_n + (r * h_n if reset_after else (r * h) @ w_hn.T + b_hn))
        if probe is not None:
            (n,) = probe.gates(candidate=n)
        h = (1 - z) * n + z * h
        y[:, t] = h
        if probe is not None:
            probe.state(h)
    return y, (h,)
