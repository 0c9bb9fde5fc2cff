"""The cells by their equations to torch.nn's and back.

torch stacks the transposes of a cell's matrices, gate by gate, and adds two bias vectors where the
equations have one. `to_torch` puts b into the first and zeros into the second, so that the way to
torch and back changes no bit. `from_torch` takes the sum, rounded once; from then on both modules
compute the same function, up to the rounding of that sum. A GRU's candidate keeps both: they do
different things there (`gru`). Nothing is drawn from torch's random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, overload

import torch
from torch import Tensor, nn

from lstm_export.contract import Cell
from lstm_export.errors import OptionError
from lstm_export.nn.equations.elman import ElmanCell
from lstm_export.nn.equations.gru import GRUCell
from lstm_export.nn.equations.layers import EquationLayers, refuse_projection
from lstm_export.nn.equations.lstm import LSTMCell

EquationCell = LSTMCell | GRUCell | ElmanCell
Module = TypeVar("Module", bound=nn.Module)

_LAYERS: dict[Cell, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@overload
def to_torch(module: EquationLayers) -> nn.RNNBase: ...
@overload
def to_torch(module: EquationCell) -> nn.RNNCellBase: ...
@torch.no_grad()
def to_torch(module: EquationLayers | EquationCell) -> nn.RNNBase | nn.RNNCellBase:
    """The torch.nn module of the same numbers: layers to nn.LSTM, nn.GRU or nn.RNN with
    batch_first=True, a cell to nn.LSTMCell, nn.GRUCell or nn.RNNCell.

    dtype, device and training mode are kept. Raises OptionError for another module.
    """
    if not isinstance(module, EquationLayers):
        made = _empty(lambda: _torch_cell(module), module)
        made.load_state_dict(_stacked(module))
        return made
    named = {"nonlinearity": module.nonlinearity} if module.cell == "rnn" else {}
    layers = _empty(
        lambda: _LAYERS[module.cell](
            module.input_size,
            module.hidden_size,
            module.num_layers,
            batch_first=True,
            bidirectional=module.bidirectional,
            dropout=module.dropout.p if module.num_layers > 1 else 0.0,
            **named,
        ),
        module,
    )
    layers.load_state_dict(
        {
            f"{name}_{suffix}": weight
            for suffix, cell in _cells(module)
            for name, weight in _stacked(cell).items()
        }
    )
    return layers


@overload
def from_torch(module: nn.RNNBase) -> EquationLayers: ...
@overload
def from_torch(module: nn.RNNCellBase) -> EquationCell: ...
@torch.no_grad()
def from_torch(module: nn.RNNBase | nn.RNNCellBase) -> EquationLayers | EquationCell:
    """The equations with the weights of nn.LSTM, nn.GRU or nn.RNN with batch_first=True, or of
    nn.LSTMCell, nn.GRUCell or nn.RNNCell; biases that it lacks are 0.

    dtype, device and training mode are kept. Raises OptionError for a projected LSTM, for layers
    whose time axis comes first, and for another module.
    """
    if isinstance(module, nn.RNNCellBase):
        cell = _empty(lambda: _equation_cell(module), module)
        _fill(cell, _weights(module, ""))
        return cell
    if not isinstance(module, nn.LSTM | nn.GRU | nn.RNN):
        raise OptionError(
            "expected torch's nn.LSTM, nn.GRU, nn.RNN or one of their cells, got "
            f"{type(module).__name__}"
        )
    refuse_projection(module.proj_size)
    if not module.batch_first:
        raise OptionError(
            "the layers by their equations take (batch, sequence_length, input_size): expected "
            f"batch_first=True, got an nn.{type(module).__name__} without it; load its state_dict "
            "into one that has it"
        )
    kinds: dict[type, Cell] = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn"}
    layers = _empty(
        lambda: EquationLayers(
            next(kind for torchs, kind in kinds.items() if isinstance(module, torchs)),
            module.input_size,
            module.hidden_size,
            module.num_layers,
            bidirectional=module.bidirectional,
            dropout=module.dropout,
            nonlinearity=getattr(module, "nonlinearity", "tanh"),
        ),
        module,
    )
    for suffix, cell in _cells(layers):
        _fill(cell, _weights(module, f"_{suffix}"))
    return layers


def _torch_cell(cell: EquationCell) -> nn.RNNCellBase:
    if isinstance(cell, LSTMCell):
        return nn.LSTMCell(cell.input_size, cell.hidden_size)
    if isinstance(cell, GRUCell):
        return nn.GRUCell(cell.input_size, cell.hidden_size)
    if isinstance(cell, ElmanCell):
        return nn.RNNCell(cell.input_size, cell.hidden_size, nonlinearity=cell.nonlinearity)
    raise OptionError(
        "expected EquationLayers, LSTMCell, GRUCell or ElmanCell of lstm_export.nn, got "
        f"{type(cell).__name__}"
    )


def _equation_cell(cell: nn.RNNCellBase) -> EquationCell:
    if isinstance(cell, nn.LSTMCell):
        return LSTMCell(cell.input_size, cell.hidden_size)
    if isinstance(cell, nn.GRUCell):
        return GRUCell(cell.input_size, cell.hidden_size)
    nonlinearity: Any = getattr(cell, "nonlinearity", "tanh")
    return ElmanCell(cell.input_size, cell.hidden_size, nonlinearity)


def _empty(make: Callable[[], Module], like: nn.Module) -> Module:
    """What `make` makes, without values yet, of the dtype, device and mode of `like`."""
    with torch.device("meta"):
        made = make()
    weight = next(like.parameters())
    return made.to(weight.dtype).to_empty(device=weight.device).train(like.training)


def _cells(layers: EquationLayers) -> Iterator[tuple[str, Any]]:
    """Every cell with the end of torch's names for it: l0, l0_reverse, l1, …"""
    for layer in range(layers.num_layers):
        yield f"l{layer}", layers.forward_cells[layer]
        if layers.bidirectional:
            yield f"l{layer}_reverse", layers.backward_cells[layer]


def _stacked(cell: EquationCell) -> dict[str, Tensor]:
    """The weights of `cell` as torch has them, G gates on top of each other.

    weight_ih (G · hidden_size, input_size), weight_hh (G · hidden_size, hidden_size), bias_ih and
    bias_hh (G · hidden_size,).
    """

    def rows(name: str) -> Tensor:
        return torch.cat([getattr(cell, f"{name}{gate}").T for gate in cell.GATES])

    bias = torch.cat([getattr(cell, f"b_{gate}") for gate in cell.GATES])
    second = torch.zeros_like(bias)
    if isinstance(cell, GRUCell):
        second[-cell.hidden_size :] = cell.b_hh
    return {
        "weight_ih": rows("W_x"),
        "weight_hh": rows("W_h"),
        "bias_ih": bias,
        "bias_hh": second,
    }


def _weights(module: nn.Module, suffix: str) -> dict[str, Tensor]:
    """The weights of one torch layer and direction by their bare names, biases always there.

    They are read by attribute, so that parametrized ones are their values.
    """
    found: dict[str, Tensor] = {
        name: getattr(module, name + suffix) for name in ("weight_ih", "weight_hh")
    }
    for name in ("bias_ih", "bias_hh"):
        found[name] = (
            getattr(module, name + suffix)
            if module.bias
            else found["weight_ih"].new_zeros(len(found["weight_ih"]))
        )
    return found


def _fill(cell: EquationCell, weights: Mapping[str, Tensor]) -> None:
    """Gives `cell` weights that are stacked as `_stacked` says."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    chunks = (weights[name].chunk(len(cell.GATES)) for name in names)
    for gate, W_x, W_h, first, second in zip(cell.GATES, *chunks, strict=True):
        bias = getattr(cell, f"b_{gate}")
        getattr(cell, f"W_x{gate}").copy_(W_x.T)
        getattr(cell, f"W_h{gate}").copy_(W_h.T)
        if isinstance(cell, GRUCell) and gate == "h":
            bias.copy_(first)
            cell.b_hh.copy_(second)
        else:
            # Where the second is 0 nothing is added: −0 + 0 would lose its sign.
            bias.copy_(torch.where(second == 0, first, first + second))
