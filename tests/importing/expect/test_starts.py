"""Starts from other states than zeros: carried from row to row, unknown, or only to be guessed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lstm_export.importing.expect.agreement import message

sys.path.insert(0, str(Path(__file__).parent))

from torch_models import Model, lstm_head, random

EVERY = "lstm, fc:linear"


def continued(model: Model, x: Any) -> Any:
    """Each sequence from where the one before it ended."""
    state, rows = None, []
    for row in x:
        y, state = model.lstm(row[None], state)
        rows.append(model.fc(y))
    return torch.cat(rows)


@pytest.mark.usefixtures("few_pairs")
def test_sequences_that_continue_each_other(tmp_path: Path) -> None:
    model = lstm_head(num_layers=2)
    path = model.save(tmp_path / "io.npz", lambda x: continued(model, x), x=random(4, 6, 3))
    found = model.check(EVERY, path)
    assert not found.passed
    assert not found.fits
    assert (
        '--layers "x:floats; h0:state; c0:state; y, final_h, final_c = lstm(initial_h=h0, '
        'initial_c=c0); output = y, fc:linear; return output, final_h, final_c"'
    ) in message(found)
    assert "keeps its state from call to call" in message(found)


def started(model: Model, h: Any, c: Any) -> Any:
    def function(x: Any) -> Any:
        states = [torch.from_numpy(s)[:, None].repeat(1, len(x), 1) for s in (h, c)]
        return model.fc(model.lstm(x, tuple(states))[0])

    return function


@pytest.mark.usefixtures("few_pairs")
def test_a_start_that_nobody_saved(tmp_path: Path) -> None:
    model = lstm_head()
    h, c = 0.5 * random(1, 5, seed=4), random(1, 5, seed=5)
    path = model.save(tmp_path / "io.npz", started(model, h, c), x=random(3, 12, 3))
    text = message(model.check(EVERY, path))
    assert "one and the same state" in text
    for role, state in (("lstm.initial_h", h), ("lstm.initial_c", c)):
        written = text.split(f"{role} = [")[1].split("]")[0]
        assert np.abs(np.array(written.split(", "), dtype=float) - state[0]).max() < 1e-3


@pytest.mark.usefixtures("few_pairs")
def test_another_start_for_each_sequence_fades(tmp_path: Path) -> None:
    model = Model(rnn=nn.RNN(3, 4, batch_first=True), fc=nn.Linear(4, 2))
    model.modules["rnn"].weight_hh_l0.data *= 0.3
    h = torch.from_numpy(random(1, 3, 4, seed=6))
    path = model.save(
        tmp_path / "io.npz", lambda x: model.fc(model.rnn(x, h)[0]), x=random(3, 24, 3)
    )
    text = message(model.check("rnn, fc:linear", path))
    assert "largest at the first steps" in text
    assert "dies away" in text


def test_a_start_beside_the_inputs_under_a_word_of_the_layer_string(tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(3, 4, batch_first=True), fc=nn.Linear(4, 2))
    path = model.save(
        tmp_path / "io.npz",
        lambda x, state: model.fc(model.gru(x, state)[0]),
        x=random(3, 5, 3),
        state=random(1, 3, 4, seed=2),
    )
    found = model.check("gru, fc:linear", path)
    assert [fit.text for fit in found.fits] == ["x:floats; h0:state; gru(initial_h=h0), fc:linear"]
    assert model.check(found.fits[0].text, path).passed
