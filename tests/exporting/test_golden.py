"""Golden values of a module show what other runtimes may get wrong, where it makes sense of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lstm_export.bundle.golden import GoldenCase
from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.verify.golden import golden_cases

TIME = ("batch", "sequence_length")
X = TensorSpec("x", "float32", (*TIME, 2))
OUTPUT = TensorSpec("output", "float32", TIME)


def golden(module: nn.Module, example: tuple[Tensor, ...], *inputs: TensorSpec) -> list[GoldenCase]:
    graph = GraphSpec(inputs, (OUTPUT,))
    return golden_cases(module, describe_call(module, example), graph)


class Carried(nn.Module):
    def forward(self, x: Tensor, initial_h: Tensor) -> Tensor:
        return x.cumsum(1).sum(2) + initial_h.mean((0, 2)).unsqueeze(1)


class Growth(nn.Module):
    """Beyond float32 where x is large."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(2).exp()


class Codes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(2).float()


def test_sequences_are_tiny_and_large_and_states_stay_as_they_are() -> None:
    state = TensorSpec("initial_h", "float32", (1, "batch", 4))
    example = (torch.linspace(-1, 1, 60).reshape(3, 10, 2), torch.zeros(1, 3, 4))
    *_, tiny, large = golden(Carried(), example, X, state)
    assert (tiny.name[-5:], large.name[-6:]) == ("-tiny", "-large")
    assert 1e-4 < np.abs(tiny.inputs["x"]).max() < 1e-2
    assert 1e2 < np.abs(large.inputs["x"]).max() < 1e4
    for case in (tiny, large):
        assert 0.1 < np.abs(case.inputs["initial_h"]).max() < 10
        assert case.inputs["x"].shape[:2] != (1, 1)


def test_a_positive_sequence_stays_positive() -> None:
    cases = golden(Growth(), (torch.rand(3, 10, 2) + 0.1,), X)
    assert cases[-1].name.endswith("-tiny")
    assert all((case.inputs["x"] >= 0).all() for case in cases)


def test_values_of_which_a_module_makes_nothing_are_left_out() -> None:
    cases = golden(Growth(), (torch.linspace(-1, 1, 60).reshape(3, 10, 2),), X)
    names = [case.name for case in cases]
    assert any(name.endswith("-tiny") for name in names)
    assert not any(name.endswith("-large") for name in names)


def test_integers_have_no_scale() -> None:
    codes = TensorSpec("x", "int64", X.axes)
    cases = golden(Codes(), (torch.arange(60).reshape(3, 10, 2) % 7,), codes)
    names = [case.name for case in cases]
    assert len(names) == 5
    assert not any("scale" in name or "tiny" in name or "large" in name for name in names)
