"""Lists of sequences and padded batches: each as it would be alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_export.contract import Forecast
from lstm_export.errors import InputError
from lstm_export.runtime import chunks, packing, ragged
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load_forecaster
from lstm_export.runtime.settings import Settings

KINDS = (
    *("plain", "seasonal", "direct", "exogenous", "bidirectional", "two layers of two"),
    "stacked gru",
)
SIMPLE = settings(
    deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Alone = Callable[[Forecast, Sequence[Any]], Callable[[Any], None]]
Random = Callable[[Forecast, Sequence[int], int], list[Any]]
Load = Callable[[str], ForecastModel]


@pytest.fixture(scope="session")
def side_by_side(bundle: Callable[[str], Path]) -> Load:
    """Models that run three batches at a time however small they are."""
    models: dict[str, ForecastModel] = {}

    def load(kind: str) -> ForecastModel:
        if kind not in models:
            models[kind] = load_forecaster(bundle(kind), settings=Settings(shards=3))
        return models[kind]

    return load


@st.composite
def lengths_of(draw: st.DrawFn, terms: Forecast, most: int = 14) -> list[int]:
    shortest = terms.window.shortest
    some = draw(st.lists(st.integers(shortest, shortest + 25), min_size=1, max_size=most))
    return some + [shortest] * draw(st.integers(0, 2)) + some[: draw(st.integers(0, 3))]


def padded(sequences: list[Any], extra: int, fill: float) -> Any:
    longest = max(map(len, sequences)) + extra
    batch = np.full((len(sequences), longest, sequences[0].shape[1]), fill, np.float32)
    for row, sequence in zip(batch, sequences, strict=True):
        row[: len(sequence)] = sequence
    return batch


@pytest.mark.parametrize("kind", KINDS)
@SIMPLE
@given(data=st.data())
def test_each_is_as_alone(
    side_by_side: Load, alone: Alone, random_sequences: Random, kind: str, data: st.DataObject
) -> None:
    model = side_by_side(kind)
    terms = model.terms
    lengths = data.draw(lengths_of(terms))
    sequences = random_sequences(terms, lengths, data.draw(st.integers(0, 99)))
    require = alone(terms, sequences)
    require(model(sequences))
    require(model([x.astype(np.float64) for x in sequences]))
    fill = data.draw(st.sampled_from([np.nan, 1e30, -np.inf, 0.0]))
    batch = padded(sequences, data.draw(st.integers(0, 3)), fill)
    for kind_of_lengths in (lengths, tuple(lengths), np.array(lengths, np.uint16)):
        require(model(batch, lengths=kind_of_lengths))
    size = data.draw(st.sampled_from([None, 1, 3]))
    require(np.stack(list(model.map(iter(sequences), batch_size=size))))


@pytest.mark.parametrize("kind", ["seasonal", "two layers of two"])
def test_a_fault_is_seen(
    side_by_side: Load,
    alone: Alone,
    random_sequences: Random,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = side_by_side(kind)
    terms = model.terms
    sequences = random_sequences(terms, [9, 7, 20, 12, 11], 0)
    require = alone(terms, sequences)
    require(model(sequences))
    swapped = [sequences[i] for i in (1, 0, 2, 3, 4)]
    with pytest.raises(AssertionError, match="off by"):
        require(model(swapped))
    one_less = [x[:-1] for x in sequences]
    with pytest.raises(AssertionError, match="off by"):
        require(model(one_less))

    true_packed = packing.packed

    def shifted(items: Any, start: int, stop: int, *rest: Any) -> Any:
        return np.roll(true_packed(items, start, stop, *rest), 1, axis=1)

    for module in (ragged, chunks):
        monkeypatch.setattr(module, "packed", shifted)
    with pytest.raises(AssertionError, match="off by"):
        require(model(sequences))


@pytest.mark.parametrize("kind", ["plain", "bidirectional"])
def test_two_thousand_short_ones(
    side_by_side: Load, alone: Alone, random_sequences: Random, kind: str
) -> None:
    model = side_by_side(kind)
    terms = model.terms
    lengths = np.random.default_rng(3).integers(terms.window.shortest, 13, 2000).tolist()
    sequences = random_sequences(terms, lengths, 4)
    alone(terms, sequences)(model(sequences))


@pytest.mark.parametrize("kind", ["plain", "seasonal", "two layers of two"])
def test_a_model_file_alone_runs_equal_lengths_together(
    bundle: Callable[[str], Path], alone: Alone, random_sequences: Random, kind: str
) -> None:
    bare = load_forecaster(bundle(kind) / "model.onnx")
    lengths = [9, 4, 9, 30, 4, 5]
    sequences = random_sequences(bare.terms, lengths, 1)
    require = alone(bare.terms, sequences)
    require(bare(sequences))
    require(bare(padded(sequences, 1, np.nan), lengths=lengths))


def test_values_that_are_not_finite_may_pass(
    bundle: Callable[[str], Path], random_sequences: Random
) -> None:
    passing = load_forecaster(bundle("plain"), on_nonfinite="pass")
    sequences = random_sequences(passing.terms, [3, 8], 0)
    expected = passing(sequences)
    sequences.append(np.full((5, 1), np.nan))
    np.testing.assert_array_equal(passing(sequences)[:2], expected)
    with pytest.raises(InputError, match=r"x\[1\]: 1e\+39 .* too large for float32"):
        passing([np.zeros((3, 1)), np.full((4, 1), 1e39)])


BATCH = np.zeros((2, 8, 3))


@pytest.mark.parametrize(
    ("x", "lengths", "message"),
    [
        (BATCH, [8, -1], "row 1 is given -1, and the model needs at least 2: expected 2 to 8"),
        (BATCH, [0, 8], "row 0 is given 0, and the model needs at least 2"),
        (BATCH, [8, 1], "row 1 is given 1"),
        (BATCH, [9, 8], "row 0 is given 9, and the batch is padded to 8 steps"),
        (BATCH, [8], r"one for each of the 2 rows, \(2,\), got shape \(1,\)"),
        (BATCH, [8, 8, 8], r"got shape \(3,\)"),
        (BATCH, [[8, 8]], r"got shape \(1, 2\)"),
        (BATCH, 8, r"got shape \(\)"),
        (BATCH, [8.0, 8.0], "expected integers, got float64"),
        (BATCH, [True, True], "expected integers, got bool"),
        (BATCH, ["8", "8"], "expected integers, got <U1"),
        (BATCH, [[8], [8, 8]], "lengths: expected an array of numbers: its rows differ"),
        (BATCH, np.array([2**63, 8], np.uint64), "row 0 is given 9223372036854775808"),
        (BATCH[0], [8], r"a padded batch: expected x \(batch, sequence_length, 3\)"),
        ([BATCH[0], BATCH[1, :4]], [8, 4], "x is a list.*leave lengths out"),
        ([BATCH[0], BATCH[1]], [8, 8], "x is a list.*leave lengths out"),
        (np.zeros((2, 8, 2)), [8, 8], "expected 3 values per step"),
        (np.zeros((2, 0, 3)), [1, 1], "x is empty"),
        ({"y": BATCH}, [8, 8], "no input 'y'"),
        (BATCH.astype(complex), [8, 8], "got complex128"),
    ],
)
def test_lengths_that_are_refused(side_by_side: Load, x: Any, lengths: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        side_by_side("exogenous")(x, lengths=lengths)
    assert "\n" not in str(caught.value)


def test_only_what_counts_must_be_finite(side_by_side: Load) -> None:
    model, x = side_by_side("exogenous"), BATCH.copy()
    x[0, 5:], x[1, 3:] = np.nan, np.inf
    clean = model(BATCH, lengths=[5, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model(x, lengths=[5, 3]), clean)
        with pytest.raises(InputError, match="x, row 1: inf at step 3, feature 'feature_0'"):
            model(x, lengths=[5, 4])
        x[0, 4, 2] = 1e39
        with pytest.raises(InputError, match=r"x, row 0: 1e\+39 at step 4, feature 'feature_2'"):
            model(x, lengths=[5, 4])


def test_the_first_of_several_bad_sequences_is_named(
    side_by_side: Load, random_sequences: Random
) -> None:
    sequences = random_sequences(side_by_side("plain").terms, range(3, 43), 0)
    for bad in (31, 12):
        sequences[bad][2] = np.nan
    with pytest.raises(InputError, match=r"x\[12\]: nan at step 2"):
        side_by_side("plain")(sequences)
