"""Decisions on sizes: which are branches, which only refuse inputs, and what limits they set."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from lstm_export.exporting.audit.branches import (
    SizeCondition,
    judged,
    size_conditions,
    size_limits,
)
from lstm_export.exporting.audit.refusal import refusal_of
from lstm_export.exporting.audit.trial import eager_trial, resized
from lstm_export.exporting.audit.watch import watched_sizes
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.tracing.trace import trace
from lstm_export.exporting.unchanged.kept import kept
from lstm_export.exporting.unchanged.quiet import no_warnings

Front = Callable[[Tensor], Tensor]


class Model(nn.Module):
    """`front` before a recurrent layer; the state's batch has to be that of x."""

    def __init__(self, front: Front) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 8, batch_first=True)
        self.front = front

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.gru(self.front(x), h)[0]


def conditions(front: Front) -> tuple[SizeCondition, ...]:
    torch.manual_seed(0)
    module = Model(front).eval()
    call = describe_call(module, (torch.randn(2, 5, 3), torch.zeros(1, 2, 8)))
    with no_warnings(), torch.no_grad(), kept(module):
        traced = trace(module, call, ["output"])
        return judged(size_conditions(traced.program), eager_trial(module, call))


def branches(front: Front) -> list[SizeCondition]:
    return [one for one in conditions(front) if one.kind == "branch"]


def if_longer(x: Tensor) -> Tensor:
    if x.size(1) > 4:
        x = x * 2
    return x


def if_single(x: Tensor) -> Tensor:
    if x.shape[1] == 1:
        return x * 2
    return x


def if_else(x: Tensor) -> Tensor:
    if x.size(1) > 4 or x.size(0) > 7:  # noqa: SIM108
        x = x * 2
    else:
        x = x * 3
    return x


def by_expression(x: Tensor) -> Tensor:
    return x if x.size(1) % 2 else x + 1


def over_lines(x: Tensor) -> Tensor:
    return (
        x
        if x.size(1)
        > 3
        else x + 1
    )  # fmt: skip


def while_loop(x: Tensor) -> Tensor:
    n = 0
    while n * n < x.size(1):
        n += 1
    return x * n


def comprehension(x: Tensor) -> Tensor:
    return x * len([step for step in (1, 2, 9) if step < x.size(1)])


def equal_axes(x: Tensor) -> Tensor:
    return x if x.size(0) == x.size(1) else x * 2


def one_of(x: Tensor) -> Tensor:
    return x if x.size(1) in (3, 9) else x + 1


def raises_or_changes(x: Tensor) -> Tensor:
    if x.size(1) > 4:
        if x.size(1) > 100:
            raise ValueError
        x = x * 2
    return x


TESTS = [if_longer, if_single, if_else, by_expression, over_lines, while_loop, comprehension]
TESTS += [equal_axes, one_of, raises_or_changes]


@pytest.mark.parametrize("front", TESTS, ids=lambda front: front.__name__)
def test_tests_of_a_size_are_branches_with_their_line(front: Front) -> None:
    found = branches(front)
    assert found
    for one in found:
        assert one.asker == "test"
        assert Path(one.place.file).name == Path(__file__).name
        assert "x.size" in one.text or "x.shape" in one.text
        first = front.__code__.co_firstlineno
        assert first < one.place.line < first + 9


def square_root(x: Tensor) -> Tensor:
    return x * math.sqrt(x.size(1))


def as_float(x: Tensor) -> Tensor:
    return x * float(x.size(1))


def as_int(x: Tensor) -> Tensor:
    return x[:, : int(x.size(1) / 2)]


def list_of(x: Tensor) -> Tensor:
    return x * len([1] * x.size(1))


def numpy_zeros(x: Tensor) -> Tensor:
    return x + torch.tensor(np.zeros(x.size(1))).float()[None, :, None]


def numpy_ramp(x: Tensor) -> Tensor:
    return x * torch.tensor(np.linspace(0, 1, x.size(1))).float()[None, :, None]


def batch_as_int(x: Tensor) -> Tensor:
    return x / int(x.size(0))


NUMBERS = [square_root, as_float, as_int, list_of, numpy_zeros, numpy_ramp, batch_as_int]


@pytest.mark.parametrize("front", NUMBERS, ids=lambda front: front.__name__)
def test_plain_numbers_of_a_size_are_branches(front: Front) -> None:
    (one,) = branches(front)
    assert one.asker == "number"
    assert bool(one.fixes) == (front is not as_int)
    assert one.place.line == front.__code__.co_firstlineno + 1
    axes = next(iter(one.axes.values()))
    assert axes[0] == ((0, 0) if front is batch_as_int else (0, 1))


def asserted(x: Tensor) -> Tensor:
    assert x.size(1) >= 3, "too short"
    assert 1 < x.shape[1] <= 100
    return x


def raised(x: Tensor) -> Tensor:
    _, length, _ = x.shape
    if length > 512:
        message = f"at most 512 steps, got {length}"
        raise ValueError(message)
    if length < 2:
        raise ValueError
    return x


def raised_by_else(x: Tensor) -> Tensor:
    if x.size(1) <= 50:
        x = x + 1
    else:
        raise ValueError("too long")
    return x


def require(holds: Any, message: str) -> None:
    if not holds:
        raise ValueError(message)


def raised_by_helper(x: Tensor) -> Tensor:
    require(x.size(1) > 1, "too short")
    return x


def raised_later(x: Tensor) -> Tensor:
    fits = x.size(1) > 2 and x.size(1) < 100
    if not fits:
        raise ValueError
    return x


def checked(x: Tensor) -> Tensor:
    torch._check(x.size(1) >= 2)
    return x


def convolved(x: Tensor) -> Tensor:
    return F.conv1d(x.transpose(1, 2), torch.ones(3, 3, 3)).transpose(1, 2)


def unfolded(x: Tensor) -> Tensor:
    return x.unfold(1, 3, 1)[..., 0]


def largest(x: Tensor) -> Tensor:
    return x.topk(4, 1)[0]


def positions(x: Tensor) -> Tensor:
    return x + torch.zeros(1, 50, 3)[:, : x.size(1)]


LIMITS = {
    asserted: (3, 100),
    raised: (2, 512),
    raised_by_else: (1, 50),
    raised_by_helper: (2, None),
    raised_later: (3, 99),
    checked: (2, None),
    convolved: (3, None),
    unfolded: (3, None),
    largest: (4, None),
    positions: (1, 50),
}


@pytest.mark.parametrize("front", LIMITS, ids=lambda front: front.__name__)
def test_what_only_refuses_is_a_limit(front: Front) -> None:
    found = conditions(front)
    assert not [one for one in found if one.kind == "branch"]
    assert size_limits(found)[0, 1] == LIMITS[front]


def warned(x: Tensor) -> Tensor:
    if x.size(1) > 3:
        warnings.warn("long", stacklevel=1)
    return x


def empty(x: Tensor) -> Tensor:
    return x * 0 if x.size(1) == 0 else x


def attention(x: Tensor) -> Tensor:
    ahead = torch.triu(torch.ones(x.size(1), x.size(1)), 1).bool()
    scores = x @ x.transpose(1, 2) / math.sqrt(x.size(-1))
    return scores.masked_fill(ahead, -1e9).softmax(-1) @ x


def turned(x: Tensor) -> Tensor:
    return x.transpose(0, 1).reshape(-1, 3).view(x.size(1), x.size(0), 3).transpose(0, 1)


def width(x: Tensor) -> Tensor:
    if x.size(-1) != 3:
        raise ValueError
    return x / int(x.size(2))


def torch_only(x: Tensor) -> Tensor:
    x = x.cumsum(1) / torch.arange(1, x.size(1) + 1)[None, :, None]
    return F.pad(x, (0, 0, 1, 0))[:, :-1].flip(1).roll(1, 1) + x.mean(1, keepdim=True)


def smaller(x: Tensor) -> Tensor:
    return x[:, : max(1, min(x.size(1), 7))]


INNOCENT = [warned, empty, attention, turned, width, torch_only, smaller]


@pytest.mark.parametrize("front", INNOCENT, ids=lambda front: front.__name__)
def test_innocent_modules_have_no_branch_and_no_limit(front: Front) -> None:
    found = conditions(front)
    assert [one for one in found if one.kind == "branch"] == []
    limits = size_limits(found)
    assert not {(0, 0), (0, 1), (1, 1)} & limits.keys()


def test_what_torch_decides_and_the_module_takes_is_a_caution() -> None:
    cautions = [one for one in conditions(turned) if one.kind == "caution"]
    assert cautions
    assert all(one.asker == "torch" for one in cautions)


def test_axes_that_were_tied_are_told_together() -> None:
    def by_batch(x: Tensor) -> Tensor:
        return x * 2 if x.size(0) > 1 else x

    (one,) = branches(by_batch)
    assert list(one.axes.values()) == [((0, 0), (1, 1))]
    assert next(one.breaking()) == {(0, 0): 1, (1, 1): 1}


def test_unwatched_traces_and_other_threads_are_left_alone() -> None:
    original = ShapeEnv.evaluate_expr
    seen: list[Any] = []
    with watched_sizes():
        inside = ShapeEnv.evaluate_expr
        assert inside is not original
        thread = threading.Thread(target=lambda: seen.append(_guarded()))
        thread.start()
        thread.join()
        with watched_sizes():
            assert ShapeEnv.evaluate_expr is inside
        assert ShapeEnv.evaluate_expr is inside
    assert ShapeEnv.evaluate_expr is original
    assert seen == [()]
    with watched_sizes():
        assert [one.kind for one in _guarded()] == ["branch"]
    with pytest.raises(KeyError), watched_sizes():
        raise KeyError
    assert ShapeEnv.evaluate_expr is original


def _guarded() -> tuple[SizeCondition, ...]:
    class Branching(nn.Module):
        def forward(self, *tensors: Tensor) -> Tensor:
            return tensors[0] * 2 if tensors[0].size(0) > 3 else tensors[0]

    axes = (({0: torch.export.Dim.AUTO},),)
    program = torch.export.export(Branching(), (torch.ones(5),), dynamic_shapes=axes, strict=False)
    return size_conditions(program)


def test_resized_examples_stay_plausible() -> None:
    class Padded(nn.Module):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return x * lengths[:, None, None]

    call = describe_call(Padded(), (torch.randn(2, 5, 3), torch.tensor([5, 4])))
    x, lengths = resized(call, {(0, 1): 3})
    assert x.shape == (2, 3, 3)
    assert lengths.tolist() == [3, 3]
    x, lengths = resized(call, {(0, 1): 7, (0, 0): 3, (1, 0): 3})
    assert x.shape == (3, 7, 3)
    assert lengths.tolist() == [7, 4, 7]


def test_a_refusal_names_the_layer() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    with pytest.raises(RuntimeError) as caught:
        module(torch.ones(2, 5))
    said = refusal_of(caught.value, module)
    assert said.startswith(
        "0 (Linear(in_features=3, out_features=4, bias=True)): RuntimeError: mat1"
    )
