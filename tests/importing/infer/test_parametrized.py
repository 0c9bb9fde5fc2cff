"""Weights that torch computes from others are what torch computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from lstm_export.errors import CheckpointError
from lstm_export.importing.infer.infer import infer
from lstm_export.importing.infer.state import normalise
from lstm_export.importing.raw import RawFile

Read = Callable[..., RawFile]


def _older_weight_norm(module: nn.Module, name: str, dim: int | None = 0) -> None:
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(module, name, dim)


@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("newer", [True, False])
def test_weight_norm(read_as: Read, newer: bool, dim: int | None) -> None:
    lstm = nn.LSTM(3, 4)
    if newer:
        parametrizations.weight_norm(lstm, "weight_hh_l0", dim)
    else:
        _older_weight_norm(lstm, "weight_hh_l0", dim)
        lstm(torch.zeros(1, 1, 3))  # the older form computes the weight in forward
    state = normalise(read_as(lstm))
    expected = lstm.weight_hh_l0.detach().numpy()
    np.testing.assert_allclose(state.tensors["weight_hh_l0"], expected, rtol=1e-6)
    assert set(state.tensors) == {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
    assert len(state.sources["weight_hh_l0"]) == 2
    assert any("weight norm: weight_hh_l0" in note for note in state.notes)


@pytest.mark.parametrize("newer", [True, False])
def test_spectral_norm(read_as: Read, net: Any, newer: bool) -> None:
    fc = nn.Linear(4, 3)
    if newer:
        parametrizations.spectral_norm(fc)
    else:
        nn.utils.spectral_norm(fc)
    fc(torch.ones(2, 4))
    fc.eval()
    fc(torch.ones(2, 4))
    state = normalise(read_as(net(lstm=nn.LSTM(2, 4), fc=fc)))
    np.testing.assert_allclose(state.tensors["fc.weight"], fc.weight.detach().numpy(), rtol=1e-5)


def test_pruning(read_as: Read, net: Any) -> None:
    fc = nn.Linear(4, 3)
    prune.l1_unstructured(fc, "weight", 0.5)
    state = normalise(read_as(net(lstm=nn.LSTM(2, 4), fc=fc)))
    assert np.array_equal(state.tensors["fc.weight"], fc.weight.detach().numpy())


def test_an_unknown_function_is_refused_by_name(read_as: Read, net: Any) -> None:
    class Half(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x / 2

    fc = nn.Linear(4, 3)
    parametrize.register_parametrization(fc, "weight", Half())
    with pytest.raises(CheckpointError, match=r"fc.weight is parametrized .*remove_parametriz"):
        infer(read_as(net(lstm=nn.LSTM(2, 4), fc=fc)))
    orthogonal = parametrizations.orthogonal(nn.Linear(3, 3))
    with pytest.raises(CheckpointError, match="does not say by which function"):
        infer(read_as(net(lstm=nn.LSTM(2, 3), fc=orthogonal)))
    state = {"fc.weight_orig": torch.ones(2, 2)}
    with pytest.raises(CheckpointError, match=r"fc.weight_orig is the source of fc.weight"):
        infer(read_as(state))


def test_weight_norm_of_a_row_of_zeros_is_not_finite(read_as: Read) -> None:
    lstm = parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
    state = {k: v.clone() for k, v in lstm.state_dict().items()}
    state["parametrizations.weight_hh_l0.original1"][2] = 0
    with pytest.raises(CheckpointError, match=r"original0 and .*original1 has nan at \[2, 0\]"):
        normalise(read_as(state))


@pytest.mark.parametrize("copy", [True, False])
def test_weight_drop_of_an_awd_lstm(read_as: Read, copy: bool) -> None:
    inner = nn.LSTM(4, 4).state_dict()
    raw = inner["weight_hh_l0"]
    state = {"0.encoder.weight": torch.randn(10, 4), "0.rnns.0.weight_hh_l0_raw": raw}
    for name, tensor in inner.items():
        if copy or name != "weight_hh_l0":
            dropped = tensor * 0 if name == "weight_hh_l0" else tensor
            state[f"0.rnns.0.module.{name}"] = dropped
    state |= {"1.decoder.weight": state["0.encoder.weight"], "1.decoder.bias": torch.zeros(10)}
    found = infer(read_as(state))
    assert found.proposal is not None
    assert found.proposal.text == ("0.encoder:embedding, 0.rnns.0.module:lstm, 1.decoder:linear")
    assert np.array_equal(found.state.tensors["0.rnns.0.module.weight_hh_l0"], raw.numpy())
    used = {row.name: row.use for row in found.table}
    assert used["0.rnns.0.weight_hh_l0_raw"] == "used"
    assert used.get("0.rnns.0.module.weight_hh_l0", "ignored") == "ignored"
