"""From the equations to torch.nn and back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstm_export.compare.tensors import compare_outputs
from lstm_export.errors import OptionError
from lstm_export.nn import EquationLayers, from_torch, to_torch

X, H = 3, 5
LAYERS: dict[str, Any] = {
    "lstm": lambda: nn.LSTM(X, H, 2, batch_first=True, bidirectional=True, dropout=0.5),
    "gru": lambda: nn.GRU(X, H, 2, batch_first=True, bidirectional=True),
    "rnn": lambda: nn.RNN(X, H, 3, batch_first=True),
    "relu": lambda: nn.RNN(X, H, batch_first=True, nonlinearity="relu", bidirectional=True),
    "no bias": lambda: nn.GRU(X, H, batch_first=True, bias=False),
    "parametrized": lambda: nn.utils.parametrizations.weight_norm(
        nn.LSTM(X, H, batch_first=True), "weight_hh_l0"
    ),
}
CELLS: dict[str, Any] = {
    "lstm": lambda: nn.LSTMCell(X, H),
    "gru": lambda: nn.GRUCell(X, H),
    "rnn": lambda: nn.RNNCell(X, H, bias=False),
    "relu": lambda: nn.RNNCell(X, H, nonlinearity="relu"),
}


def outputs(module: nn.Module, *args: Any) -> dict[str, Any]:
    """What a module gives, flat and as arrays."""
    found: list[Tensor] = []

    def flatten(part: Any) -> None:
        if isinstance(part, Tensor):
            found.append(part.detach())
        else:
            for inner in part:
                flatten(inner)

    flatten(module(*args))
    return {f"output_{i}": value.numpy() for i, value in enumerate(found)}


def bits(module: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_to_torch_and_back_changes_no_bit(cell: Any) -> None:
    layers = EquationLayers(cell, X, H, 2, bidirectional=True, dropout=0.3)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.normal_()
            parameter.view(-1)[0] = -0.0
    again = from_torch(to_torch(layers))
    assert bits(again) == bits(layers)
    assert repr(again) == repr(layers)
    for step in (layers.forward_cells[0], layers.backward_cells[1]):
        assert bits(from_torch(to_torch(step))) == bits(step)


@pytest.mark.parametrize("kind", LAYERS)
def test_from_torch_is_the_same_function(kind: str) -> None:
    torch.manual_seed(3)
    module = LAYERS[kind]().double().eval()
    x = torch.randn(4, 6, X, dtype=torch.float64)
    got, expected = outputs(from_torch(module), x), outputs(module, x)
    for name, value in expected.items():
        assert abs(got[name] - value).max() < 1e-12


@pytest.mark.parametrize("kind", CELLS)
def test_cells_too(kind: str) -> None:
    torch.manual_seed(4)
    module = CELLS[kind]().double()
    step, x = from_torch(module), torch.randn(4, X, dtype=torch.float64)
    h = torch.randn(4, H, dtype=torch.float64)
    state = (h, -h) if kind == "lstm" else h
    for args in ([x], [x, state]):
        for got, expected in zip(
            outputs(step, *args).values(), outputs(module, *args).values(), strict=True
        ):
            assert abs(got - expected).max() < 1e-12
    assert type(to_torch(step)) is type(module)


@pytest.mark.parametrize("kind", LAYERS)
def test_from_torch_and_back_gives_the_same_numbers(kind: str) -> None:
    torch.manual_seed(5)
    module = LAYERS[kind]().eval()
    x = torch.randn(4, 9, X)
    again = to_torch(from_torch(module))
    usual, got, own = outputs(module, x), outputs(again, x), outputs(from_torch(module), x)
    exact = outputs(module.double(), x.double())
    for found in (got, own):
        assert [r.reason for r in compare_outputs(found, exact, usual) if not r.passed] == []


def test_two_biases_become_their_sum_and_a_gru_s_candidate_keeps_both() -> None:
    torchs = nn.GRU(X, H, batch_first=True)
    step = from_torch(torchs).forward_cells[0]
    first, second = torchs.bias_ih_l0.chunk(3), torchs.bias_hh_l0.chunk(3)
    assert torch.equal(step.b_r, first[0] + second[0])
    assert torch.equal(step.b_z, first[1] + second[1])
    assert torch.equal(step.b_h, first[2])
    assert torch.equal(step.b_hh, second[2])


def test_mode_dtype_and_dropout_are_kept_and_no_random_number_is_drawn() -> None:
    module = nn.LSTM(X, H, 2, batch_first=True, dropout=0.25).double().eval()
    before = torch.get_rng_state()
    layers = from_torch(module)
    back = to_torch(layers)
    assert torch.equal(torch.get_rng_state(), before)
    assert not layers.training
    assert not back.training
    assert {parameter.dtype for parameter in layers.parameters()} == {torch.float64}
    assert layers.dropout.p == back.dropout == 0.25
    assert all(parameter.requires_grad for parameter in layers.parameters())
    assert back.batch_first


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.LSTM(X, H, proj_size=2, batch_first=True), r"no projection.*proj_size 0, got 2"),
        (nn.GRU(X, H), r"expected batch_first=True, got an nn.GRU without it"),
        (nn.Linear(X, H), r"expected torch's nn.LSTM, .*got Linear"),
    ],
)
def test_what_has_no_equations_here(module: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        from_torch(module)


def test_what_has_no_layers_in_torch() -> None:
    with pytest.raises(OptionError, match=r"expected EquationLayers, .*got Linear"):
        to_torch(nn.Linear(X, H))  # type: ignore[call-overload]
