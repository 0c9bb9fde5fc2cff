"""One trial: how it is run in chunks, judged, and summed up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.compare.cases import Case
from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.parity.live import _portions, chunk_lengths
from lstm_export.parity.report import ParityReport
from lstm_export.parity.runtimes.registry import Tensors
from lstm_export.parity.trial import Tolerance, Trial, judge, run_in_chunks, sum_up

X = TensorSpec("x", "float32", ("batch", "sequence_length", 1))
SUM = GraphSpec(
    (X, TensorSpec("initial_h", "float32", (1, "batch", 1))),
    (
        TensorSpec("output", "float32", ("batch", "sequence_length", 1)),
        TensorSpec("final_h", "float32", (1, "batch", 1)),
    ),
)


def running_sum(inputs: Tensors) -> dict[str, np.ndarray]:
    """A runtime: the sum so far at every step, and as state."""
    output = np.cumsum(inputs["x"], axis=1) + inputs["initial_h"][0][:, None]
    return {"output": output, "final_h": output[:, -1][None]}


def forgetful(inputs: Tensors) -> dict[str, np.ndarray]:
    """The same, but every run starts at nothing."""
    return running_sum({**inputs, "initial_h": np.zeros_like(inputs["initial_h"])})


def trial(chunks: tuple[int, ...] = (), **changes: Any) -> Trial:
    inputs = {
        "x": np.arange(24, dtype=np.float32).reshape(2, 12, 1),
        "initial_h": np.zeros((1, 2, 1), np.float32),
    }
    reference = {n: v.astype(np.float64) for n, v in running_sum(inputs).items()} | changes
    return Trial("live", "stream.onnx", "case", inputs, reference, None, chunks)


@given(st.integers(1, 500))
def test_chunks_make_up_the_whole(length: int) -> None:
    pieces = chunk_lengths(length)
    assert sum(pieces) == length
    assert min(pieces) >= 1
    assert length < 4 or len(set(pieces)) > 1


def test_chunks_carry_state() -> None:
    one = trial()
    chunked = run_in_chunks(running_sum, SUM, one.inputs, (1, 4, 7))
    whole = running_sum(one.inputs)
    for name, value in whole.items():
        assert np.array_equal(chunked[name], value)


def test_state_that_is_lost_shows_in_chunks_alone() -> None:
    assert all(c.comparison.passed for c in judge(trial(), "r", forgetful, SUM, Tolerance())[0])
    comparisons, errors = judge(trial((1, 11)), "r", forgetful, SUM, Tolerance())
    assert not errors
    assert not any(one.comparison.passed for one in comparisons)


@pytest.mark.parametrize("error", [ValueError("no such shape"), MemoryError(), KeyError("x")])
def test_what_a_runtime_raises_is_recorded_by_name(error: Exception) -> None:
    def raising(inputs: Tensors) -> dict[str, np.ndarray]:
        raise error

    comparisons, errors = judge(trial(), "r", raising, SUM, Tolerance())
    assert comparisons == []
    assert errors[0].case == "case"
    assert type(error).__name__ in errors[0].message
    (failure,) = sum_up(comparisons, errors)
    assert failure.check == "runtime"
    assert "stream.onnx in r: 1 live case was not answered (case): " in failure.message


def test_failures_are_summed_up_per_output_with_the_worst_place() -> None:
    comparisons = []
    for size in (1.0, 50.0):
        output = running_sum(trial().inputs)["output"].astype(np.float64)
        output[1, 3, 0] += size
        comparisons += judge(trial(output=output), "r", running_sum, SUM, Tolerance())[0]
    (failure,) = sum_up(comparisons, [])
    assert failure.check == "live"
    assert "output output: 2 of 2 cases disagree" in failure.message
    assert "worst at [1, 3, 0]" in failure.message
    assert "error 50" in failure.message


def test_nothing_compared_is_no_pass() -> None:
    empty = ParityReport("bundle", None, ("onnxruntime",), "rule", (), (), ())
    assert not empty.passed
    with pytest.raises(ValueError, match="empty"):
        empty.summary()


@pytest.mark.parametrize("numbers", [1, 1 << 20, 1 << 22, 1 << 40])
def test_portions_keep_every_case_in_order(numbers: int) -> None:
    cases = [Case(batch, 5, "typical", None, seed) for seed, batch in enumerate((1, 2, 3, 17) * 3)]
    portions = list(_portions(cases, numbers))
    assert [case for portion in portions for case in portion] == cases
    assert all(portions)
    assert len(portions) == {1: 1, 1 << 20: 6, 1 << 22: 12, 1 << 40: 12}[numbers]
