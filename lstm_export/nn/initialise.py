"""What the weights of a recurrent model are before training.

default   recurrent weights orthogonal gate by gate (Saxe et al. 2014), input weights uniform after
          Glorot and Bengio 2010, biases 0; an LSTM's forget-gate bias is 1 in total, so that it
          remembers from the start (Gers et al. 2000; Jozefowicz et al. 2015).
chrono    the like, with gate biases for memories of up to T steps, context_length or those of the
          longest sequence (Tallec and Ollivier 2018): LSTM b_f ~ log U(1, T − 1) and b_i = −b_f;
          GRU b_z ~ log U(1, T − 1), since torch's z keeps the old state.
torch     as torch does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from lstm_export.contract import Cell
from lstm_export.errors import OptionError
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.sequence_model import SequenceModel

Init = Literal["default", "chrono", "torch"]
INITS: tuple[Init, ...] = ("default", "chrono", "torch")

GATES: dict[Cell, tuple[str, ...]] = {
    "lstm": ("i", "f", "g", "o"),
    "gru": ("r", "z", "n"),
    "rnn": ("h",),
}
"""The gates of each cell in torch's order."""


def initialise(model: Forecaster | SequenceModel, init: Init, context: int | None = None) -> None:
    """Sets the weights of `model` in place, drawing from torch's global generator.

    `context` is how many steps chrono counts on; None: a forecaster's own. Raises OptionError for
    chrono on a cell without gates or a context too short for it.
    """
    if init == "torch":
        return
    if isinstance(model, Forecaster):
        cell, own = model.forecast.recurrent.cell, model.forecast.window.context_length
    else:
        cell, own = model.terms.recurrent.cell, 0
    context, layers = own if context is None else context, model.recurrent
    if init == "chrono" and (cell == "rnn" or context < MINIMAL_CONTEXT):
        raise OptionError(
            f"--init chrono needs a cell with gates and a context of {MINIMAL_CONTEXT} steps or "
            f"more, got --cell {cell} and {context} steps"
        )
    with torch.no_grad():
        for name, weights in layers.named_parameters():
            _fill(name, weights, len(GATES[cell]))
        # torch adds two bias vectors: the second stays 0, so that the first is the total.
        for bias in _input_biases(layers):
            if init == "chrono":
                _fill_chrono(bias, cell, context)
            elif cell == "lstm":
                _gate(bias, cell, "f").fill_(1.0)
        nn.init.xavier_uniform_(model.head.weight)
        nn.init.zeros_(model.head.bias)


MINIMAL_CONTEXT = 3
"""The shortest context_length for which log U(1, T − 1) draws anything but 0."""


def _fill(name: str, weights: Tensor, gates: int) -> None:
    if name.startswith("bias"):
        nn.init.zeros_(weights)
        return
    if name.startswith("weight_hr"):  # a projection has no gates
        nn.init.xavier_uniform_(weights)
        return
    fill = nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_
    for gate in weights.chunk(gates):
        fill(gate)


def _fill_chrono(bias: Tensor, cell: Cell, context: int) -> None:
    keep = _gate(bias, cell, "f" if cell == "lstm" else "z")
    nn.init.uniform_(keep, 1.0, context - 1.0).log_()
    if cell == "lstm":
        _gate(bias, cell, "i").copy_(-keep)


def _input_biases(layers: nn.Module) -> Iterator[Tensor]:
    for name, weights in layers.named_parameters():
        if name.startswith("bias_ih"):
            yield weights


def _gate(stacked: Tensor, cell: Cell, gate: str) -> Tensor:
    gates = GATES[cell]
    return stacked.chunk(len(gates))[gates.index(gate)]
