"""Modules that were pickled whole: what their classes say goes before what shapes look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lstm_export.importing.infer.infer import Inference, infer
from lstm_export.importing.read import read

Read = Callable[..., Inference]


@pytest.fixture
def inferred(tmp_path: Path, net: Any) -> Callable[..., Inference]:
    def saved_and_read(**parts: Any) -> Inference:
        torch.save(net(**parts), tmp_path / "net.pt")
        return infer(read(tmp_path / "net.pt"))

    return saved_and_read


def _text(found: Inference) -> str:
    assert found.proposal is not None, found.question
    return found.proposal.text


LSTM = nn.LSTM(4, 4, batch_first=True)
LAYERS = [
    (nn.GroupNorm(2, 4, eps=1e-3), "part:group_norm(groups=2, eps=0.001)"),
    (nn.RMSNorm(4), "part:rms_norm"),
    (nn.RMSNorm(4, eps=1e-5), "part:rms_norm(eps=1e-05)"),
    (nn.Conv1d(4, 4, 3, stride=2, padding=1), "part:conv1d(stride=2, padding=1)"),
    (nn.BatchNorm1d(4, eps=1e-3), "part:batch_norm(eps=0.001)"),
    (nn.Embedding(9, 4), "part:embedding"),
    (nn.Embedding(4, 4), "part:embedding"),
    (nn.Linear(9, 4, bias=False), "part:linear"),
]


@pytest.mark.parametrize(("part", "text"), LAYERS, ids=lambda v: v if isinstance(v, str) else "")
def test_constructor_values_reach_the_proposal(inferred: Read, part: nn.Module, text: str) -> None:
    assert _text(inferred(part=part, lstm=LSTM)) == f"{text}, lstm"


OTHERS = [
    nn.InstanceNorm1d(4, affine=True),
    nn.BatchNorm1d(4, track_running_stats=False),
    nn.Bilinear(4, 4, 4),
    nn.EmbeddingBag(9, 4),
    nn.Embedding(9, 4, max_norm=1.0),
    nn.Conv1d(4, 4, 3, padding=1, padding_mode="circular"),
    nn.ConvTranspose1d(4, 4, 3),
]


@pytest.mark.parametrize("part", OTHERS, ids=lambda part: type(part).__name__)
def test_a_class_of_the_same_shapes_is_not_taken_for_another(
    inferred: Read, part: nn.Module
) -> None:
    found = inferred(part=part, lstm=LSTM)
    rows = [row for row in found.table if row.name in ("part.weight", "part.bias")]
    assert rows
    assert {row.use for row in rows} == {"unused"}
    assert all("torch.nn" in row.reason or "which no layer" in row.reason for row in rows)


def test_what_ends_a_sequential_stands_before_the_next_layer(inferred: Read) -> None:
    front = nn.Sequential(
        nn.Sequential(nn.Conv1d(3, 4, 3), nn.SiLU()), nn.BatchNorm1d(4), nn.Tanh(), nn.MaxPool1d(2)
    )
    head = nn.Sequential(nn.Dropout(), nn.Linear(4, 4), nn.Mish(), nn.Linear(4, 1), nn.Sigmoid())
    assert _text(inferred(front=front, lstm=LSTM, head=head)) == (
        "front.0.0:conv1d, silu, front.1:batch_norm, tanh, max_pool1d(kernel=2, stride=2, "
        "padding=0), lstm, last, head.1:linear, mish, head.3:linear, sigmoid"
    )


@pytest.mark.parametrize("odd", [nn.GLU(), nn.MaxPool1d(2, ceil_mode=True)])
def test_what_no_layer_builds_is_asked_about(inferred: Read, odd: nn.Module) -> None:
    found = inferred(front=nn.Sequential(nn.Linear(3, 4), odd), lstm=LSTM)
    assert f"front.1 is a torch.nn.{type(odd).__name__}" in str(found.question)


def test_activations_outside_of_a_sequential_are_named(inferred: Read) -> None:
    found = inferred(lstm=LSTM, act=nn.Tanh(), drop=nn.Dropout(), fc=nn.Linear(4, 1))
    assert found.proposal is not None
    said = [text for text in found.proposal.assumptions if "act (Tanh)" in text]
    assert len(said) == 1
    assert "drop" not in said[0]


def test_a_projection_called_embedding_is_a_linear_layer(inferred: Read) -> None:
    assert _text(inferred(embed=nn.Linear(9, 4, bias=False), lstm=LSTM)) == "embed:linear, lstm"


def test_convolutions_run_over_the_steps_of_a_model_with_time_first(inferred: Read) -> None:
    found = inferred(conv=nn.Conv1d(3, 4, 3), rnn=nn.GRU(4, 4), fc=nn.Linear(4, 1))
    assert _text(found) == (
        "conv:conv1d, time_major, rnn:gru(batch_first=false), last(batch_first=false), fc:linear"
    )
    behind = inferred(rnn=nn.GRU(3, 4), conv=nn.Conv1d(4, 4, 3), fc=nn.Linear(4, 1))
    assert _text(behind) == (
        "x:floats(time_major=true); rnn:gru(batch_first=false), time_major, conv:conv1d, last, "
        "fc:linear"
    )
