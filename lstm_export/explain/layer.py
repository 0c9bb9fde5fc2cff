"""A recurrent node of ONNX computed by the oracle's equations.

Weights as https://onnx.ai/onnx/operators/onnx__LSTM.html has them, and those of GRU and RNN: W
(directions, G * hidden_size, input_size), R (directions, G * hidden_size, hidden_size) and B
(directions, 2 * G * hidden_size), that is b_W beside b_R. The gates stand in the order i, o, f, c,
or z, r, h.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.contract import Cell
from lstm_export.explain.nodes import RecurrentNode
from lstm_export.oracle.gru import gru
from lstm_export.oracle.layer import Array, LayerWeights
from lstm_export.oracle.lstm import lstm
from lstm_export.oracle.probe import Probe
from lstm_export.oracle.rnn import rnn

Tensor = npt.NDArray[Any]
Tensors = Mapping[str, Tensor]

_ORDER: dict[Cell, tuple[int, ...]] = {"lstm": (0, 2, 3, 1), "gru": (1, 0, 2), "rnn": (0,)}
"""Where torch's gates i, f, g, o or r, z, n stand among ONNX's."""


def run_node(
    node: RecurrentNode,
    fed: Tensors,
    dtype: type[np.floating[Any]] = np.float64,
    probes: Sequence[Probe | None] = (),
    *,
    cut: int | None = None,
) -> dict[str, Tensor]:
    """Y (sequence_length, directions, batch, hidden_size), Y_h and, of an LSTM, Y_c (directions,
    batch, hidden_size), computed in `dtype`.

    `fed` are the node's inputs by their role; `probes` has one for each direction. In the
    direction `cut` nothing of the state before enters a step: R is taken as zero.
    """
    x = fed["X"].transpose(1, 0, 2).astype(dtype)
    batch, length, directions = x.shape[0], x.shape[1], len(node.backward)
    shape = (directions, batch, node.hidden_size)
    Y: Tensor = np.zeros((length, *shape))
    last = [_state(fed, role, shape, dtype) for role in _states(node.cell)]
    lengths = fed.get("sequence_lens", np.full(batch, length)).astype(np.int64)
    for d, backward in enumerate(node.backward):
        weights = _weights(node.cell, fed, d, dtype, cut=cut == d)
        layer = _layer(node, probes[d] if probes else None)
        for steps in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == steps)
            seen = x[rows, :steps]
            start = tuple(state[d, rows] for state in last)
            y, end = layer(seen[:, ::-1] if backward else seen, weights, start)
            Y[:steps, d, rows] = (y[:, ::-1] if backward else y).transpose(1, 0, 2)
            for state, value in zip(last, end, strict=True):
                state[d, rows] = value
    return {
        "Y": Y,
        **{f"Y_{role[-1]}": s for role, s in zip(_states(node.cell), last, strict=True)},
    }


def _layer(node: RecurrentNode, probe: Probe | None) -> Any:
    if node.cell == "gru":
        return partial(gru, probe=probe, reset_after=node.reset_after)
    if node.cell == "rnn":
        return partial(rnn, probe=probe, activation=_relu if node.relu else np.tanh)
    return partial(lstm, probe=probe)


def _relu(a: Array) -> Array:
    return np.maximum(a, 0)


def _states(cell: Cell) -> tuple[str, ...]:
    return ("initial_h", "initial_c") if cell == "lstm" else ("initial_h",)


def _state(fed: Tensors, role: str, shape: tuple[int, ...], dtype: Any) -> Tensor:
    return fed[role].astype(dtype) if role in fed else np.zeros(shape, dtype)


def _weights(
    cell: Cell, fed: Tensors, direction: int, dtype: type[np.floating[Any]], *, cut: bool
) -> LayerWeights:
    order = list(_ORDER[cell])

    def in_order(rows: Tensor) -> Tensor:
        gates = rows.reshape(len(order), -1, *rows.shape[1:])
        return gates[order].reshape(rows.shape).astype(dtype)

    W, R = fed["W"][direction], fed["R"][direction]
    b = fed["B"][direction] if "B" in fed else np.zeros(2 * len(W), dtype)
    return LayerWeights(
        weight_ih=in_order(W),
        weight_hh=in_order(np.zeros_like(R) if cut else R),
        bias_ih=in_order(b[: len(W)]),
        bias_hh=in_order(b[len(W) :]),
    )
