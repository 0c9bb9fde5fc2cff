"""The order in which layers stand, what is assumed between them, and what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.infer.infer import Inference, infer
from lstm_export.importing.infer.table import (
    HEADER,
    require_all_used,
    table_dicts,
    text_rows,
)
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.raw import RawFile, RawLayer

Read = Callable[..., RawFile]


def _text(found: Inference, given: Sequence[RawLayer] = ()) -> str:
    """The layer string, which must read back as the very steps that are proposed."""
    proposal = found.proposal
    assert proposal is not None, found.question
    layers = parse(proposal.text)
    assert layers.outputs == proposal.outputs
    assert [(i.name, i.kind) for i in layers.inputs] == [(i.name, i.kind) for i in proposal.inputs]
    assert [i.axes[:2] for i in layers.inputs] == [i.axes[:2] for i in proposal.inputs]
    bound = bind(layers, found.state.tensors, given)
    assert [(s.op, s.inputs, s.outputs, s.name, dict(s.options)) for s in bound.steps] == [
        (s.op, s.inputs, s.outputs, s.name, dict(s.options)) for s in proposal.steps
    ]
    for one, other in zip(bound.steps, proposal.steps, strict=True):
        assert {k: v for k, v in one.tensors.items() if k != "num_batches_tracked"} == other.tensors
    assert bound.inputs == proposal.inputs
    return proposal.text


def _sequential(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


L = nn.Linear
CHAINS: list[tuple[dict[str, Any], str]] = [
    ({"lstm": nn.LSTM(3, 8)}, "lstm"),
    (
        {"emb": nn.Embedding(9, 3), "lstm": nn.LSTM(3, 8), "fc": L(8, 2)},
        "emb:embedding, lstm, last, fc:linear",
    ),
    ({"fc": L(8, 2), "lstm": nn.LSTM(3, 8)}, "lstm, last, fc:linear"),
    (
        {"lstm": nn.LSTM(3, 8), "fc1": L(8, 4), "fc2": L(4, 1)},
        "lstm, last, fc1:linear, relu, fc2:linear",
    ),
    (
        {"lstm": nn.LSTM(3, 8), "head": _sequential(L(8, 4), L(4, 1))},
        "lstm, last, head.0:linear, head.1:linear",
    ),
    (
        {"lstm": nn.LSTM(3, 8), "head": _sequential(nn.Dropout(), L(8, 4), nn.Tanh(), L(4, 1))},
        "lstm, last, head.1:linear, relu, head.3:linear",
    ),
    (
        {
            "lstm": nn.LSTM(3, 8),
            "head": _sequential(L(8, 4), nn.BatchNorm1d(4), nn.ReLU(), L(4, 1)),
        },
        "lstm, last, head.0:linear, head.1:batch_norm, relu, head.3:linear",
    ),
    (
        {
            "lstm": nn.LSTM(3, 8),
            "head": _sequential(L(8, 4), nn.ReLU(), nn.BatchNorm1d(4), L(4, 1)),
        },
        "lstm, last, head.0:linear, relu, head.2:batch_norm, head.3:linear",
    ),
    (
        {
            "conv1": nn.Conv1d(1, 4, 3),
            "conv2": nn.Conv1d(4, 6, 3, groups=2),
            "gru": nn.GRU(6, 5, bidirectional=True),
            "norm": nn.LayerNorm(10),
            "out": L(10, 3),
        },
        "conv1:conv1d, relu, conv2:conv1d(groups=2), gru, last, norm:layer_norm, out:linear",
    ),
    (
        {"inp": L(3, 6), "lstm1": nn.LSTM(6, 6), "lstm2": nn.LSTM(6, 6), "out": L(6, 3)},
        "inp:linear, lstm1:lstm, lstm2:lstm, last, out:linear",
    ),
    (
        {"a": nn.LSTM(3, 8), "b": nn.GRU(5, 4), "fc": L(12, 1)},
        "x_0:floats; x_1:floats; tower_0 = x_0, a:lstm, last; tower_1 = x_1, b:gru, last; "
        "concat(tower_0, tower_1), fc:linear",
    ),
    (
        {"rnn": nn.RNN(3, 8), "mu": L(8, 4), "sigma": L(8, 4)},
        "trunk = rnn, last; output_0 = trunk, mu:linear; output_1 = trunk, sigma:linear; "
        "return output_0, output_1",
    ),
    (
        {"e": nn.Embedding(9, 3), "lstm": nn.LSTM(3, 8), "decoder": L(8, 9)},
        "e:embedding, lstm, decoder:linear",
    ),
    (
        {
            "word_embeds": nn.Embedding(9, 3),
            "lstm": nn.LSTM(3, 2, bidirectional=True),
            "hidden2tag": L(4, 5),
            "transitions": nn.Parameter(torch.randn(5, 5)),
        },
        "word_embeds:embedding, lstm, hidden2tag:linear",
    ),
    (
        {"lstm_1": nn.LSTM(3, 8), "lstm_2": nn.LSTM(8, 4), "dense": L(4, 2), "dense_1": L(2, 1)},
        "lstm_1:lstm, lstm_2:lstm, last, dense:linear, relu, dense_1:linear",
    ),
]


@pytest.mark.parametrize(("parts", "text"), CHAINS)
def test_default_layers(read_as: Read, net: Any, parts: dict[str, Any], text: str) -> None:
    found = infer(read_as(net(**parts)))
    assert _text(found) == text
    description = found.description()
    for step in description.steps:
        assert set(step.tensors.values()) <= set(description.tensors)
    unused = [row.name for row in found.table if row.use == "unused"]
    assert unused == [name for name in ("transitions",) if name in parts]


def test_what_sizes_cannot_tell_is_said(read_as: Read, net: Any) -> None:
    model = net(conv=nn.Conv1d(2, 3, 3), rnn=nn.RNN(3, 4, bidirectional=True), norm=nn.LayerNorm(8))
    model.fc1, model.fc2 = L(8, 5), L(5, 2)
    found = infer(read_as(model))
    assert found.proposal is not None
    said = "\n".join(found.proposal.assumptions)
    for words in (
        "the head reads the last step of rnn",
        "final states of both directions",
        "a relu stands between fc1 and fc2",
        "nothing stands between rnn and norm",
        "nothing stands behind fc2",
        "(batch, sequence_length, features)",
        "rnn starts from zeros",
        "rnn has tanh",
        "no padding: padding=1",
        "eps of 1e-5",
        "norm is a layer norm",
    ):
        assert words in said


def test_a_tied_table_and_a_second_name(read_as: Read) -> None:
    table = torch.randn(9, 4)
    lstm = {f"lstm.{k}": v for k, v in nn.LSTM(4, 4).state_dict().items()}
    state = {"emb.weight": table, "emb_dp.emb.weight": table.clone(), **lstm, "out.weight": table}
    found = infer(read_as(state))
    assert _text(found) == "emb:embedding, lstm, out:linear"
    second = next(row for row in found.table if row.name == "emb_dp.emb.weight")
    assert (second.use, second.reason) == (
        "ignored",
        "the same numbers as emb.weight: one table, two names",
    )


def test_a_square_matrix_in_front_is_asked_about(read_as: Read, net: Any) -> None:
    model = net(first=L(4, 4, bias=False), lstm=nn.LSTM(4, 4), fc=L(4, 1))
    found = infer(read_as(model))
    assert found.proposal is None
    with pytest.raises(OptionError) as caught:
        found.description()
    for kind in ("linear", "embedding"):
        assert f'--layers "first:{kind}, lstm, last, fc:linear"' in str(caught.value)
    assert all(row.use == "used" for row in found.table)
    said = infer(read_as(model, declared={"first.in_features": 4}))
    assert _text(said).startswith("first:linear")


def test_an_order_that_sizes_do_not_tell_is_asked_about(read_as: Read, net: Any) -> None:
    model = net(fc=L(8, 2), a=nn.LSTM(8, 8), b=nn.LSTM(8, 8), c=nn.LSTM(3, 8))
    with pytest.raises(OptionError, match=r"more than one.*c:lstm, a:lstm, b.*c:lstm, b:lstm, a"):
        infer(read_as(model)).description()
    model = net(a=nn.LSTM(3, 8), fc=L(11, 2))
    with pytest.raises(OptionError, match="a gives 8 features and fc takes 11; the layers are a:l"):
        infer(read_as(model)).description()


def test_a_translator_gets_a_layer_string_to_look_at(read_as: Read, net: Any) -> None:
    model = net(
        encoder=net(embedding=nn.Embedding(20, 4), rnn=nn.LSTM(4, 8, 2)),
        decoder=net(embedding=nn.Embedding(30, 4), rnn=nn.LSTM(4, 8, 2), fc=L(8, 30)),
    )
    found = infer(read_as(model))
    with pytest.raises(OptionError, match="second input") as caught:
        found.description()
    text = str(caught.value).split('--layers "')[1].split('"')[0]
    layers = parse(text)
    assert layers.steps[-2].options["takes"] == ("initial_h", "initial_c")


@pytest.mark.parametrize(
    ("parts", "declared", "message"),
    [
        ({"emb": nn.Embedding(9, 3), "fc": L(8, 2)}, {}, "never saved: emb gives 3 .* fc takes 8"),
        ({"a": L(3, 5), "b": L(8, 2)}, {}, "never saved: a gives 5 features and b takes 8"),
        ({"fc": L(8, 2)}, {"hidden_size": 8}, "never saved: the file declares hidden_size = 8"),
        ({"fc": L(8, 2)}, {}, "holds no recurrent weights: .* it holds fc.weight, fc.bias"),
        ({"a": L(8, 2), "b": L(2, 1)}, {}, "holds no recurrent weights"),
        ({"p": nn.Parameter(torch.ones(1))}, {}, "holds no recurrent weights: .* it holds p"),
    ],
)
def test_no_recurrent_weights(
    read_as: Read, net: Any, parts: dict[str, Any], declared: dict[str, Any], message: str
) -> None:
    found = infer(read_as(net(**parts), declared=declared))
    with pytest.raises(CheckpointError, match=message):
        found.description()


def test_a_keras_kernel_is_named(read_as: Read) -> None:
    state = {"l.kernel": torch.ones(3, 16), "l.recurrent_kernel": torch.ones(4, 16)}
    with pytest.raises(CheckpointError, match="recurrent weight under Keras's name"):
        infer(read_as(state)).description()


def test_no_tensors(read_as: Read) -> None:
    with pytest.raises(CheckpointError, match="it holds no tensors"):
        infer(read_as({})).description()


def test_the_table(read_as: Read, net: Any) -> None:
    model = net(lstm=nn.LSTM(3, 8, bias=False), fc=L(8, 2).half())
    model.crf = net(transitions=nn.Parameter(torch.zeros(3, 3)))
    raw = read_as({"state_dict": model.state_dict(), "epoch": torch.tensor(1)})
    found = infer(raw)
    assert [row.name for row in found.table] == list(raw.tensors)
    rows = text_rows(found.table)
    assert len(HEADER) == len(rows[0])
    assert rows[0] == ("state_dict.lstm.weight_ih_l0", "32×3", "float32", "lstm weight_ih_l0")
    assert rows[-2][3].startswith("UNUSED: ")
    assert rows[-1] == ("epoch", "one number", "int64", "ignored: a number about the training")
    dicts = table_dicts(found.table)
    assert dicts[2]["stored"] == "float16"
    assert dicts[2]["shape"] == [2, 8]
    assert found.to_dict()["tensors"] == dicts
    with pytest.raises(CheckpointError, match=r"1 of its 6 .*crf.transitions \(3, 3\).*allow-unu"):
        require_all_used(raw.path, found.table)
    require_all_used(raw.path, found.table, allow_unused=True)


def test_layers_that_the_file_gives_itself(read_as: Read) -> None:
    state = {"0.kernel": torch.ones(3, 16), "0.recurrent_kernel": torch.ones(4, 16)}
    state["1.kernel"] = torch.ones(4, 2)
    layers = (
        RawLayer(
            "lstm",
            "lstm",
            {},
            {"kernel": "0.kernel", "recurrent_kernel": "0.recurrent_kernel"},
            "keras",
        ),
        RawLayer("linear", "dense", {}, {"kernel": "1.kernel"}, "keras"),
        RawLayer("tanh", "", {}, {}, "keras"),
    )
    found = infer(read_as(state, layers=layers))
    assert _text(found, layers) == "lstm, dense:linear, tanh"
    assert found.description().inputs[0].axes == ("batch", "sequence_length", 3)
    assert {row.use for row in found.table} == {"used"}
    with pytest.raises(
        CheckpointError, match=r"holds no recurrent layer: .* they are linear, tanh"
    ):
        infer(read_as(state, layers=layers[1:]))
    gone = RawLayer("lstm", "lstm", {}, {"kernel": "2.kernel"}, "keras")
    with pytest.raises(CheckpointError, match=r"the kernel of lstm should be 2.kernel"):
        infer(read_as(state, layers=(gone,)))


def test_names_that_a_layer_string_finds(read_as: Read, net: Any) -> None:
    assert _text(infer(read_as(nn.GRU(3, 4)))) == "gru"
    bare = infer(read_as(nn.GRU(3, 4), declared={"batch_first": False, "hidden_size": 4}))
    assert _text(bare) == "x:floats(time_major=true); gru(batch_first=false)"
    with pytest.raises(CheckpointError, match=r"hidden_size = 5"):
        infer(read_as(nn.GRU(3, 4), declared={"hidden_size": 5}))
    cell = {"h0": torch.zeros(1, 1, 4), **nn.LSTMCell(3, 4).state_dict()}
    found = infer(read_as(cell))
    assert _text(found) == "lstm"
    assert [row.layer for row in found.table] == ["lstm"] * 5


def test_a_plug_in_adds_its_input(read_as: Read) -> None:
    state = {f"rec.{k}": v for k, v in nn.LSTM(1, 4).state_dict().items()}
    state |= {f"lin.{k}": v for k, v in nn.Linear(4, 1).state_dict().items()}
    layers = tuple(
        RawLayer(kind, name, {}, {k[4:]: k for k in state if k.startswith(name)}, "torch")
        for kind, name in (("lstm", "rec"), ("linear", "lin"))
    )
    skip = RawLayer("skip", "skip", {"channels": 1}, {}, "torch")
    found = infer(read_as(state, layers=(*layers, skip)))
    assert _text(found, layers) == "rec:lstm, lin:linear, skip(x, channels=1)"


def test_classes_that_the_file_names_stand_where_they_were(read_as: Read, net: Any) -> None:
    head = nn.Sequential(
        nn.Tanh(), nn.Linear(8, 6), nn.Dropout(), nn.LeakyReLU(0.2), nn.Linear(6, 4),
        nn.Dropout(), nn.Linear(4, 1), nn.Sigmoid(),
    )  # fmt: skip
    declared: dict[str, Any] = {
        f"head.{i}.__class__": f"torch.nn.modules.x.{type(part).__name__}"
        for i, part in enumerate(head)
    }
    declared["head.3.negative_slope"] = 0.2
    found = infer(read_as(net(lstm=nn.LSTM(3, 8), head=head), declared=declared))
    assert _text(found) == (
        "lstm, last, tanh, head.1:linear, leaky_relu(slope=0.2), head.4:linear, head.6:linear, "
        "sigmoid"
    )
