"""Which runs a comparison has, and what it refuses before any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lstm_export.cells.match import with_matched_sizes
from lstm_export.cells.plan import BUDGET, plan_of
from lstm_export.errors import DataError, OptionError
from lstm_export.training.courses.registry import COURSES


def test_runs_differ_in_cell_seed_and_steps_alone() -> None:
    plan = plan_of({"data": "recall", "seed": 5}, cells=["rnn", "gru"], seeds=2, steps=[4, 6])
    names = [trial.name for trial in plan.trials]
    assert names == [f"T{t}-{cell}-seed{s}" for t in (4, 6) for s in (5, 6) for cell in plan.cells]
    first, last = plan.of(plan.trials[0]), plan.of(plan.trials[-1])
    assert (first.data, first.cell, first.seed) == ("recall:4", "rnn", 5)
    assert (last.data, last.cell, last.seed) == ("recall:6", "gru", 6)
    assert first.max_steps == last.max_steps == BUDGET


def test_a_budget_that_is_given_stays(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('data = "tags"\nepochs = 3\nhidden-size = 7\n')
    plan = plan_of({"hidden_size": 9}, config)
    assert (plan.options.max_steps, plan.options.epochs, plan.options.hidden_size) == (None, 3, 9)
    assert plan_of({"max_steps": 8}, config).options.max_steps == 8
    assert len(plan.trials) == 15


def test_chrono_is_for_those_with_gates() -> None:
    plan = plan_of({"data": "recall", "init": "chrono"}, seeds=1)
    assert [plan.of(trial).init for trial in plan.trials] == ["default", "chrono", "chrono"]
    assert "no gates" in plan.notes[0]
    assert plan_of({"data": "recall", "init": "chrono"}, cells=["gru"]).notes == ()


@pytest.mark.parametrize(
    ("flags", "more", "words"),
    [
        ({"data": "recall"}, {"cells": ["rnn", "lstn"]}, "got 'lstn'"),
        ({"data": "recall"}, {"cells": ["rnn", "rnn"]}, "--cells names rnn twice"),
        ({"data": "recall"}, {"cells": []}, "names no cell"),
        ({"data": "recall"}, {"steps": [5, 5]}, "--steps names 5 twice"),
        ({"data": "recall"}, {"seeds": 0}, "--seeds must be at least 1, got 0"),
        ({"data": "tags"}, {"steps": [5]}, "sweeps T of the data set recall, and the data is tags"),
        ({"data": "recall", "hidden_size": 0}, {}, "--hidden-size must be at least 1"),
        ({}, {}, "no data"),
    ],
)
def test_what_makes_no_sense_is_refused(
    flags: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(OptionError, match=words):
        plan_of(flags, **more)


def test_steps_that_recall_has_not_are_refused() -> None:
    with pytest.raises(DataError, match="1 to 1000"):
        plan_of({"data": "recall"}, steps=[5, 0])


@pytest.mark.parametrize("flags", [{"data": "recall:3"}, {"data": "sunspots", "num_layers": 2}])
def test_matched_sizes_come_nearest(flags: dict[str, Any]) -> None:
    plan = with_matched_sizes(plan_of(flags, cells=["lstm", "gru-equations", "rnn"], seeds=1))

    def parameters(cell: int, more: int) -> int:
        options = plan.of(plan.trials[cell])
        course = COURSES[options.task](replace(options, hidden_size=options.hidden_size + more))
        return sum(parameter.numel() for parameter in course.build().parameters())

    wanted = parameters(0, 0)
    assert plan.sizes["lstm"] == 32 < plan.sizes["gru-equations"] < plan.sizes["rnn"]
    assert "rnn" in plan.notes[0]
    for cell in (1, 2):
        missed = [abs(parameters(cell, more) - wanted) for more in (-1, 0, 1)]
        assert min(missed) == missed[1]
