"""Every family: a model that is not what was understood is refused, and what it is named."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lstm_export.errors import ParityError
from lstm_export.importing.expect.agreement import message, require_agreement

sys.path.insert(0, str(Path(__file__).parent))

from torch_models import Arrays, Model, lstm_head, random

DEFAULT = "lstm, last, fc:linear"


def named(model: Model, text: str, path: Path) -> list[str]:
    """The layer strings that are named where `text` does not agree; each of them agrees then."""
    found = model.check(text, path)
    assert not found.passed
    with pytest.raises(ParityError, match="does not agree with what was understood"):
        require_agreement(found)
    for fit in found.fits:
        assert f'--layers "{fit.text}"' in message(found)
        assert model.check(fit.text, path).passed, fit.text
    return [fit.text for fit in found.fits]


def last(model: Model, x: Any) -> Any:
    return model.lstm(x)[0][:, -1]


HEADS: dict[str, tuple[str, Callable[[Model, Any], Any]]] = {
    "every step": ("lstm, fc:linear", lambda m, x: m.fc(m.lstm(x)[0])),
    "first": ("lstm, first, fc:linear", lambda m, x: m.fc(m.lstm(x)[0][:, 0])),
    "mean": ("lstm, mean, fc:linear", lambda m, x: m.fc(m.lstm(x)[0].mean(1))),
    "max": ("lstm, max, fc:linear", lambda m, x: m.fc(m.lstm(x)[0].amax(1))),
    "max behind": ("lstm, fc:linear, max", lambda m, x: m.fc(m.lstm(x)[0]).amax(1)),
    "final c": (
        "y, h, c = lstm; c, pick(index=0), fc:linear",
        lambda m, x: m.fc(m.lstm(x)[1][1][0]),
    ),
    **{
        name: (f"lstm, last, fc:linear, {name}", lambda m, x, f=function: f(m.fc(last(m, x))))
        for name, function in {
            "sigmoid": torch.sigmoid,
            "softmax": lambda y: y.softmax(-1),
            "log_softmax": lambda y: y.log_softmax(-1),
            "tanh": torch.tanh,
            "relu": torch.relu,
            "softplus": F.softplus,
        }.items()
    },
    "relu before": (
        "lstm, last, relu, fc:linear",
        lambda m, x: m.fc(torch.relu(last(m, x))),
    ),
    "two at once": (
        "lstm, mean, relu, fc:linear",
        lambda m, x: m.fc(torch.relu(m.lstm(x)[0].mean(1))),
    ),
    "every step, sigmoid": (
        "lstm, fc:linear, sigmoid",
        lambda m, x: torch.sigmoid(m.fc(m.lstm(x)[0])),
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_what_the_head_reads_and_what_stands_behind_it(name: str, tmp_path: Path) -> None:
    model, (text, function) = lstm_head(), HEADS[name]
    path = model.save(tmp_path / "io.npz", lambda x: function(model, x), x=random(4, 6, 3))
    assert text in named(model, DEFAULT, path)


def test_a_step_is_missing_where_every_step_was_read(tmp_path: Path) -> None:
    model = lstm_head()
    path = model.save(tmp_path / "io.npz", lambda x: model.fc(last(model, x)), x=random(4, 6, 3))
    assert named(model, "lstm, fc:linear", path) == [DEFAULT]


@pytest.mark.parametrize("shape", [(4, 6, 3), (5, 5, 3)])
def test_steps_first(shape: tuple[int, ...], tmp_path: Path) -> None:
    model = lstm_head(batch_first=False)
    path = model.save(
        tmp_path / "io.npz", lambda x: model.fc(model.lstm(x)[0][-1]), x=random(*shape)
    )
    assert named(model, DEFAULT, path) == [
        "x:floats(time_major=true); lstm(batch_first=false), last(batch_first=false), fc:linear"
    ]


def test_a_batch_first_input_to_a_steps_first_layer(tmp_path: Path) -> None:
    model = lstm_head(batch_first=False)
    path = model.save(
        tmp_path / "io.npz", lambda x: model.fc(model.lstm(x)[0][:, -1]), x=random(4, 6, 3)
    )
    assert named(model, DEFAULT, path) == [
        "x:floats(time_major=true); lstm(batch_first=false), last, fc:linear"
    ]


def test_the_last_of_the_batch_taken_for_the_last_step(tmp_path: Path) -> None:
    model = lstm_head()
    path = model.save(
        tmp_path / "io.npz", lambda x: model.fc(model.lstm(x)[0][-1]), x=random(4, 6, 3)
    )
    assert named(model, DEFAULT, path) == ["lstm, last(batch_first=false), fc:linear"]


def test_turned_outputs(tmp_path: Path) -> None:
    model = lstm_head()
    path = model.save(
        tmp_path / "io.npz", lambda x: model.fc(model.lstm(x)[0]).swapaxes(0, 1), x=random(5, 5, 3)
    )
    assert named(model, "lstm, fc:linear", path) == ["lstm, fc:linear, time_major"]
    assert named(model, DEFAULT, path) == ["lstm, fc:linear, time_major"]


def padded(lengths: list[int], time: int = 7) -> Arrays:
    x = random(len(lengths), time, 3)
    for row, length in enumerate(lengths):
        x[row, length:] = 0
    return {"x": x, "lengths": np.array(lengths)}


def valid(model: Model, x: Any, lengths: Any) -> Any:
    return model.fc(model.lstm(x)[0][torch.arange(len(x)), lengths - 1])


def packed_final(model: Model, x: Any, lengths: Any) -> Any:
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    h = model.lstm(packed)[1][0]
    return model.fc(torch.cat([h[-2], h[-1]], dim=1))


def test_the_last_valid_step_by_lengths_in_the_file(tmp_path: Path) -> None:
    model = lstm_head()
    path = model.save(tmp_path / "io.npz", lambda x, n: valid(model, x, n), **padded([7, 3, 5]))
    fits = named(model, DEFAULT, path)
    assert fits[0] == "x:floats; n:lengths; lstm, last_valid(lengths=n), fc:linear"


def test_the_last_valid_step_by_zeros_at_the_ends(tmp_path: Path) -> None:
    model, given = lstm_head(), padded([7, 3, 5])
    with torch.inference_mode():
        y = valid(model, torch.from_numpy(given["x"]), torch.tensor([7, 3, 5]))
    np.savez(tmp_path / "io.npz", x=given["x"], y=y.numpy())
    fits = named(model, DEFAULT, tmp_path / "io.npz")
    assert fits[0] == ("x:floats; n:lengths; lstm, last_valid(lengths=n), fc:linear")
    found = model.check(DEFAULT, tmp_path / "io.npz")
    assert "n counted from the zeros at the ends: 7, 3, 5" in message(found)


def test_final_states_of_packed_sequences_in_both_directions(tmp_path: Path) -> None:
    model = lstm_head(bidirectional=True)
    path = model.save(
        tmp_path / "io.npz", lambda x, n: packed_final(model, x, n), **padded([7, 3, 5])
    )
    (text,) = named(model, DEFAULT, path)
    assert "lstm(lengths=n)" in text
    assert "concat" in text


@pytest.mark.parametrize("order", [(-2, -1), (-1, -2)])
def test_final_states_of_both_directions(order: tuple[int, int], tmp_path: Path) -> None:
    model = lstm_head(bidirectional=True, num_layers=2)
    path = model.save(
        tmp_path / "io.npz",
        lambda x: model.fc(torch.cat([model.lstm(x)[1][0][i] for i in order], dim=1)),
        x=random(4, 6, 3),
    )
    (text,) = named(model, DEFAULT, path)
    first, second = (4 + i for i in order)
    assert text.index(f"pick(index={first})") < text.index(f"pick(index={second})")


@pytest.mark.parametrize("act", ["tanh", "gelu", "leaky_relu", "elu", "none"])
def test_between_linear_layers(act: str, tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(3, 5, batch_first=True), a=nn.Linear(5, 6), b=nn.Linear(6, 1))
    function = getattr(F, act, lambda y: y)
    path = model.save(
        tmp_path / "io.npz",
        lambda x: model.b(function(model.a(model.gru(x)[0][:, -1]))),
        x=random(4, 6, 3),
    )
    text = f"gru, last, a:linear, {act}, b:linear".replace(" none,", "")
    assert text in named(model, "gru, last, a:linear, relu, b:linear", path)


def test_an_activation_changed_and_another_missing(tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(3, 5, batch_first=True), a=nn.Linear(5, 6), b=nn.Linear(6, 2))
    path = model.save(
        tmp_path / "io.npz",
        lambda x: model.b(torch.tanh(model.a(model.gru(x)[0][:, -1]))).softmax(-1),
        x=random(4, 6, 3),
    )
    fits = named(model, "gru, last, a:linear, relu, b:linear", path)
    assert fits == ["gru, last, a:linear, tanh, b:linear, softmax"]


def test_three_at_once_where_the_outputs_tell_of_one(tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(3, 5, batch_first=True), fc=nn.Linear(5, 3))
    path = model.save(
        tmp_path / "io.npz",
        lambda x: model.fc(torch.relu(model.gru(x)[0].mean(1))).softmax(-1),
        x=random(4, 6, 3),
    )
    assert "gru, mean, relu, fc:linear, softmax" in named(model, "gru, last, fc:linear", path)


def test_long_sequences_with_the_input_added(tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(1, 4, batch_first=True), fc=nn.Linear(4, 1))
    path = model.save(
        tmp_path / "io.npz", lambda x: model.fc(model.gru(x)[0]) + x, x=random(1, 900, 1)
    )
    assert named(model, "gru, fc:linear", path) == ["gru, fc:linear, add(x)"]


def test_an_rnn_with_relu(tmp_path: Path) -> None:
    rnn = nn.RNN(3, 5, batch_first=True, nonlinearity="relu")
    model = Model(rnn=rnn, fc=nn.Linear(5, 2))
    path = model.save(tmp_path / "io.npz", lambda x: model.fc(rnn(x)[0][:, -1]), x=random(4, 6, 3))
    assert named(model, "rnn, last, fc:linear", path) == ["rnn(activation=relu), last, fc:linear"]


def reordered(model: Model, name: str, stored: str, torchs: str) -> None:
    """The rows of `name` in the order `stored` of gates, as a file of another program has them."""
    cell = model.modules[name]
    size = cell.hidden_size
    for parameter in cell.parameters():
        gates = parameter.data.split(size)
        parameter.data = torch.cat([gates[torchs.index(letter)] for letter in stored])


@pytest.mark.parametrize(("kind", "order"), [("lstm", "ifog"), ("lstm", "gofi"), ("gru", "zrn")])
def test_gates_in_another_order(kind: str, order: str, tmp_path: Path) -> None:
    cell = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](3, 5, batch_first=True)
    model = Model(**{kind: cell, "fc": nn.Linear(5, 2)})
    path = model.save(tmp_path / "io.npz", lambda x: model.fc(cell(x)[0][:, -1]), x=random(4, 6, 3))
    reordered(model, kind, order, {"lstm": "ifgo", "gru": "rzn"}[kind])
    fits = named(model, f"{kind}, last, fc:linear", path)
    assert fits == [f"{kind}(gates={order}), last, fc:linear"]


@pytest.mark.parametrize("word", ["input", "recurrent", "none", "twice"])
def test_biases(word: str, tmp_path: Path) -> None:
    model = lstm_head()
    tensors = model.tensors
    kept = {name: value.copy() for name, value in tensors.items()}
    if word == "twice":
        kept["lstm.bias_hh_l0"] = kept["lstm.bias_ih_l0"]
    for name, left_out in {
        "lstm.bias_ih_l0": ("recurrent", "none"),
        "lstm.bias_hh_l0": ("input", "none"),
    }.items():
        if word in left_out:
            kept[name] = np.zeros_like(kept[name])
    true = lstm_head()
    true.modules.load_state_dict({name: torch.from_numpy(value) for name, value in kept.items()})
    path = true.save(tmp_path / "io.npz", lambda x: true.fc(last(true, x)), x=random(4, 6, 3))
    if word == "twice":
        del tensors["lstm.bias_hh_l0"]
    stored = Stored(tensors)
    assert named(stored, DEFAULT, path) == [f"lstm(bias={word}), last, fc:linear"]


class Stored(Model):
    """Tensors alone."""

    def __init__(self, tensors: Arrays) -> None:
        self._tensors = tensors

    @property
    def tensors(self) -> Arrays:
        return self._tensors


def test_states_in_the_file(tmp_path: Path) -> None:
    model = lstm_head()
    path = model.save(
        tmp_path / "io.npz",
        lambda x, h, c: model.fc(model.lstm(x, (h, c))[0][:, -1]),
        x=random(4, 6, 3),
        h0=random(1, 4, 5, seed=2),
        c0=random(1, 4, 5, seed=3),
    )
    assert named(model, DEFAULT, path) == [
        "x:floats; h0:state; c0:state; lstm(initial_h=h0, initial_c=c0), last, fc:linear"
    ]


def test_a_norm_with_another_eps(tmp_path: Path) -> None:
    norm = nn.LayerNorm(5, eps=1e-3)
    model = Model(gru=nn.GRU(3, 5, batch_first=True), norm=norm, fc=nn.Linear(5, 2))
    path = model.save(
        tmp_path / "io.npz", lambda x: model.fc(norm(model.gru(x)[0][:, -1])), x=random(4, 6, 3)
    )
    fits = named(model, "gru, last, norm:layer_norm, fc:linear", path)
    assert fits == ["gru, last, norm:layer_norm(eps=0.001), fc:linear"]


def test_a_residual(tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(3, 3, batch_first=True), fc=nn.Linear(3, 2))
    path = model.save(
        tmp_path / "io.npz", lambda x: model.fc(model.gru(x)[0] + x), x=random(4, 6, 3)
    )
    assert named(model, "gru, fc:linear", path) == ["gru, add(x), fc:linear"]
