"""model.map: lazy, in order, and what goes wrong is told at its place."""

from __future__ import annotations

import io
import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.buckets import ROWS
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.map import WINDOW
from lstm_export.runtime.settings import available_cores

Load = Callable[[str], ForecastModel]
Alone = Callable[[Any, Sequence[Any]], Callable[[Any], None]]


def sequences(count: int) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 1)).astype(np.float32) for n in rng.integers(1, 30, count)]


def workers() -> int:
    return sum(thread.name.startswith("lstm-export-map") for thread in threading.enumerate())


def test_results_come_in_order_as_each_alone(model: Load, alone: Alone) -> None:
    some = sequences(700)
    alone(model("plain").terms, some)(np.stack(list(model("plain").map(some))))
    assert list(model("plain").map([])) == []
    assert workers() == 0


def test_an_endless_source_is_read_a_bounded_piece_ahead(model: Load, alone: Alone) -> None:
    taken = itertools.count()
    some = sequences(50)

    def endless() -> Iterator[Any]:
        for i in itertools.cycle(range(50)):
            next(taken)
            yield some[i]

    results = model("plain").map(endless())
    assert next(taken) == 0  # nothing is read before the first result is asked for
    got = np.stack(list(itertools.islice(results, 120)))
    alone(model("plain").terms, [some[i % 50] for i in range(120)])(got)
    assert next(taken) <= 1 + 120 + 2 * WINDOW * ROWS * available_cores()
    results.close()  # type: ignore[attr-defined]
    assert workers() == 0


def test_batch_size_bounds_what_is_read(model: Load) -> None:
    taken = itertools.count()
    results = model("plain").map((x for x in sequences(500) if next(taken) >= 0), batch_size=1)
    next(results)
    assert next(taken) <= 2 * WINDOW * available_cores()
    assert len(list(results)) == 499


def test_long_sequences_are_read_few_at_a_time(
    model: Load, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lstm_export.runtime.map.WINDOW_VALUES", 50)
    taken = itertools.count()
    some = [x[:10] for x in sequences(90) if len(x) >= 10]
    results = model("plain").map(x for x in some if next(taken) >= 0)
    first = next(results)
    assert next(taken) == 2 * 5
    alone(model("plain").terms, some)(np.stack([first, *results]))


def test_a_source_that_reuses_its_array(model: Load, alone: Alone) -> None:
    some = [x for x in sequences(300) if len(x) >= 5]
    buffer = np.zeros((30, 1), np.float32)

    def reusing() -> Iterator[Any]:
        for x in some:
            buffer[: len(x)] = x
            yield buffer[: len(x)]

    alone(model("plain").terms, some)(np.stack(list(model("plain").map(reusing()))))


@pytest.mark.parametrize("good", [0, 1, 37, 600])
def test_errors_come_after_the_results_before_them(model: Load, alone: Alone, good: int) -> None:
    def failing() -> Iterator[Any]:
        yield from some
        raise LookupError("the source is gone")

    some = sequences(good)
    bad: dict[str, Any] = {
        "nan at step 1": [*some, np.array([[0.0], [np.nan]], np.float32), *sequences(40)],
        "inf at step 0": [*some, np.array([[np.inf], [np.inf]]), *sequences(40)],
        "expected 1 values": [*some, np.zeros((3, 2)), *sequences(40)],
        "got bool": [*some, np.zeros((3, 1), bool)],
        "got shape": [*some, None],
    }
    for message, source in bad.items():
        results, got = model("plain").map(source), []
        with pytest.raises(InputError, match=f"item {good}: .*{message}"):
            collect(results, got)
        assert len(got) == good
    results, got = model("plain").map(failing()), []
    with pytest.raises(LookupError, match="the source is gone") as caught:
        collect(results, got)
    assert caught.value.__notes__ == [f"raised by the iterable in place of its item {good}"]
    if good:
        alone(model("plain").terms, some)(np.stack(got))
    assert workers() == 0


def collect(results: Iterator[Any], got: list[Any]) -> None:
    for result in results:
        got.append(result)  # noqa: PERF402 (what was there before an error counts)


def test_lists_and_integers_are_items_too(model: Load) -> None:
    some: list[Any] = [[1.0, 2.0], [[3], [4], [5]], np.arange(4), np.arange(3.0)]
    got = list(model("plain").map(some))
    for item, result in zip(some, got, strict=True):
        np.testing.assert_allclose(result, model("plain")(item), rtol=1e-5, atol=1e-6)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress(model: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    list(model("plain").map(sequences(45), progress=told.append))
    assert told == list(range(1, 46))
    for stream, expected in ((Terminal(), "\r45 done\n"), (io.StringIO(), "")):
        monkeypatch.setattr(sys, "stderr", stream)
        list(model("plain").map(sequences(45), progress=True))
        assert stream.getvalue().endswith(expected)
        assert bool(stream.getvalue()) == bool(expected)


@pytest.mark.parametrize("size", [0, -3, 1.5, True, "4"])
def test_batch_sizes_that_make_no_sense(model: Load, size: Any) -> None:
    with pytest.raises(OptionError, match="batch_size must be an integer ≥ 1"):
        model("plain").map([], batch_size=size)


def test_what_makes_no_sense_is_told_at_once(model: Load) -> None:
    with pytest.raises(OptionError, match="progress must be"):
        model("plain").map([], progress=3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="map: expected an iterable of sequences, got int"):
        model("plain").map(3)  # type: ignore[arg-type]
