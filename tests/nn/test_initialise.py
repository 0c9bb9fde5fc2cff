"""Initial weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.errors import OptionError
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.initialise import GATES, initialise

COLUMN = (Column("x", "", 0.0, 1.0),)
NO_SCALING = Scaling("none", (0.0,), (1.0,))
HIDDEN = 16


def model(cell: Any = "lstm", context: int = 50, **details: Any) -> Forecaster:
    spec = Recurrent(cell, 1, HIDDEN, **details)
    torch.manual_seed(0)
    return Forecaster(Forecast(COLUMN, COLUMN, Window(context, 1), NO_SCALING, NO_SCALING, spec))


def total_bias(made: Forecaster, gate: str, suffix: str = "l0") -> torch.Tensor:
    state = made.recurrent.state_dict()
    gates = GATES[made.forecast.recurrent.cell]
    both = state[f"bias_ih_{suffix}"] + state[f"bias_hh_{suffix}"]
    return both.chunk(len(gates))[gates.index(gate)]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_recurrent_weights_are_orthogonal_gate_by_gate(cell: str) -> None:
    made = model(cell, num_layers=2, bidirectional=True)
    initialise(made, "default")
    for name, weights in made.recurrent.named_parameters():
        if name.startswith("weight_hh"):
            for gate in weights.detach().double().chunk(len(GATES[cell])):  # type: ignore[index]
                np.testing.assert_allclose(gate @ gate.T, np.eye(HIDDEN), atol=1e-6)


def test_the_forget_bias_is_one_in_total_and_no_other_bias_is() -> None:
    made = model(num_layers=2)
    initialise(made, "default")
    for suffix in ("l0", "l1"):
        assert (total_bias(made, "f", suffix) == 1.0).all()
        for gate in "igo":
            assert (total_bias(made, gate, suffix) == 0.0).all()


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_other_cells_start_without_biases(cell: str) -> None:
    made = model(cell)
    initialise(made, "default")
    assert all((total_bias(made, gate) == 0.0).all() for gate in GATES[cell])  # type: ignore[index]


def test_chrono_forget_biases_span_the_context_and_input_biases_oppose_them() -> None:
    made = model(context=50)
    initialise(made, "chrono")
    forget = total_bias(made, "f")
    assert (forget >= 0).all()
    assert (forget <= np.log(49)).all()
    assert forget.unique().numel() == HIDDEN
    np.testing.assert_array_equal(total_bias(made, "i"), -forget)


def test_chrono_of_a_gru_makes_it_keep_its_state() -> None:
    made = model("gru", context=50)
    initialise(made, "chrono")
    assert (total_bias(made, "z") > 0).all()
    assert (total_bias(made, "r") == 0).all()


@pytest.mark.parametrize(("cell", "context"), [("rnn", 50), ("lstm", 2)])
def test_chrono_refuses_what_it_cannot_do(cell: str, context: int) -> None:
    with pytest.raises(OptionError, match=r"chrono.*gates.*context"):
        initialise(model(cell, context), "chrono")


def test_torch_leaves_torch_s_own() -> None:
    made, untouched = model(), model()
    initialise(made, "torch")
    for got, expected in zip(made.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(got, expected)


def test_a_projection_is_initialised_too() -> None:
    made = model(proj_size=4)
    initialise(made, "default")
    recurrent = made.recurrent.state_dict()["weight_hh_l0"].double()
    for gate in recurrent.chunk(4):
        np.testing.assert_allclose(gate.T @ gate, np.eye(4), atol=1e-6)
