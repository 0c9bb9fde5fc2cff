"""LSTM, GRU and RNN as torch has them, their weights brought into torch's arrangement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_export.importing.description import Step
from lstm_export.importing.modules.reset_before import ResetBefore
from lstm_export.importing.ops.arrangement import LETTERS, Arrangement, arrangement
from lstm_export.importing.ops.op import Float, Tensors
from lstm_export.importing.ops.recurrent import is_batch_first
from lstm_export.importing.ops.recurrent_weights import Weights, recurrence

_KERAS_GATES = {"lstm": "ifgo", "gru": "zrn"}
"""The gates as Keras stacks them: its GRU has z, r, h, torch's r, z, n."""


class Recurrent(nn.Module):
    """x, then what the step takes, to (y, h) or, of an LSTM, (y, h, c).

    A state that the file holds starts every sequence where none is given.
    """

    def __init__(
        self,
        cells: nn.RNNBase | ResetBefore,
        takes: tuple[str, ...],
        batch_first: bool,
        initial: Mapping[str, Float],
    ) -> None:
        super().__init__()
        self.cells, self.takes, self.batch_first = cells, takes, batch_first
        self.is_lstm = isinstance(cells, nn.LSTM)
        self.starts = bool(initial)
        if initial:
            for name in ("initial_h", "initial_c")[: 2 if self.is_lstm else 1]:
                state = initial.get(name)
                if state is None:
                    # torch takes both or none.
                    other = initial["initial_c" if name == "initial_h" else "initial_h"]
                    width = cells.hidden_size
                    if name == "initial_h" and isinstance(cells, nn.LSTM):
                        width = cells.proj_size or width
                    state = np.zeros((len(other), width))
                self.register_buffer(name, torch.tensor(state[:, None], dtype=torch.float32))

    def forward(self, x: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(self.takes, given, strict=True))
        state = self._state(x, named)
        lengths = named.get("lengths")
        if isinstance(self.cells, ResetBefore):
            h_0 = state[0] if isinstance(state, tuple) else state
            y, h = self.cells(x if self.batch_first else x.transpose(0, 1), h_0, lengths)
            return (y if self.batch_first else y.transpose(0, 1)), h
        if lengths is None:
            y, final = self.cells(x, state)
        else:
            packed = pack_padded_sequence(
                x, lengths.cpu(), batch_first=self.batch_first, enforce_sorted=False
            )
            packed, final = self.cells(packed, state)
            y, _ = pad_packed_sequence(
                packed,
                batch_first=self.batch_first,
                total_length=x.size(1 if self.batch_first else 0),
            )
        return (y, *final) if self.is_lstm else (y, final)

    def _state(self, x: Tensor, named: Mapping[str, Tensor]) -> Any:
        if "initial_h" in named:
            return (named["initial_h"], named["initial_c"]) if self.is_lstm else named["initial_h"]
        if not self.starts:
            return None
        batch = x.size(0 if self.batch_first else 1)
        h = self.get_buffer("initial_h").expand(-1, batch, -1).contiguous()
        if not self.is_lstm:
            return h
        return h, self.get_buffer("initial_c").expand(-1, batch, -1).contiguous()


def recurrent(step: Step, tensors: Tensors) -> nn.Module:
    """The module of an lstm, gru or rnn step."""
    sizes, takes = recurrence(step, tensors), tuple(step.options.get("takes", ()))
    arranged = arrangement(step)
    layers = [[_torch(step.op, arranged, one) for one in layer] for layer in sizes.layers]
    if not sizes.reset_after:
        cells: nn.RNNBase | ResetBefore = ResetBefore(sizes.hidden_size, layers)
        return Recurrent(cells, takes, is_batch_first(step), sizes.initial)
    biased = any("bias_ih" in one or "bias_hh" in one for layer in layers for one in layer)
    options: dict[str, Any] = {
        "num_layers": len(layers),
        "bias": biased,
        "batch_first": is_batch_first(step),
        "bidirectional": sizes.directions == 2,
    }
    if step.op == "lstm":
        projected = "weight_hr" in sizes.layers[0][0]
        options["proj_size"] = sizes.state_size if projected else 0
        cells = nn.LSTM(sizes.input_size, sizes.hidden_size, **options)
    elif step.op == "gru":
        cells = nn.GRU(sizes.input_size, sizes.hidden_size, **options)
    else:
        options["nonlinearity"] = step.options.get("activation", "tanh")
        cells = nn.RNN(sizes.input_size, sizes.hidden_size, **options)
    with torch.no_grad():
        for number, layer in enumerate(layers):
            for way, weights in enumerate(layer):
                for role in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"):
                    name = f"{role}_l{number}" + "_reverse" * way
                    if not hasattr(cells, name):
                        continue
                    parameter = cells.get_parameter(name)
                    # A bias that is not there is one of zeros.
                    value = weights.get(role)
                    parameter.copy_(
                        torch.zeros_like(parameter) if value is None else torch.tensor(value)
                    )
    return Recurrent(cells, takes, is_batch_first(step), sizes.initial)


def _torch(op: str, arranged: Arrangement, weights: Weights) -> dict[str, Float]:
    """One layer in one direction under torch's names and in its order, the biases that count."""
    order = LETTERS.get(op, "")
    if arranged.layout == "torch":
        found = dict(weights)
    elif arranged.layout == "nam":
        rows, columns = weights["weight"].shape
        split = columns - rows // 4
        found = {
            "weight_ih": weights["weight"][:, :split],
            "weight_hh": weights["weight"][:, split:],
        }
        found |= {"bias_ih": weights["bias"]} if "bias" in weights else {}
    else:
        order = _KERAS_GATES.get(op, "")
        found = {"weight_ih": weights["kernel"].T, "weight_hh": weights["recurrent_kernel"].T}
        if "bias" in weights:
            bias = np.atleast_2d(weights["bias"])
            found |= dict(zip(("bias_ih", "bias_hh"), bias, strict=False))
    if arranged.bias in ("input", "none"):
        found.pop("bias_hh", None)
    if arranged.bias in ("recurrent", "none"):
        found.pop("bias_ih", None)
    if arranged.bias == "twice":
        (only,) = (role for role in ("bias_ih", "bias_hh") if role in found)
        found |= {"bias_ih": found[only], "bias_hh": found[only]}
    return {
        role: values if role == "weight_hr" else _gates(values, arranged.gates or order, op)
        for role, values in found.items()
    }


def _gates(rows: Float, order: str, op: str) -> Float:
    """Gates one above the other in the file's `order`, brought into torch's."""
    if op not in LETTERS:
        return rows
    blocks = np.split(rows, len(order))
    return np.concatenate([blocks[order.index(letter)] for letter in LETTERS[op]])
