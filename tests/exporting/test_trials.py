"""The values that an exported file is tried on are such as the module can really get."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.verify.sizes import size_of
from lstm_export.exporting.verify.trials import Trials


def drawn(
    module: nn.Module, example: Any, graph: GraphSpec
) -> list[tuple[dict[str, int], dict[str, Any]]]:
    trials = Trials(module, describe_call(module, example), graph)
    plans = trials.planned()
    first = [next(iter(trials.versions(plan))) for plan in plans]
    return [(dict(trial.sizes), trials.feeds(trial)) for trial in first]


class Taker(nn.Module):
    """Takes anything."""

    def __init__(self, words: int = 50) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 2)

    def forward(self, a: Tensor, b: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        return a


def specs(*ends: tuple[str, str, tuple[str | int, ...]]) -> GraphSpec:
    return GraphSpec(tuple(TensorSpec(*end) for end in ends), ())


TIME = ("batch", "sequence_length")


def test_tokens_stay_in_the_vocabulary() -> None:
    graph = specs(("a", "int64", TIME))
    for example, low, high in (
        (torch.tensor([[3, 9, 4]]), 3, 9),
        (torch.zeros(2, 3, dtype=torch.int64), 0, 49),
    ):
        values = [feeds["a"] for _, feeds in drawn(Taker(), example, graph)]
        together = np.concatenate([value.ravel() for value in values])
        assert together.min() >= low
        assert together.max() <= high
        assert len(np.unique(together)) > 3


def test_no_row_of_a_mask_is_empty() -> None:
    graph = specs(("a", "float32", TIME), ("b", "bool", TIME), ("mask", "float32", TIME))
    valid = torch.tensor([[True, True, False], [True, True, True]])
    for mask in (valid, ~valid, torch.ones(2, 3, dtype=torch.bool)):
        example = (torch.randn(2, 3), mask, mask.float())
        cases = drawn(Taker(), example, graph)
        for sizes, feeds in cases:
            assert feeds["b"].shape == (sizes["batch"], sizes["sequence_length"])
            assert (feeds["b"][:, 0] == bool(mask[0, 0])).all()
            assert set(np.unique(feeds["mask"])) <= {0.0, 1.0}
            changes = (feeds["b"][:, 1:] != feeds["b"][:, :-1]).sum(1)
            assert (changes <= 1).all()
        assert any((feeds["b"][:, -1] != feeds["b"][:, 0]).any() for _, feeds in cases)


def test_states_are_random_and_zero_and_rates_stay_positive() -> None:
    graph = specs(("a", "float32", TIME), ("b", "float32", (1, "batch", 4)))
    cases = drawn(Taker(), (torch.rand(2, 3), torch.zeros(1, 2, 4)), graph)
    states = [feeds["b"] for _, feeds in cases]
    assert any((state == 0).all() for state in states)
    assert any((state < 0).any() for state in states)
    assert all((feeds["a"] >= 0).all() for _, feeds in cases)


def test_two_lengths_vary_apart_and_each_has_its_own() -> None:
    graph = specs(
        ("a", "float32", ("batch", "sequence_length", 2)),
        ("b", "int64", ("batch",)),
        ("mask", "int64", ("batch", "sequence_length_1")),
    )
    example = (torch.randn(2, 7, 2), torch.tensor([7, 4]), torch.tensor([[1, 2, 3], [4, 5, 6]]))
    cases = drawn(Taker(), example, graph)
    assert all(feeds["b"].max() == sizes["sequence_length"] for sizes, feeds in cases)
    assert all(feeds["b"].min() >= 1 for _, feeds in cases)
    pairs = {(sizes["sequence_length"], sizes["sequence_length_1"]) for sizes, _ in cases}
    assert len({a for a, _ in pairs}) > 3
    assert len({b for _, b in pairs}) > 3
    assert any(a > b for a, b in pairs)
    assert any(a < b for a, b in pairs)


class Steps(nn.Module):
    def forward(self, x: Tensor, steps: int) -> Tensor:
        return x.cumsum(1)[:, :steps]


def test_a_number_of_steps_varies() -> None:
    graph = specs(("x", "float32", TIME), ("steps", "int64", ()))
    module = Steps()
    cases = drawn(module, (torch.randn(2, 5), 3), graph)
    assert len({int(feeds["steps"]) for _, feeds in cases}) > 3
    tied = drawn(module, (torch.randn(2, 5), 5), graph)
    assert any(int(feeds["steps"]) == sizes["sequence_length"] for sizes, feeds in tied)
    assert any(int(feeds["steps"]) != sizes["sequence_length"] for sizes, feeds in tied)


@pytest.mark.parametrize(
    ("axis", "size"),
    [
        ("sequence_length", 9),
        ("2*sequence_length + 1", 19),
        ("sequence_length//2", 4),
        ("((sequence_length//2))", 4),
        ("floor(sequence_length/2 - 1/2)", 4),
        ("Max(1, batch - 5)", 1),
        ("sequence_length/2", None),
        ("other", None),
        ("time-axis", None),
        ("a name", None),
        ("exit()", None),
    ],
)
def test_the_size_of_an_axis_that_follows_from_others(axis: str, size: int | None) -> None:
    assert size_of(axis, {"batch": 3, "sequence_length": 9}) == size


def test_axes_that_follow_from_others_are_not_varied_by_themselves() -> None:
    graph = specs(
        ("a", "float32", TIME),
        ("b", "float32", ("batch", "2*sequence_length")),
        ("mask", "int64", ("batch",)),
    )
    example = (torch.randn(2, 3), torch.randn(2, 6), torch.tensor([3, 2]))
    for sizes, feeds in drawn(Taker(), example, graph):
        assert list(sizes) == ["batch", "sequence_length"]
        assert feeds["b"].shape[1] == 2 * feeds["a"].shape[1]
        assert feeds["mask"].max() == sizes["sequence_length"]
