"""The matrix of recurrent layers by which PyTorch tested its older exporter.

Four cells, one and three layers, one and two directions, an initial state or none, sequences as
they are, packed, or packed batch first: all together, and dropout, which eval mode leaves out, for
every other of these 96. Each is exported at one batch and run at another, and at other lengths. The
cases of one cell, as many layers and directions share a graph.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Group = tuple[str, int, int, str]
INPUT_SIZE, HIDDEN_SIZE = 7, 5
CELLS = {
    "elman-tanh": (nn.RNN, {"nonlinearity": "tanh"}),
    "elman-relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
}
GROUPS: list[Group] = list(itertools.product(CELLS, (1, 3), (1, 2), ("state", "no-state")))
WAYS = ("whole", "packed", "packed-batch-first")
TRACED = (3, 8, [8, 4, 1])
RUN = [(4, 6, [6, 5, 3, 1]), (4, 9, [8, 8, 2, 1]), (1, 1, [1]), (2, 33, [33, 30])]


def dropout_of(group: Group, way: str) -> float:
    """Any two choices together, of dropout and each of the others."""
    return 0.2 * ((GROUPS.index(group).bit_count() + WAYS.index(way)) % 2)


class Case(nn.Module):
    """One recurrent layer, fed in one of the ways."""

    def __init__(self, group: Group, way: str) -> None:
        super().__init__()
        cell, layers, directions, _ = group
        kind, options = CELLS[cell]
        self.way, self.batch_first = way, way == "packed-batch-first"
        self.layer = kind(  # type: ignore[operator]
            INPUT_SIZE,
            HIDDEN_SIZE,
            layers,
            dropout=dropout_of(group, way),
            bidirectional=directions == 2,
            batch_first=self.batch_first,
            **options,
        )

    def forward(self, x: Tensor, lengths: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        given = (state if len(state) == 2 else state[0],) if state else ()
        if self.way == "whole":
            y, final = self.layer(x, *given)
            rest: tuple[Tensor, ...] = ()
        else:
            x = x.transpose(0, 1) if self.batch_first else x
            packed = pack_padded_sequence(x, lengths, batch_first=self.batch_first)
            packed, final = self.layer(packed, *given)
            y, *rest = pad_packed_sequence(packed, batch_first=self.batch_first)  # type: ignore[assignment]
        return y, *(final if isinstance(final, tuple) else (final,)), *rest


Kind = tuple[str, int, int]


class Cases(nn.Module):
    """Every case of one kind of layer, side by side, by its group and way."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.names = [(group, way) for group in GROUPS if group[:3] == kind for way in WAYS]
        self.cases = nn.ModuleList(Case(*name) for name in self.names)

    def forward(self, x: Tensor, lengths: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        outputs: list[Tensor] = []
        for (group, _), case in zip(self.names, self.cases, strict=True):
            outputs += case(x, lengths, *(state if group[3] == "state" else ()))
        return tuple(outputs)


def inputs(kind: Kind, batch: int, time: int, lengths: list[int]) -> list[Tensor]:
    cell, layers, directions = kind
    shape = (layers * directions, batch, HIDDEN_SIZE)
    states = [torch.randn(shape) for _ in range(2 if cell == "lstm" else 1)]
    return [torch.randn(time, batch, INPUT_SIZE), torch.tensor(lengths), *states]


Findings = dict[tuple[Group, str], list[str]]


@pytest.fixture(scope="module")
def findings(exported: Callable[..., Any]) -> Callable[[Kind], Findings]:
    """What is wrong with each case of one kind of layer; empty lists are good."""

    @functools.cache
    def find(kind: Kind) -> Findings:
        torch.manual_seed(0)
        module = Cases(kind)
        graph = exported(module, *inputs(kind, *TRACED))
        parts = 2 if kind[0] == "lstm" else 1
        owners = [name for name in module.names for _ in range(1 + parts + (name[1] != "whole"))]
        found: Findings = {name: [] for name in module.names}
        for owner, (name, shape) in zip(owners, graph.outputs.items(), strict=True):
            fixed = sum(isinstance(size, int) for size in shape)
            if fixed != {1: 0, 3: 1}[len(shape)] and shape[0] != kind[1] * kind[2]:
                found[owner].append(f"{name} has the shape {shape}")
        for case in RUN:
            results = graph.compare(*inputs(kind, *case))
            for owner, result in zip(owners, results.values(), strict=True):
                if not result.passed:
                    found[owner].append(f"{result.name} at {case}: {result.reason}")
        return found

    return find


@pytest.mark.filterwarnings("ignore:dropout option adds dropout:UserWarning")  # in one layer: none
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("group", GROUPS, ids=["-".join(map(str, group)) for group in GROUPS])
def test_exported_at_one_batch_it_is_right_at_another(
    findings: Callable[[Kind], Findings], group: Group, way: str
) -> None:
    assert not findings(group[:3])[group, way]
