"""Architectures that sizes allow and that may be others: asked about, never taken silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from lstm_export.importing.infer.infer import infer
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.raw import RawFile

Read = Callable[..., RawFile]
L = nn.Linear


@pytest.mark.parametrize(
    ("parts", "question"),
    [
        (
            {"lstm": nn.LSTM(3, 8), "attention": L(8, 8), "fc": L(8, 2)},
            "attention: an attention by the name",
        ),
        (
            {"encoder_rnn": nn.LSTM(3, 8), "decoder_rnn": nn.LSTM(8, 8), "fc": L(8, 2)},
            "decoder_rnn may read every step of encoder_rnn",
        ),
        ({"h2o": L(4, 9), "gru": nn.GRU(9, 4)}, '"h2o:linear, gru"; or --layers "gru, last, h2o'),
        (
            {"forth": nn.LSTM(3, 8), "back": nn.LSTM(3, 8), "fc": L(16, 2)},
            '"tower_0 = forth:lstm, last; tower_1 = x, back:lstm, last; concat(',
        ),
        (
            {"emb": nn.Embedding(9, 3), "forth": nn.LSTM(3, 8), "back": nn.LSTM(3, 8),
             "fc": L(16, 2)},
            "stem = emb:embedding; tower_0 = stem, forth:lstm",
        ),
        (
            {"rnn": nn.GRU(3, 8, bidirectional=True), "norm": nn.LayerNorm(8), "fc": L(8, 2)},
            "the sum of both?",
        ),
        ({"rnn": nn.LSTM(3, 8), "static": L(5, 4), "fc": L(12, 2)}, "--module"),
    ],
)  # fmt: skip
def test_what_is_asked(read_as: Read, net: Any, parts: dict[str, nn.Module], question: str) -> None:
    assert question in str(infer(read_as(net(**parts))).question)


def test_the_norm_of_an_image_convolution_goes_with_it(read_as: Read, net: Any) -> None:
    parts = {"conv": nn.Conv2d(1, 4, 3), "norm": nn.BatchNorm2d(4), "rnn": nn.GRU(4, 8)}
    table = infer(read_as(net(**parts))).table
    unused = {row.name.partition(".")[0] for row in table if row.use == "unused"}
    assert unused == {"conv", "norm"}


def test_a_bare_layer_does_not_take_the_name_of_another(read_as: Read, net: Any) -> None:
    state = {**nn.GRU(3, 4).state_dict(), "gru.weight": L(4, 4).weight, "gru.bias": L(4, 4).bias}
    found = infer(read_as(state))
    assert found.proposal is not None
    assert found.proposal.text == "gru_1:gru, last, gru:linear"


def test_floats_beside_an_embedding_are_suggested(read_as: Read, net: Any) -> None:
    raw = read_as(net(emb=nn.Embedding(12, 6), rnn=nn.LSTM(10, 8), out=L(8, 2)))
    found = infer(raw)
    text = str(found.question).partition('perhaps --layers "')[2].removesuffix('"')
    assert text == (
        "x:floats(size=4); i_0:ids; e_0 = i_0, emb:embedding; concat(x, e_0), rnn:lstm, out:linear"
    )
    assert len(bind(parse(text), found.state.tensors).inputs) == 2
