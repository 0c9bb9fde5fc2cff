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

An arrangement may name another order of gates, and which of the biases count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from lstm_export.importing.ops.activations import sigmoid
from lstm_export.importing.ops.arrangement import Arrangement
from lstm_export.importing.ops.op import Float

State = tuple[Float, ...]
"""(h,), or (h, c) of an LSTM: each (batch, size)."""
Cell = Callable[[Float, State], State]
Weights = Mapping[str, Float]
"""Tensors of one layer in one direction, without the number of the layer in their roles."""


def lstm_cell(weights: Weights, arranged: Arrangement) -> Cell:
    """c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g), h' = σ(o) ⊙ tanh(c'), then W_hr h' where there is one."""
    products, (above, below) = _PRODUCTS[arranged.layout], _biases(weights, arranged)

    def cell(x: Float, state: State) -> State:
        h, c = state
        from_x, from_h = products(weights, x, h)
        gates = _gates(from_x + from_h + above + below, arranged.gates or "ifgo")
        c = sigmoid(gates["f"]) * c + sigmoid(gates["i"]) * np.tanh(gates["g"])
        h = sigmoid(gates["o"]) * np.tanh(c)
        if "weight_hr" in weights:
            h = h @ weights["weight_hr"].T
        return h, c

    return cell


def rnn_cell(weights: Weights, arranged: Arrangement, activation: str) -> Cell:
    """h' = tanh(W x + R h + b), or with ReLU for tanh."""
    products, (above, below) = _PRODUCTS[arranged.layout], _biases(weights, arranged)

    def cell(x: Float, state: State) -> State:
        from_x, from_h = products(weights, x, state[0])
        sums = from_x + from_h + above + below
        return (np.maximum(sums, 0.0) if activation == "relu" else np.tanh(sums),)

    return cell


def gru_cell(weights: Weights, arranged: Arrangement, reset_after: bool) -> Cell:
    """h' = (1 − z) ⊙ n + z ⊙ h; n has the reset gate after the product with h, or before it."""
    products, (above, below) = _PRODUCTS[arranged.layout], _biases(weights, arranged)
    order = arranged.gates or {"torch": "rzn", "keras": "zrn"}[arranged.layout]

    def cell(x: Float, state: State) -> State:
        (h,) = state
        from_x, from_h = products(weights, x, h)
        by_x, by_h = _gates(from_x + above, order), _gates(from_h + below, order)
        z, r = sigmoid(by_x["z"] + by_h["z"]), sigmoid(by_x["r"] + by_h["r"])
        if reset_after:
            n = np.tanh(by_x["n"] + r * by_h["n"])
        else:
            # Only Keras has this: its columns, and its one bias, which the gate leaves alone.
            inner = _gates(weights["recurrent_kernel"], order)["n"]
            n = np.tanh(by_x["n"] + (r * h) @ inner + _gates(below, order)["n"])
        return ((1 - z) * n + z * h,)

    return cell


def _gates(sums: Float, order: str) -> dict[str, Float]:
    """The last axis in equal parts, by the letter of each."""
    return dict(zip(order, np.split(sums, len(order), axis=-1), strict=True))


def _biases(weights: Weights, arranged: Arrangement) -> tuple[Float, Float]:
    """What is added to the product with x and to the one with h, (G·H,) each: what counts."""
    if arranged.layout == "torch":
        size = len(weights["weight_hh"])
        above, below = weights.get("bias_ih"), weights.get("bias_hh")
    else:
        matrix = weights.get("recurrent_kernel")
        size = len(weights["weight"]) if matrix is None else matrix.shape[1]
        bias = weights.get("bias")
        above, below = (bias[0], bias[1]) if bias is not None and bias.ndim == 2 else (bias, None)
    zeros = np.zeros(size)
    above, below = (zeros if part is None else part for part in (above, below))
    return {
        "both": (above, below),
        "input": (above, zeros),
        "recurrent": (zeros, below),
        "none": (zeros, zeros),
        # Only one of the two is there.
        "twice": (above + below, above + below),
    }[arranged.bias]


def _torch_products(weights: Weights, x: Float, h: Float) -> tuple[Float, Float]:
    return x @ weights["weight_ih"].T, h @ weights["weight_hh"].T


def _keras_products(weights: Weights, x: Float, h: Float) -> tuple[Float, Float]:
    return x @ weights["kernel"], h @ weights["recurrent_kernel"]


def _nam_products(weights: Weights, x: Float, h: Float) -> tuple[Float, Float]:
    width = x.shape[1]
    return x @ weights["weight"][:, :width].T, h @ weights["weight"][:, width:].T


_PRODUCTS: dict[str, Callable[[Weights, Float, Float], tuple[Float, Float]]] = {
    "torch": _torch_products,
    "keras": _keras_products,
    "nam": _nam_products,
}
"""The input weights times x and the recurrent ones times h, (batch, G·H) each."""
