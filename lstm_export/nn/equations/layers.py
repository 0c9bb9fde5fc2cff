"""The cells over sequences: layers on top of each other, in one direction or two.

Layer l reads the output of layer l−1. With two directions the second cell reads the sequence from
its end to its start, and both outputs stand beside each other at every step (Schuster and Paliwal,
"Bidirectional Recurrent Neural Networks", 1997). The state of layer l, direction d, is row
`l * num_directions + d`, as torch has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_export.contract import CELLS, Cell, Recurrent
from lstm_export.errors import InputError, OptionError
from lstm_export.nn.equations.elman import ElmanCell, Nonlinearity
from lstm_export.nn.equations.gru import GRUCell
from lstm_export.nn.equations.lstm import LSTMCell

State = tuple[Tensor, ...]
"""(h, c) of an LSTM, (h,) of the others."""

CELL_CLASSES: dict[Cell, Callable[..., nn.Module]] = {
    "lstm": LSTMCell,
    "gru": GRUCell,
    "rnn": ElmanCell,
}


class EquationLayers(nn.Module):
    """Layers of `cell` ("lstm", "gru" or "rnn"), called like torch's with batch_first=True.

    `y, final = layers(x)` or `layers(x, state)`. x is (batch, sequence_length, input_size), or a
    PackedSequence, of which every sequence gets what it gets alone; y is (batch, sequence_length,
    num_directions * hidden_size), packed where x is. A state is h (num_layers * num_directions,
    batch, hidden_size), for an LSTM (h, c), zeros where absent. `dropout` acts on what goes from
    layer to layer, while training. The cells are `forward_cells`, and with two directions
    `backward_cells`, one for each layer.

    Raises OptionError for terms that make no layers, InputError for what they cannot take.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        nonlinearity: Nonlinearity = "tanh",
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise OptionError(f"cell: expected one of {', '.join(CELLS)}, got {cell!r}")
        if cell != "rnn" and nonlinearity != "tanh":
            raise OptionError(f"nonlinearity={nonlinearity!r} is for cell 'rnn', got {cell!r}")
        for name, size in (
            ("input_size", input_size),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
        ):
            if size < 1:
                raise OptionError(f"{name}: expected 1 or more, got {size}")
        self.cell: Cell = cell
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bidirectional, self.nonlinearity = bidirectional, nonlinearity
        self.dropout = nn.Dropout(dropout)
        directions = 2 if bidirectional else 1
        widths = [input_size] + [directions * hidden_size] * (num_layers - 1)

        named = {"nonlinearity": nonlinearity} if cell == "rnn" else {}

        def cells() -> nn.ModuleList:
            made = CELL_CLASSES[cell]
            return nn.ModuleList(made(width, hidden_size, **named) for width in widths)

        self.forward_cells = cells()
        self.backward_cells = cells() if bidirectional else nn.ModuleList()

    @property
    def directions(self) -> tuple[nn.ModuleList, ...]:
        """The cells of each direction, in the order in which their outputs stand."""
        forward = (self.forward_cells,)
        return (*forward, self.backward_cells) if self.bidirectional else forward

    def forward(self, x: Tensor | PackedSequence, state: Any = None) -> tuple[Any, Any]:
        """y and the final state; shapes as the class says.

        Each sequence of a packed batch ends with its own last step.
        """
        if not isinstance(x, PackedSequence):
            return self._run(x, state, None)
        padded, lengths = pad_packed_sequence(x, batch_first=True)
        y, final = self._run(padded, state, lengths)
        return _packed_as(x, y, lengths), final

    def _run(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, Any]:
        self._check(x)
        states = self._initial(x, state)
        valid = None
        if lengths is not None:  # (batch, sequence_length): whether the sequence has this step
            steps = torch.arange(x.shape[1], device=x.device)
            valid = steps < lengths.to(x.device).unsqueeze(1)
        finals = []
        for layer in range(self.num_layers):
            if layer > 0:
                x = self.dropout(x)
            outputs = []
            for direction, cells in enumerate(self.directions):
                row = layer * len(self.directions) + direction
                initial = tuple(part[row] for part in states)
                y, final = over_time(cells[layer], x, initial, valid, backward=direction == 1)
                outputs.append(y)
                finals.append(final)
            x = torch.cat(outputs, dim=2)
        stacked = tuple(torch.stack(rows) for rows in zip(*finals, strict=True))
        return x, stacked if self.cell == "lstm" else stacked[0]

    def _check(self, x: Tensor) -> None:
        if x.dim() != 3 or x.shape[2] != self.input_size or x.shape[1] == 0:
            raise InputError(
                f"x: expected (batch, sequence_length, {self.input_size}) of one step or more, "
                f"got {tuple(x.shape)}"
            )

    def _initial(self, x: Tensor, state: Any) -> State:
        rows = self.num_layers * len(self.directions)
        shape = (rows, x.shape[0], self.hidden_size)
        names = ("h", "c") if self.cell == "lstm" else ("h",)
        if state is None:
            return tuple(x.new_zeros(shape) for _ in names)
        given = tuple(state) if self.cell == "lstm" else (state,)
        if len(given) != len(names) or any(tuple(part.shape) != shape for part in given):
            raise InputError(
                f"state: expected {' and '.join(names)} of shape {shape}, got "
                f"{', '.join(str(tuple(part.shape)) for part in given)}"
            )
        return given

    def extra_repr(self) -> str:
        return f"{self.cell!r}, {self.input_size}, {self.hidden_size}, {self.num_layers}"


def over_time(
    cell: nn.Module, x: Tensor, state: State, valid: Tensor | None, *, backward: bool = False
) -> tuple[Tensor, State]:
    """`cell` at every step of x (batch, sequence_length, input_size), from `state`.

    Gives h of every step (batch, sequence_length, hidden_size) and the state after the last one
    that was taken, which is the first of x where it goes `backward`. A sequence stands still at
    the steps where `valid` (batch, sequence_length) is False.
    """
    length = x.shape[1]
    several = len(state) > 1
    outputs = []
    for t in reversed(range(length)) if backward else range(length):
        after = cell(x[:, t], state if several else state[0])
        after = after if isinstance(after, tuple) else (after,)
        if valid is not None:
            here = valid[:, t].unsqueeze(1)
            after = tuple(torch.where(here, *pair) for pair in zip(after, state, strict=True))
        state = after
        outputs.append(state[0])
    return torch.stack(outputs[::-1] if backward else outputs, dim=1), state


def equation_layers(spec: Recurrent, dropout: float = 0.0) -> EquationLayers:
    """The layers of `spec` by their equations; dropout acts between layers.

    Raises OptionError where `spec` has a projection.
    """
    refuse_projection(spec.proj_size)
    return EquationLayers(
        spec.cell,
        spec.input_size,
        spec.hidden_size,
        spec.num_layers,
        bidirectional=spec.bidirectional,
        dropout=dropout if spec.num_layers > 1 else 0.0,
    )


def refuse_projection(proj_size: int) -> None:
    """Raises OptionError where a projection is asked for."""
    if proj_size:
        raise OptionError(
            f"the LSTM by its equations has no projection: expected proj_size 0, got {proj_size}; "
            "take torch.nn.LSTM (--cell lstm), or leave the projection out"
        )


def _packed_as(x: PackedSequence, y: Tensor, lengths: Tensor) -> PackedSequence:
    """y (batch, sequence_length, width), in the caller's order, packed like x."""
    order = x.sorted_indices
    if order is not None:
        y, lengths = y[order], lengths[order.to(lengths.device)]
    rows = pack_padded_sequence(y, lengths, batch_first=True).data
    return PackedSequence(rows, x.batch_sizes, order, x.unsorted_indices)
