"""The cells by their equations: what each gate does, and whole layers against the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_export.contract import CELLS, Cell, Column, Forecast, Recurrent, Scaling, Window
from lstm_export.errors import InputError, OptionError
from lstm_export.nn import (
    ElmanCell,
    EquationLayers,
    GRUCell,
    LSTMCell,
    equation_layers,
    from_torch,
    to_torch,
)
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.initialise import initialise
from lstm_export.oracle.recurrent import run

X, H = 3, 5
OPEN, SHUT = 50.0, -50.0
"""Biases at which a gate is 1, or 0, to the last bit that float32 has."""


def made(cell: Cell, **details: Any) -> EquationLayers:
    """Layers whose biases are not 0 either."""
    torch.manual_seed(1)
    layers = EquationLayers(cell, X, H, **details)
    for parameter in layers.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layers.eval()


def state_of(layers: EquationLayers, batch: int) -> Any:
    rows = layers.num_layers * len(layers.directions)
    h, c = torch.randn(2, rows, batch, H, generator=torch.Generator().manual_seed(2))
    return (h, c) if layers.cell == "lstm" else h


def tensors(final: Any) -> tuple[Tensor, ...]:
    return final if isinstance(final, tuple) else (final,)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        (LSTMCell, "W_xi W_hi b_i W_xf W_hf b_f W_xo W_ho b_o W_xc W_hc b_c"),
        (GRUCell, "W_xr W_hr b_r W_xz W_hz b_z W_xh W_hh b_h b_hh"),
        (ElmanCell, "W_xh W_hh b_h"),
    ],
)
def test_parameters_have_the_textbook_s_names_shapes_and_a_gradient(cell: Any, names: str) -> None:
    step = cell(X, H)
    shapes = {"W_x": (X, H), "W_h": (H, H), "b_": (H,)}
    assert [name for name, _ in step.named_parameters()] == names.split()
    state = None
    for x in torch.randn(3, 4, X):
        state = step(x, state)
    tensors(state)[0].square().sum().backward()
    for name, parameter in step.named_parameters():
        kind = "b_" if name.startswith("b_") else name[:3]
        assert parameter.shape == shapes[kind]
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0, name


@torch.no_grad()
def test_each_gate_of_an_lstm_does_what_it_is_named_for() -> None:
    step = LSTMCell(X, H)
    x, h, c = torch.randn(4, X), torch.randn(4, H), torch.randn(4, H)
    step.b_f.fill_(OPEN)
    step.b_i.fill_(SHUT)
    assert torch.equal(step(x, (h, c))[1], c)  # all is kept, nothing is written
    step.b_f.fill_(SHUT)
    step.b_i.fill_(OPEN)
    candidate = torch.tanh(x @ step.W_xc + h @ step.W_hc + step.b_c)
    torch.testing.assert_close(step(x, (h, c))[1], candidate)  # all is forgotten, and written anew
    step.b_o.fill_(OPEN)
    torch.testing.assert_close(step(x, (h, c))[0], torch.tanh(candidate))
    step.b_o.fill_(SHUT)
    assert step(x, (h, c))[0].abs().max() < 1e-12  # nothing is shown


@torch.no_grad()
def test_each_gate_of_a_gru_does_what_it_is_named_for() -> None:
    step = GRUCell(X, H)
    x, h = torch.randn(4, X), torch.randn(4, H)
    step.b_z.fill_(OPEN)
    assert torch.equal(step(x, h), h)  # the old state is kept
    step.b_z.fill_(SHUT)
    step.b_hh.fill_(0.3)
    step.b_r.fill_(SHUT)
    torch.testing.assert_close(step(x, h), torch.tanh(x @ step.W_xh + step.b_h))
    step.b_r.fill_(OPEN)
    inside = h @ step.W_hh + step.b_hh
    torch.testing.assert_close(step(x, h), torch.tanh(x @ step.W_xh + step.b_h + inside))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("num_layers", "bidirectional", "given"),
    [(1, False, False), (1, True, True), (2, True, False), (3, False, True)],
)
def test_layers_are_the_oracle_s(
    cell: Cell, num_layers: int, bidirectional: bool, given: bool
) -> None:
    layers = made(cell, num_layers=num_layers, bidirectional=bidirectional)
    x = torch.randn(4, 7, X)
    state = state_of(layers, 4) if given else None
    wide = None if state is None else tuple(part.double() for part in tensors(state))
    y, final = layers.double()(x.double(), wide if cell == "lstm" or not wide else wide[0])
    weights = {name: w.numpy() for name, w in to_torch(layers).state_dict().items()}
    spec = Recurrent(cell, X, H, num_layers, bidirectional)
    starts = [part.numpy() for part in wide or ()]
    expected, h, c = run(spec, weights, x.numpy(), *starts)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=0, atol=1e-12)
    for got, reference in zip(tensors(final), (h, c), strict=False):
        assert reference is not None
        np.testing.assert_allclose(got.detach().numpy(), reference, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("is_sorted", [False, True])
def test_of_a_ragged_batch_each_sequence_gets_what_it_gets_alone(
    cell: Cell, is_sorted: bool
) -> None:
    layers = made(cell, num_layers=2, bidirectional=True)
    lengths = [6, 3, 1] if is_sorted else [3, 6, 1, 6]
    x, state = torch.randn(len(lengths), 8, X), state_of(layers, len(lengths))
    packed = pack_padded_sequence(
        x, torch.tensor(lengths), batch_first=True, enforce_sorted=is_sorted
    )
    y, final = layers(packed, state)
    assert isinstance(y, PackedSequence)
    usual, _ = to_torch(layers)(packed, state)
    for own, torchs in zip(y[1:], usual[1:], strict=True):
        assert torch.equal(own, torchs) if torchs is not None else own is None
    padded, _ = pad_packed_sequence(y, batch_first=True)
    for i, length in enumerate(lengths):
        alone = tuple(part[:, i : i + 1] for part in tensors(state))
        expected, after = layers(x[i : i + 1, :length], alone if cell == "lstm" else alone[0])
        torch.testing.assert_close(padded[i, :length], expected[0], rtol=0, atol=1e-6)
        for got, reference in zip(tensors(final), tensors(after), strict=True):
            torch.testing.assert_close(got[:, i], reference[:, 0], rtol=0, atol=1e-6)


def test_what_stands_behind_a_sequence_has_no_gradient() -> None:
    layers = made("gru", bidirectional=True)
    x = torch.randn(2, 5, X, requires_grad=True)
    packed = pack_padded_sequence(x, torch.tensor([5, 2]), batch_first=True)
    layers(packed)[1].sum().backward()
    assert x.grad is not None
    assert x.grad[1, 2:].abs().sum() == 0
    assert (x.grad[0].abs().sum(1) > 0).all()
    assert (x.grad[1, :2].abs().sum(1) > 0).all()


def test_dropout_acts_between_layers_while_training() -> None:
    x = torch.randn(2, 4, X)
    one, two = made("lstm", dropout=0.5), made("lstm", num_layers=2, dropout=0.5)
    assert torch.equal(one.train()(x)[0], one.eval()(x)[0])
    assert not torch.equal(two.train()(x)[0], two.eval()(x)[0])
    two.dropout.p = 1.0
    y, _ = two.train()(x)
    assert torch.equal(y[0], y[1])  # of x nothing reaches the second layer


def test_layers_of_a_contract_s_terms() -> None:
    layers = equation_layers(Recurrent("gru", X, H, 2, True), 0.25)
    assert (layers.cell, layers.num_layers, layers.bidirectional) == ("gru", 2, True)
    assert layers.dropout.p == 0.25
    with pytest.raises(OptionError, match=r"no projection.*proj_size 0, got 2"):
        equation_layers(Recurrent("lstm", X, H, proj_size=2))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EquationLayers("lstn", X, H), "expected one of lstm, gru, rnn, got 'lstn'"),  # type: ignore[arg-type]
        (lambda: EquationLayers("lstm", X, 0), "hidden_size: expected 1 or more, got 0"),
        (lambda: EquationLayers("gru", X, H, nonlinearity="relu"), "is for cell 'rnn', got 'gru'"),
        (lambda: ElmanCell(X, H, "gelu"), "expected 'tanh' or 'relu', got 'gelu'"),  # type: ignore[arg-type]
    ],
)
def test_terms_that_make_no_layers(build: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build()


@pytest.mark.parametrize(
    ("shape", "state", "message"),
    [
        ((2, X), None, rf"expected \(batch, sequence_length, {X}\).*got \(2, {X}\)"),
        ((2, 4, X + 1), None, rf"got \(2, 4, {X + 1}\)"),
        ((2, 0, X), None, rf"one step or more, got \(2, 0, {X}\)"),
        ((2, 4, X), torch.zeros(1, 2, H), r"expected h and c of shape \(1, 2, 5\), got \(2, 5\)"),
        ((2, 4, X), (torch.zeros(1, 3, H),) * 2, r"got \(1, 3, 5\), \(1, 3, 5\)"),
    ],
)
def test_inputs_that_do_not_fit(shape: tuple[int, ...], state: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        made("lstm")(torch.zeros(shape), state)


def initialised(cell: Cell, init: Any) -> Any:
    """The first cell of layers that were initialised in torch, and taken from there."""
    column, none = (Column("x", "", 0.0, 1.0),), Scaling("none", (0.0,), (1.0,))
    terms = Forecast(column, column, Window(20, 1), none, none, Recurrent(cell, 1, 16))
    model = Forecaster(terms)
    initialise(model, init)
    return from_torch(model.recurrent).forward_cells[0]


def test_initial_weights_come_through_torch() -> None:
    step = initialised("lstm", "default")
    assert (step.b_f == 1.0).all()
    assert all((getattr(step, name) == 0).all() for name in ("b_i", "b_o", "b_c"))
    for W in (step.W_hi, step.W_hf, step.W_ho, step.W_hc):
        torch.testing.assert_close(W @ W.T, torch.eye(16), rtol=0, atol=1e-5)
    step = initialised("lstm", "chrono")
    assert torch.equal(step.b_i, -step.b_f)
    assert step.b_f.max() > 1
    assert (initialised("gru", "chrono").b_z > 0).all()
