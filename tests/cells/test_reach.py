"""The gradient that reaches back k steps: closed form, finite differences, what vanishes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_export.cells.reach import geometric_mean, gradient_norms

KINDS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def layers_of(kind: str, layers: int = 1, proj_size: int = 0) -> nn.RNNBase:
    torch.manual_seed(3)
    projection = {"proj_size": proj_size} if proj_size else {}
    made = KINDS[kind](2, 4, layers, batch_first=True, **projection)
    return made.double()


def head_of(width: int) -> nn.Linear:
    return nn.Linear(width, 3).double()


@pytest.mark.parametrize(
    ("kind", "layers", "proj_size"),
    [("rnn", 1, 0), ("gru", 1, 0), ("lstm", 1, 0), ("gru", 2, 0), ("lstm", 2, 3)],
)
def test_norms_are_those_of_finite_differences(kind: str, layers: int, proj_size: int) -> None:
    recurrent, head = layers_of(kind, layers, proj_size), head_of(proj_size or 4)
    z = torch.randn(1, 5, 2, dtype=torch.float64)
    found = gradient_norms(recurrent, head, z)
    for k in range(5):
        with torch.no_grad():
            _, state = recurrent(z[:, : 5 - k])
            parts = state if isinstance(state, tuple) else (state,)
            expected = np.sqrt(_squared_differences(recurrent, head, z[:, 5 - k :], parts))
        np.testing.assert_allclose(found[0, k], expected, rtol=1e-7)


def _squared_differences(
    recurrent: nn.Module, head: nn.Module, rest: Tensor, parts: tuple[Tensor, ...]
) -> float:
    """The squares of all ∂answer/∂state, by moving each number of the state a little."""

    def answer(moved: tuple[Tensor, ...]) -> Tensor:
        if rest.shape[1]:
            state = moved if len(moved) > 1 else moved[0]
            _, last = recurrent(rest, state)
            moved = last if isinstance(last, tuple) else (last,)
        return head(moved[0][-1])

    total, step = 0.0, 1e-5
    for part in parts:
        for i in range(part.numel()):
            kept = part.view(-1)[i].clone()
            part.view(-1)[i] = kept + step
            above = answer(parts)
            part.view(-1)[i] = kept - step
            below = answer(parts)
            part.view(-1)[i] = kept
            total += float(((above - below) / (2 * step)).square().sum())
    return total


def test_a_linear_rnn_has_the_powers_of_its_weights() -> None:
    """Without input and state, tanh is the identity: ∂a/∂h[T−k] = W R^k."""
    recurrent, head = layers_of("rnn"), head_of(4)
    for name, weights in recurrent.named_parameters():
        if "bias" in name:
            nn.init.zeros_(weights)
    found = gradient_norms(recurrent, head, torch.zeros(2, 9, 2, dtype=torch.float64))
    r = recurrent.weight_hh_l0.detach().numpy()
    w = head.weight.detach().numpy()
    expected = [np.linalg.norm(w @ np.linalg.matrix_power(r, k)) for k in range(9)]
    np.testing.assert_allclose(found, [expected, expected], rtol=1e-12)


def test_a_vanishing_rnn_falls_as_its_weights_say_and_an_open_lstm_does_not() -> None:
    plain, gated = layers_of("rnn"), layers_of("lstm")
    with torch.no_grad():
        plain.weight_hh_l0.copy_(0.5 * torch.eye(4))
        gated.bias_ih_l0[4:8] = 20.0  # the forget gates
        gated.weight_hh_l0.zero_()
    z = torch.randn(6, 31, 2, dtype=torch.float64)
    head = head_of(4)
    falling = geometric_mean(gradient_norms(plain, head, z))
    assert (np.diff(falling) < 0).all()
    assert falling[30] <= 0.5**30 * falling[0]
    kept = geometric_mean(gradient_norms(gated, head, z))
    assert kept[30] == pytest.approx(kept[1], rel=1e-6)


def test_steps_are_counted_from_the_end_of_each_sequence() -> None:
    recurrent, head = layers_of("lstm"), head_of(4)
    z = torch.randn(2, 6, 2, dtype=torch.float64)
    together = gradient_norms(recurrent, head, z, torch.tensor([6, 4]))
    np.testing.assert_allclose(together[0], gradient_norms(recurrent, head, z[:1])[0])
    np.testing.assert_allclose(together[1, :4], gradient_norms(recurrent, head, z[1:, :4])[0])
    assert np.isnan(together[1, 4:]).all()


def test_the_mean_is_geometric_and_ends_where_most_sequences_do() -> None:
    nan = np.nan
    norms = np.array([[1.0, 4.0, nan, nan], [1.0, 1.0, 8.0, nan], [1.0, 2.0, 2.0, 5.0]])
    np.testing.assert_allclose(geometric_mean(norms), [1.0, 2.0, 4.0])
    assert 0 < geometric_mean(np.zeros((1, 1)))[0] < 1e-300
