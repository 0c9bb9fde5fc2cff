"""Parameters that a module uses and does not own, and what only looks like it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstm_export.exporting.audit.registration import unregistered
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.unchanged.kept import kept


class Layers:
    """A helper that is no module."""

    def __init__(self) -> None:
        self.layers = [nn.Linear(3, 3)]


class Model(nn.Module):
    def __init__(self, hold: Any, use: Any) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 3, batch_first=True)
        self.held = hold(self)
        self.use = use

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.use(self, x))[0]


def told(model: nn.Module) -> tuple[str, ...]:
    model.eval()
    with torch.no_grad(), kept(model):
        return unregistered(model, describe_call(model, (torch.randn(2, 4, 3),)))


STRAY = {
    "list": (lambda m: [nn.Linear(3, 3)], lambda m, x: m.held[0](x), "held[0]"),
    "dict of lists": (
        lambda m: {"a": [nn.Linear(3, 3)]},
        lambda m, x: m.held["a"][0](x),
        "held['a'][0]",
    ),
    "tuple": (lambda m: (1, nn.LSTM(3, 3)), lambda m, x: m.held[1](x)[0], "held[1]"),
    "parameters": (lambda m: [nn.Parameter(torch.ones(3))], lambda m, x: x * m.held[0], "held[0]"),
    "tensor": (lambda m: torch.ones(3, requires_grad=True), lambda m, x: x * m.held, "held"),
    "helper": (lambda m: Layers(), lambda m, x: m.held.layers[0](x), "held.layers[0]"),
}


@pytest.mark.parametrize("name", STRAY)
def test_parameters_that_are_not_registered_are_told_with_their_place(name: str) -> None:
    hold, use, place = STRAY[name]
    (sentence,) = told(Model(hold, use))
    assert sentence.startswith(f"{place} (Model) holds ")
    assert "never trained" in sentence
    assert f"{Path(__file__).name}:" in sentence
    assert "self.held = hold(self)" in sentence


def test_they_are_found_inside_other_modules() -> None:
    hold, use, _ = STRAY["list"]
    (sentence,) = told(nn.Sequential(Model(hold, use)))
    assert sentence.startswith("0.held[0] (Model)")


def frozen(layer: nn.Module) -> nn.Module:
    return layer.requires_grad_(False)


INNOCENT = {
    "constants": (lambda m: [torch.ones(3)], lambda m, x: x * m.held[0]),
    "back reference": (lambda m: [m, m.rnn], lambda m, x: m.held[1](x)[0]),
    "second name": (lambda m: {"w": m.rnn.weight_ih_l0}, lambda m, x: x * m.held["w"][0]),
    "frozen on purpose": (lambda m: [frozen(nn.Linear(3, 3))], lambda m, x: m.held[0](x)),
    "averaged copy": (lambda m: [copy.deepcopy(m.rnn)], lambda m, x: x),
    "module list": (lambda m: nn.ModuleList([nn.Linear(3, 3)]), lambda m, x: m.held[0](x)),
    "weight norm": (lambda m: nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)), None),
    "spectral norm": (lambda m: nn.utils.spectral_norm(nn.Linear(3, 3)), None),
    "shared layer": (lambda m: m.rnn, lambda m, x: m.held(x)[0]),
    "optimiser": (lambda m: torch.optim.SGD(m.parameters(), lr=0.1), lambda m, x: x),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_innocent_holders_pass(name: str) -> None:
    hold, use = INNOCENT[name]
    assert told(Model(hold, use or (lambda m, x: m.held(x)))) == ()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_old_style_weight_norm_passes() -> None:
    model = Model(lambda m: nn.utils.weight_norm(nn.Linear(3, 3)), lambda m, x: m.held(x))
    nn.utils.weight_norm(model.rnn, "weight_hh_l0")
    assert told(model) == ()


def test_without_a_call_unused_parameters_are_told_too_and_weights_stay() -> None:
    hold, use = INNOCENT["averaged copy"]
    model = Model(hold, use)
    assert len(unregistered(model)) == 1
    before = model.held[0].weight_ih_l0.clone()
    told(model)
    assert torch.equal(before, model.held[0].weight_ih_l0)
