"""Weights into a module of one's own: found where checkpoints keep them, all of them or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.into_module import load_into


class Wrapped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.norm = nn.BatchNorm1d(4)


def weights(seed: int = 1) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return Wrapped().state_dict()


@pytest.mark.parametrize("nested", ["", "state_dict", "model_state_dict", "model", "net"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module._orig_mod."])
def test_weights_are_found_where_checkpoints_keep_them(
    tmp_path: Path, nested: str, prefix: str
) -> None:
    state = {prefix + name: tensor for name, tensor in weights().items()}
    saved = {nested: state, "epoch": 3, "loss": torch.tensor(0.5)} if nested else state
    torch.save(saved, tmp_path / "w.pt")
    module = Wrapped()
    load_into(module, tmp_path / "w.pt")
    assert all(torch.equal(value, weights()[name]) for name, value in module.state_dict().items())


def test_weights_of_safetensors_and_of_the_old_format(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "w.safetensors")
    torch.save(weights(), tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    for name in ("w.safetensors", "w.pth"):
        module = Wrapped()
        load_into(module, tmp_path / name)
        assert torch.equal(module.rnn.weight_ih_l0, weights()["rnn.weight_ih_l0"])


def test_every_mismatch_of_weights_is_in_one_message(tmp_path: Path) -> None:
    state = weights()
    state["extra.weight"] = state.pop("rnn.bias_ih_l0")
    state["rnn.weight_hh_l0"] = torch.zeros(8, 2)
    torch.save(state, tmp_path / "w.pt")
    module = Wrapped()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_into(module, tmp_path / "w.pt")
    assert str(caught.value).endswith(
        "w.pt does not fit Wrapped: missing rnn.bias_ih_l0; not in the module: extra.weight; "
        "rnn.weight_hh_l0 is (8, 2), the module's is (16, 4)"
    )
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_files_without_usable_weights(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no weights")
    for name, message in (
        ("none.pt", "no tensor"),
        ("other.pt", "no tensor in it has a name of the module"),
        ("text.pt", "expected one of"),
        ("absent.pt", "there is no such file"),
    ):
        with pytest.raises(CheckpointError, match=message) as caught:
            load_into(Wrapped(), tmp_path / name)
        assert "\n" not in str(caught.value)


def test_tensors_that_the_module_does_not_have_are_left_when_allowed(tmp_path: Path) -> None:
    state = {**weights(), "old_head.weight": torch.zeros(2, 2)}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"not in the module: old_head\.weight"):
        load_into(Wrapped(), tmp_path / "w.pt")
    module = Wrapped()
    loaded = load_into(module, tmp_path / "w.pt", allow_unused=True)
    assert loaded.notes[-1] == "unused: old_head.weight is not in the module"
    assert torch.equal(module.rnn.weight_ih_l0, weights()["rnn.weight_ih_l0"])


def test_of_several_models_that_fit_one_is_chosen_by_the_user(tmp_path: Path) -> None:
    torch.save({"first": weights(1), "second": weights(2)}, tmp_path / "two.pt")
    with pytest.raises(OptionError, match=r"under first, second: choose one, --key first"):
        load_into(Wrapped(), tmp_path / "two.pt")
    with pytest.raises(OptionError, match=r"--key third: .* has no such part"):
        load_into(Wrapped(), tmp_path / "two.pt", key="third")
    module = Wrapped()
    load_into(module, tmp_path / "two.pt", key="second")
    assert torch.equal(module.rnn.weight_ih_l0, weights(2)["rnn.weight_ih_l0"])
    torch.save({"first": weights(1), "second": weights(1)}, tmp_path / "same.pt")
    load_into(module, tmp_path / "same.pt")
    assert torch.equal(module.rnn.weight_ih_l0, weights(1)["rnn.weight_ih_l0"])


def test_other_formats_whole_modules_and_weight_norm(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{name: tensor.numpy() for name, tensor in weights().items()})
    torch.manual_seed(1)
    torch.save(Wrapped(), tmp_path / "whole.pt")
    for name in ("w.npz", "whole.pt"):
        module = Wrapped()
        load_into(module, tmp_path / name)
        assert torch.equal(module.rnn.weight_ih_l0, weights()["rnn.weight_ih_l0"]), name
    normed = Wrapped()
    normed.load_state_dict(weights())
    nn.utils.parametrizations.weight_norm(normed.rnn, "weight_ih_l0")
    torch.save(normed.state_dict(), tmp_path / "normed.pt")
    same = Wrapped()
    nn.utils.parametrizations.weight_norm(same.rnn, "weight_ih_l0")
    for module in (same, Wrapped()):  # with the parametrization of its own, and without
        load_into(module, tmp_path / "normed.pt")
        assert torch.allclose(module.rnn.weight_ih_l0, weights()["rnn.weight_ih_l0"])
