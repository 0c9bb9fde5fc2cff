"""Which arrays of a checkpoint are the model, and under which names."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.infer.infer import infer
from lstm_export.importing.infer.state import normalise
from lstm_export.importing.raw import RawFile

Read = Callable[..., RawFile]
NAMES = [f"lstm.{n}" for n in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")]
NAMES += ["fc.weight", "fc.bias"]


@pytest.fixture
def model(net: Any) -> nn.Module:
    return net(lstm=nn.LSTM(3, 8), fc=nn.Linear(8, 2))  # type: ignore[no-any-return]


def _stepped(model: nn.Module) -> dict[str, Any]:
    """The state of Adam after a step."""
    optimizer = torch.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return {"state": {str(k): v for k, v in optimizer.state_dict()["state"].items()}}


@pytest.mark.parametrize("wrap", ["", "state_dict", "model_state_dict", "model", "net", "mine"])
@pytest.mark.parametrize("keys", [True, False])
def test_a_nested_state_dict_is_found(
    model: nn.Module, read_as: Read, wrap: str, keys: bool
) -> None:
    state: dict[str, Any] = model.state_dict()
    if wrap:
        optimizer = _stepped(model)
        state = {wrap: state, "optimizer": optimizer, "epoch": torch.tensor(3)}
    raw = read_as(state, keys=tuple(k for k in state if k != "epoch") if keys and wrap else ())
    found = infer(raw)
    assert list(found.state.tensors) == NAMES
    if wrap:
        assert any(wrap in note for note in found.notes)
        assert {row.use for row in found.table if row.name.startswith("optimizer")} == {"ignored"}
        assert next(row.use for row in found.table if row.name == "epoch") == "ignored"
    assert not [row for row in found.table if row.use == "unused"]


def test_what_else_stands_beside_a_model_is_unused(model: nn.Module, read_as: Read) -> None:
    state = {"state_dict": model.state_dict(), "feature_mean": torch.zeros(3)}
    found = infer(read_as(state, keys=("state_dict",)))
    assert [row.name for row in found.table if row.use == "unused"] == ["feature_mean"]


def test_lightning(model: nn.Module, read_as: Read) -> None:
    inside = {f"model.{name}": t for name, t in model.state_dict().items()}
    state = {"state_dict": inside, "optimizer_states": {"0": _stepped(model)}}
    raw = read_as(state, declared={"hyper_parameters.hidden_size": 8})
    found = infer(raw)
    assert list(found.state.tensors) == NAMES
    assert found.proposal is not None
    assert found.proposal.text == "lstm, last, fc:linear"


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "a.b.", "_orig_mod.module."]
)
def test_prefixes_are_taken_off_and_said(model: nn.Module, read_as: Read, prefix: str) -> None:
    raw = read_as({f"{prefix}{name}": t for name, t in model.state_dict().items()})
    state = normalise(raw)
    assert list(state.tensors) == NAMES
    assert state.notes
    assert state.sources["fc.bias"] == (f"{prefix}fc.bias",)


def test_data_parallel_and_compile_wrap_as_torch_does(model: nn.Module, read_as: Read) -> None:
    wrapped = nn.DataParallel(model)
    assert list(normalise(read_as(wrapped)).tensors) == NAMES
    compiled = torch.compile(model, backend="eager")
    assert list(normalise(read_as(compiled.state_dict())).tensors) == NAMES  # type: ignore[attr-defined]


def test_compiled_parts_keep_their_own_names(read_as: Read, net: Any) -> None:
    state = {f"lstm._orig_mod.{k}": v for k, v in nn.LSTM(3, 8).state_dict().items()}
    state |= {f"fc.{k}": v for k, v in nn.Linear(8, 2).state_dict().items()}
    assert list(normalise(read_as(state)).tensors) == NAMES


def test_a_sole_layer_keeps_its_name(read_as: Read, net: Any) -> None:
    assert next(iter(normalise(read_as(net(rnn=nn.RNN(2, 3)))).tensors)) == "rnn.weight_ih_l0"
    assert next(iter(normalise(read_as(nn.RNN(2, 3))).tensors)) == "weight_ih_l0"
    bare = {f"module.{k}": v for k, v in nn.RNN(2, 3).state_dict().items()}
    assert next(iter(normalise(read_as(bare)).tensors)) == "weight_ih_l0"


def test_several_models_need_a_key(model: nn.Module, read_as: Read, net: Any) -> None:
    other = net(rnn=nn.GRU(3, 4), fc=nn.Linear(4, 1))
    raw = read_as(
        {"actor": model.state_dict(), "critic": other.state_dict()}, keys=("actor", "critic")
    )
    with pytest.raises(OptionError, match=r"2 models: actor, critic; .*--key actor"):
        infer(raw)
    found = infer(raw, "critic")
    assert found.proposal is not None
    assert found.proposal.text == "rnn:gru, last, fc:linear"
    actor = [row for row in found.table if row.name.startswith("actor")]
    assert {row.use for row in actor} == {"ignored"}
    assert "belongs to actor" in actor[0].reason
    with pytest.raises(OptionError, match=r"--key crtic: .*actor, critic"):
        infer(raw, "crtic")


def test_the_only_model_with_recurrent_weights_is_taken(model: nn.Module, read_as: Read) -> None:
    raw = read_as(
        {"scorer": nn.Linear(2, 2).state_dict(), "model": model.state_dict()},
        keys=("scorer", "model"),
    )
    found = infer(raw)
    assert list(found.state.tensors) == NAMES
    # It may be a part of the model, until --key says that it is not.
    for inference, use in ((found, "unused"), (infer(raw, "model"), "ignored")):
        assert {row.use for row in inference.table if row.name.startswith("scorer")} == {use}


def test_parts_saved_side_by_side_are_asked_about_and_read_as_one(read_as: Read) -> None:
    parts = {"rnn": nn.LSTM(3, 8).state_dict(), "out": nn.Linear(8, 2).state_dict()}
    raw = read_as(parts, keys=tuple(parts))
    with pytest.raises(OptionError, match=r"2 models: rnn, out; .*--key rnn, .*--key \."):
        infer(raw)
    found = infer(raw, ".")
    assert found.proposal is not None
    assert found.proposal.text == "rnn:lstm, last, out:linear"


def test_a_generator_beside_the_only_state_dict(model: nn.Module, read_as: Read) -> None:
    state = {"model_state": model.state_dict(), "rng": torch.zeros(99, dtype=torch.uint8)}
    found = infer(read_as(state))
    assert list(found.state.tensors) == NAMES
    assert found.table[-1].use == "ignored"


@pytest.mark.parametrize("keys", [(), ("model", "ema")])
def test_an_average_of_the_weights_is_ignored(
    model: nn.Module, read_as: Read, keys: tuple[str, ...]
) -> None:
    average = {f"module.{k}": v for k, v in model.state_dict().items()}
    average["n_averaged"] = torch.tensor(7)
    found = infer(read_as({"model": model.state_dict(), "ema": average}, keys=keys))
    assert list(found.state.tensors) == NAMES
    assert any("ema was ignored" in note for note in found.notes)
    assert not [row for row in found.table if row.use == "unused"]


def test_the_average_can_be_asked_for(model: nn.Module, read_as: Read) -> None:
    average = {k: v + 1 for k, v in model.state_dict().items()}
    raw = read_as({"model": model.state_dict(), "ema": average}, keys=("model", "ema"))
    state = normalise(raw, "ema")
    assert np.array_equal(state.tensors["fc.bias"], average["fc.bias"].numpy())


def test_flat_copies_are_ignored(model: nn.Module, read_as: Read) -> None:
    state = dict(model.state_dict())
    state["lstm._flat_weights.0"] = state["lstm.weight_ih_l0"]
    found = infer(read_as(state))
    assert next(r for r in found.table if "_flat" in r.name).use == "ignored"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(
    model: nn.Module, read_as: Read, value: float
) -> None:
    state = {f"module.{k}": v.clone() for k, v in copy.deepcopy(model.state_dict()).items()}
    state["module.lstm.weight_hh_l0"][5, 2] = value
    with pytest.raises(
        CheckpointError, match=r"module.lstm.weight_hh_l0 has (nan|inf) at \[5, 2\]"
    ):
        infer(read_as(state))


def test_conversions_are_noted(model: nn.Module, read_as: Read) -> None:
    notes = normalise(read_as(copy.deepcopy(model).half())).notes
    assert any("6 tensors stored as float16" in note for note in notes)
    notes = normalise(read_as(copy.deepcopy(model).bfloat16())).notes
    assert any("stored as bfloat16" in note for note in notes)
    notes = normalise(read_as(copy.deepcopy(model).double())).notes
    assert any("float64: rounded to float32" in note for note in notes)
    assert not normalise(read_as(model)).notes
