"""Inputs too long for one run: chunks with the state carried, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.contract import Forecast
from lstm_export.runtime import chunks, forecast_model, ragged
from lstm_export.runtime.chunks import CHUNK
from lstm_export.runtime.forecast_model import ForecastModel

Load = Callable[[str], ForecastModel]
Alone = Callable[[Forecast, Sequence[Any]], Callable[[Any], None]]
Random = Callable[[Forecast, Sequence[int], int], list[Any]]


@pytest.mark.parametrize("kind", ["plain", "seasonal", "direct", "exogenous", "stacked gru"])
@pytest.mark.parametrize("chunk", [1, 300, 1000])
def test_chunks_are_one_run(
    model: Load,
    alone: Alone,
    random_sequences: Random,
    kind: str,
    chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = model(kind)
    lengths = [47, 12, 47, 31, long.terms.window.shortest, 46]
    sequences = random_sequences(long.terms, lengths, 2)
    require = alone(long.terms, sequences)
    equal = [x[-4:] for x in sequences if len(x) > 4]
    require_equal = alone(long.terms, equal)
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    for module in (ragged, chunks, forecast_model):
        monkeypatch.setattr(module, "LONG", 10)
    require(long(sequences))
    require(np.stack([long(x) for x in sequences]))
    require(np.stack(list(long.map(sequences))))
    require_equal(long(np.stack(equal)))
    assert long.forecast(sequences[0]).shape == require_shape(long.terms)


def require_shape(terms: Forecast) -> tuple[int, int]:
    return terms.window.horizon, len(terms.targets)


def test_a_state_that_is_not_carried_is_seen(
    model: Load, alone: Alone, random_sequences: Random
) -> None:
    plain = model("plain")
    sequences = random_sequences(plain.terms, [40], 0)
    require = alone(plain.terms, sequences)
    require(plain(sequences))
    with pytest.raises(AssertionError, match="off by"):
        require(plain([sequences[0][-2:]]))


def test_two_directions_are_one_run(
    model: Load, alone: Alone, random_sequences: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = model("two layers of two")
    sequences = random_sequences(both.terms, [40, 23, 23], 0)
    require = alone(both.terms, sequences)
    for module in (ragged, chunks, forecast_model):
        monkeypatch.setattr(module, "LONG", 10)
    require(both(sequences))
    require(np.stack([both(x) for x in sequences]))


_CHILD = """
import sys, numpy as np, lstm_export
model = lstm_export.load(sys.argv[1])
width = len(model.terms.features)
x = np.zeros((1_000_000, width), np.float32)
x[::7] = 1.0
model(x[:4000])
model([x[:3000], x[:40]])

def peak():
    status = open("/proc/self/status").read().split()
    return int(status[status.index("VmHWM:") + 1]) / 1024

before = peak()
one = model(x)
assert (model.forecast(x) == model.forecast(x[-200:])).all()
two = model([x, x[:999_000], x[:5]])
padded = model(x[None], lengths=[1_000_000])
assert np.allclose(one, two[0]) and np.allclose(one, padded[0])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_million_steps_take_bounded_memory(bundle: Callable[[str], Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(bundle("seasonal"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The gates of a million steps at once alone are 80 MB, on both layers.
    assert float(done.stdout) < 64
    assert CHUNK * 4 <= 4 << 20
