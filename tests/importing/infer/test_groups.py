"""Layers from names and shapes: all that torch writes, and what is not whole or contradicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstm_export.errors import CheckpointError
from lstm_export.importing.infer.groups import find_groups
from lstm_export.importing.infer.infer import infer
from lstm_export.importing.infer.state import normalise
from lstm_export.importing.raw import RawFile

Read = Callable[..., RawFile]
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("two_ways", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_recurrent_layers(
    read_as: Read, net: Any, kind: str, layers: int, two_ways: bool, bias: bool
) -> None:
    module = CELLS[kind](5, 4, layers, bidirectional=two_ways, bias=bias)
    state = normalise(read_as(net(layer=module, fc=nn.Linear(4, 1))))
    group = find_groups(state).groups[0]
    assert (group.kind, group.name) == (kind, "layer")
    assert (group.takes, group.gives) == (5, 8 if two_ways else 4)
    assert group.sizes == {
        "input_size": 5,
        "hidden_size": 4,
        "num_layers": layers,
        "num_directions": 1 + two_ways,
    }
    assert dict(group.tensors) == {name: f"layer.{name}" for name in module.state_dict()}


@pytest.mark.parametrize("projection", [1, 3, 7])
def test_projection(read_as: Read, net: Any, projection: int) -> None:
    module = nn.LSTM(5, 8, 2, proj_size=projection, bidirectional=True)
    group = find_groups(normalise(read_as(net(lstm=module)))).groups[0]
    assert (group.sizes["hidden_size"], group.sizes["proj_size"]) == (8, projection)
    assert group.gives == 2 * projection


@pytest.mark.parametrize(
    ("kind", "cell"), [("lstm", nn.LSTMCell), ("gru", nn.GRUCell), ("rnn", nn.RNNCell)]
)
def test_cells_have_no_number(read_as: Read, net: Any, kind: str, cell: type) -> None:
    cells = nn.ModuleList([cell(3, 4), cell(4, 4)])
    found = infer(read_as(net(cells=cells, fc=nn.Linear(4, 1))))
    assert found.proposal is not None
    assert found.proposal.text == f"cells.0:{kind}, cells.1:{kind}, last, fc:linear"
    assert found.groups[0].tensors["weight_hh_l0"] == "cells.0.weight_hh_l0"
    assert found.state.sources["cells.0.weight_hh_l0"] == ("cells.0.weight_hh",)


def _lstm(**change: Tensor | None) -> dict[str, Tensor]:
    """A bidirectional LSTM of two layers with tensors changed, or left out for None."""
    state = nn.LSTM(3, 4, 2, bidirectional=True).state_dict()
    state.update({name: tensor for name, tensor in change.items() if tensor is not None})
    left_out = {name for name, tensor in change.items() if tensor is None}
    return {f"rnn.{name}": t for name, t in state.items() if name not in left_out}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (_lstm(weight_hh_l1_reverse=None), "rnn.weight_hh_l1_reverse is missing"),
        (_lstm(bias_hh_l0=None), "rnn.bias_hh_l0 is missing"),
        (_lstm(weight_ih_l0=torch.ones(12, 3)), r"rnn.weight_ih_l0 is \(12, 3\), and \(16, 3\)"),
        (_lstm(weight_ih_l1=torch.ones(16, 4)), r"weight_ih_l1 is \(16, 4\).*\(16, 8\).*two dir"),
        (_lstm(bias_ih_l1=torch.ones(15)), r"rnn.bias_ih_l1 is \(15,\).*rnn.weight_hh_l0 \(16, 4"),
        (_lstm(weight_hh_l0=torch.ones(16, 3)), r"rnn.weight_hh_l0 is \(16, 3\), expected 4, 3"),
        (_lstm(weight_hh_l0=torch.ones(4, 16)), "looks transposed"),
        (_lstm(weight_hh_l0=torch.ones(16, 2)), r"weight_hr \(2, 4\) too, which is missing"),
        (_lstm(weight_hh_l0=torch.ones(16)), r"float32 \(16,\), expected a matrix of floats"),
        (_lstm(weight_hh_l0=torch.ones(16, 4).int()), "a quantised model's"),
        (_lstm(weight_hh=torch.ones(16, 4)), "belongs to layers and rnn.weight_hh to a cell"),
        (_lstm(weight_hr_l0=torch.ones(3, 4)), "rnn.weight_hr_l0_reverse is missing"),
    ],
)
def test_what_is_not_whole_or_contradicts(
    read_as: Read, state: dict[str, Tensor], message: str
) -> None:
    state["fc.bias"] = torch.ones(2)
    with pytest.raises(CheckpointError, match=message):
        infer(read_as(state))


def test_a_missing_layer(read_as: Read) -> None:
    state = nn.LSTM(4, 4, 3).state_dict()
    kept = {f"a.{name}": t for name, t in state.items() if "l1" not in name}
    with pytest.raises(CheckpointError, match="a has layers 0, 2 but no layer 1"):
        infer(read_as({**kept, "b.bias": torch.ones(1)}))


def test_other_layers(read_as: Read, net: Any) -> None:
    model = net(
        emb=nn.Embedding(9, 6),
        conv=nn.Conv1d(6, 4, 3),
        bn=nn.BatchNorm1d(4),
        lstm=nn.LSTM(4, 5),
        ln=nn.LayerNorm(5),
        fc=nn.Linear(5, 7),
        act=nn.PReLU(),
        act2=nn.PReLU(7),
        out=nn.Linear(7, 1, bias=False),
    )
    found = infer(read_as(model))
    kinds = {g.name: g.kind for g in found.groups}
    assert kinds == {
        "emb": "embedding",
        "conv": "conv1d",
        "bn": "batch_norm",
        "lstm": "lstm",
        "ln": "layer_norm",
        "fc": "linear",
        "act": "prelu",
        "act2": "prelu",
        "out": "linear",
    }
    counter = next(row for row in found.table if row.name == "bn.num_batches_tracked")
    assert counter.use == "ignored"


def test_layers_that_nothing_here_builds_say_what_they_are(read_as: Read, net: Any) -> None:
    model = net(
        lstm=nn.LSTM(4, 4),
        attention=nn.MultiheadAttention(4, 2),
        image=nn.Conv2d(1, 2, 3),
        up=nn.ConvTranspose1d(4, 6, 3),
        gain=nn.Parameter(torch.ones(3, 3)),
    )
    rows = {row.name: row for row in infer(read_as(model)).table}
    assert "multi-head attention" in rows["attention.in_proj_weight"].reason
    assert "multi-head attention" in rows["attention.out_proj.bias"].reason
    assert "more than time" in rows["image.weight"].reason
    assert "transposed convolution" in rows["up.weight"].reason
    assert rows["gain"].use == "unused"


@pytest.mark.parametrize("place", ["", "lstm."])
@pytest.mark.parametrize("names", [("h0", "c0"), ("h_0", "c_0"), ("init_h", "init_c")])
def test_initial_states(read_as: Read, net: Any, place: str, names: tuple[str, str]) -> None:
    state = dict(net(lstm=nn.LSTM(3, 4, 2), fc=nn.Linear(4, 1)).state_dict())
    state |= {f"{place}{name}": torch.zeros(2, 1, 4) for name in names}
    found = infer(read_as(state))
    lstm = next(group for group in found.groups if group.kind == "lstm")
    assert found.state.sources[lstm.tensors["initial_h"]] == (f"{place}{names[0]}",)
    assert found.state.sources[lstm.tensors["initial_c"]] == (f"{place}{names[1]}",)
    assert found.proposal is not None
    assert any("starts from the state that the file holds" in a for a in found.proposal.assumptions)


def test_a_state_that_fits_two_layers_is_given_to_neither(read_as: Read, net: Any) -> None:
    model = net(
        h0=nn.Parameter(torch.zeros(1, 1, 4)), a=nn.LSTM(4, 4), b=nn.LSTM(4, 4), fc=nn.Linear(4, 1)
    )
    row = next(row for row in infer(read_as(model)).table if row.name == "h0")
    assert (row.use, row.reason) == ("unused", "an initial state that fits a and b alike")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"lstm.hidden_size": 5}, r"lstm.hidden_size = 5, .*lstm.weight_hh_l0 \(16, 4\) is of hi"),
        ({"hyper_parameters.hidden_size": 32}, "hidden_size = 32, and its arrays contradict it"),
        ({"model_data.num_layers": 2}, "num_layers = 2"),
        ({"lstm.bidirectional": True}, "lstm.bidirectional = True"),
        ({"lstm.input_size": 4}, "lstm.input_size = 4"),
        ({"lstm.mode": "GRU"}, "lstm.mode = GRU"),
        ({"model_data.unit_type": "GRU"}, "unit_type = GRU"),
        ({"fc.out_features": 3}, r"fc.out_features = 3, .*fc.weight \(1, 4\) is of out_features 1"),
        ({"emb.num_embeddings": 3}, "num_embeddings = 3"),
    ],
)
def test_declared_sizes_that_arrays_contradict(
    read_as: Read, net: Any, declared: dict[str, Any], message: str
) -> None:
    model = net(emb=nn.Embedding(7, 3), lstm=nn.LSTM(3, 4), fc=nn.Linear(4, 1))
    with pytest.raises(CheckpointError, match=message):
        infer(read_as(model, declared=declared))


def test_declared_options_are_taken_over(read_as: Read, net: Any) -> None:
    model = net(conv=nn.Conv1d(2, 3, 3), rnn=nn.RNN(3, 4), norm=nn.LayerNorm(4), fc=nn.Linear(4, 1))
    declared = {
        "model.rnn.nonlinearity": "relu",
        "model.rnn.batch_first": False,
        "model.rnn.hidden_size": 4,
        "model.conv.padding": (1,),
        "model.conv.stride": (1,),
        "model.norm.eps": 1e-3,
        "hidden_size": 4,
        "num_layers": 1,
        "bidirectional": False,
    }
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    found = infer(read_as(state, declared=declared))
    assert found.proposal is not None
    assert found.proposal.text == (
        "conv:conv1d(padding=1), time_major, rnn(batch_first=false, "
        "activation=relu), last(batch_first=false), norm:layer_norm(eps=0.001), fc:linear"
    )


def test_integers_beside_weights_do_not_hide_them(read_as: Read, net: Any) -> None:
    model = net(words=nn.Embedding(9, 3), lstm=nn.LSTM(3, 8))
    model.words.register_buffer("position_ids", torch.arange(5)[None])
    model.words.register_buffer("mask", torch.tensor([4, 4]))
    found = infer(read_as(model))
    assert found.proposal is not None
    assert found.proposal.text == "words:embedding, lstm"
    uses = {row.name: row.use for row in found.table}
    assert (uses["words.position_ids"], uses["words.mask"]) == ("ignored", "unused")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"state.0.exp_avg": torch.ones(3), "state.0.step": torch.tensor(1)}, "an optimizer"),
        ({"0": torch.ones(3, 3), "1": torch.ones(3)}, "without names"),
        ({"W.weight": torch.ones(40, 5), "U.weight": torch.ones(40, 10)}, "written by hand"),
    ],
)
def test_why_there_is_no_recurrence(read_as: Read, state: dict[str, Any], message: str) -> None:
    assert message in str(infer(read_as(state)).question)
