"""One step of each cell in float64, straight from the tensors of one layer in one direction.

σ is the logistic function and ⊙ the product of elements. By layout:

    torch   weight_ih (G·H, in), weight_hh (G·H, S), bias_ih, bias_hh (G·H,), weight_hr (S, H);
            LSTM gates i, f, g, o; GRU r, z, n with the reset gate after the recurrent product.
            torch.nn.LSTM, GRU and RNN document the equations
    keras   kernel (in, G·H), recurrent_kernel (H, G·H), bias (G·H,); LSTM gates i, f, c, o; GRU
            z, r, h, with reset_after a bias of (2, 3H), input above recurrent, and without it the
            reset gate before the recurrent product, as Cho et al. (2014). keras.layers.LSTM, GRU
            and SimpleRNN
    nam     weight (4H, in + H) over input and state beside each other, bias (4H,); gates i, f, g,
            o. Neural Amp Modeler's LSTM
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lstm_export.importing.ops.activations import sigmoid
from lstm_export.importing.ops.op import Float

State = tuple[Float, ...]
"""(h,), or (h, c) of an LSTM: each (batch, size)."""
Cell = Callable[[Float, State], State]
Weights = Mapping[str, Float]
"""Tensors of one layer in one direction, without the number of the layer in their roles."""


def lstm_cell(weights: Weights, layout: str) -> Cell:
    """c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g), h' = σ(o) ⊙ tanh(c'), then W_hr h' where there is one."""
    sums = _SUMS[layout]

    def cell(x: Float, state: State) -> State:
        h, c = state
        i, f, g, o = np.split(sums(weights, x, h), 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        if "weight_hr" in weights:
            h = h @ weights["weight_hr"].T
        return h, c

    return cell


def rnn_cell(weights: Weights, layout: str, activation: str) -> Cell:
    """h' = tanh(W x + R h + b), or with ReLU for tanh."""
    sums = _SUMS[layout]
    if activation == "relu":
        return lambda x, state: (np.maximum(sums(weights, x, state[0]), 0.0),)
    return lambda x, state: (np.tanh(sums(weights, x, state[0])),)


def gru_cell(weights: Weights, layout: str, reset_after: bool) -> Cell:
    """h' = (1 − z) ⊙ n + z ⊙ h; n has the reset gate after the product with h, or before it."""
    if layout == "torch":
        return lambda x, state: (_torch_gru(weights, x, state[0]),)
    return lambda x, state: (_keras_gru(weights, x, state[0], reset_after),)


def _torch_gru(weights: Weights, x: Float, h: Float) -> Float:
    from_x = x @ weights["weight_ih"].T + weights.get("bias_ih", 0.0)
    from_h = h @ weights["weight_hh"].T + weights.get("bias_hh", 0.0)
    x_r, x_z, x_n = np.split(from_x, 3, axis=1)
    h_r, h_z, h_n = np.split(from_h, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    new: Float = (1 - z) * np.tanh(x_n + r * h_n) + z * h
    return new


def _keras_gru(weights: Weights, x: Float, h: Float, reset_after: bool) -> Float:
    bias, recurrent = weights.get("bias"), weights["recurrent_kernel"]
    size = h.shape[1]
    above = 0.0 if bias is None else bias[0] if bias.ndim == 2 else bias
    below = bias[1] if bias is not None and bias.ndim == 2 else 0.0
    x_z, x_r, x_h = np.split(x @ weights["kernel"] + above, 3, axis=1)
    if reset_after:
        h_z, h_r, h_h = np.split(h @ recurrent + below, 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        n = np.tanh(x_h + r * h_h)
    else:
        z = sigmoid(x_z + h @ recurrent[:, :size])
        r = sigmoid(x_r + h @ recurrent[:, size : 2 * size])
        n = np.tanh(x_h + (r * h) @ recurrent[:, 2 * size :])
    new: Float = z * h + (1 - z) * n
    return new


def _torch_sums(weights: Weights, x: Float, h: Float) -> Float:
    biases = weights.get("bias_ih", 0.0) + weights.get("bias_hh", 0.0)
    sums: Float = x @ weights["weight_ih"].T + h @ weights["weight_hh"].T + biases
    return sums


def _keras_sums(weights: Weights, x: Float, h: Float) -> Float:
    sums: Float = x @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights.get("bias", 0.0)
    return sums


def _nam_sums(weights: Weights, x: Float, h: Float) -> Float:
    sums: Float = np.concatenate([x, h], axis=1) @ weights["weight"].T + weights.get("bias", 0.0)
    return sums


_SUMS: dict[str, Callable[[Weights, Float, Float], Float]] = {
    "torch": _torch_sums,
    "keras": _keras_sums,
    "nam": _nam_sums,
}
