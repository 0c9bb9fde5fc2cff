"""One layer of an LSTM, in torch's gate order i, f, g, o.

Equations as torch.nn.LSTM documents them, which are those of Gers, Schmidhuber and Cummins,
"Learning to Forget" (2000); the projection is that of Sak, Senior and Beaufays (2014)::

    i[t] = σ(W_ii x[t] + b_ii + W_hi h[t−1] + b_hi)        input gate
    f[t] = σ(W_if x[t] + b_if + W_hf h[t−1] + b_hf)        forget gate
    g[t] = tanh(W_ig x[t] + b_ig + W_hg h[t−1] + b_hg)     candidate
    o[t] = σ(W_io x[t] + b_io + W_ho h[t−1] + b_ho)        output gate
    c[t] = f[t] ⊙ c[t−1] + i[t] ⊙ g[t]
    h[t] = o[t] ⊙ tanh(c[t])                               then W_hr h[t] where there is a W_hr

`weight_ih` is W_ii, W_if, W_ig, W_io on top of each other, and so are the others.
"""

from __future__ import annotations

import numpy as np

from lstm_export.oracle.layer import Array, LayerWeights, State, sigmoid
from lstm_export.oracle.probe import Probe

GATES = 4


def lstm(
    x: Array, weights: LayerWeights, state: State, probe: Probe | None = None
) -> tuple[Array, State]:
    """Runs x (batch, sequence_length, input_size) from (h, c).

    Gives y (batch, sequence_length, state_size) and the last (h, c); h is (batch, state_size) and
    c (batch, hidden_size). A `probe` sees the gates input, forget, candidate and output, and c.
    """
    h, c = state
    y = np.empty((*x.shape[:2], h.shape[1]))
    for t in range(x.shape[1]):
        from_input = x[:, t] @ weights.weight_ih.T + weights.bias_ih
        from_state = h @ weights.weight_hh.T + weights.bias_hh
        a_i, a_f, a_g, a_o = np.split(from_input + from_state, GATES, axis=1)
        i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
        if probe is not None:
            i, f, g, o = probe.gates(input=i, forget=f, candidate=g, output=o)
        c = f * c + i * g
        h = o * np.tanh(c)
        if weights.weight_hr is not None:
            h = h @ weights.weight_hr.T
        y[:, t] = h
        if probe is not None:
            probe.state(c)
    return y, (h, c)
