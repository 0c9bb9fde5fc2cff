"""Many threads on one model, many steps of one stream: the short form of `benchmarks/soak.py`."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstm_export.errors import InputError
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load, load_forecaster
from lstm_export.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_sixteen_threads_and_many_steps(bundle: Callable[[str], Path]) -> None:
    command = [sys.executable, "benchmarks/soak.py", str(bundle("seasonal"))]
    done = subprocess.run(
        [*command, "--calls", "150", "--steps", "30000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["threads"]["calls"] == 16 * 150
    assert found["threads"]["different"] == 0


def together(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """What `work` raised in `count` threads that begin at the same time."""
    raised: list[BaseException] = []
    begin = threading.Barrier(count)

    def run(i: int) -> None:
        begin.wait()
        try:
            work(i)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_refused_feeds_in_one_thread_do_not_touch_another(bundle: Callable[[str], Path]) -> None:
    model = load_forecaster(bundle("plain"))
    good = np.random.default_rng(0).normal(size=(8, 1, 7, 1)).astype(np.float32)
    expected = [model(x) for x in good]
    bad = good.copy()
    bad[:, 0, 3] = np.nan

    def work(i: int) -> None:
        for turn in range(100):
            with pytest.raises(InputError, match="nan at row 0, step 3"):
                model(bad[(i + turn) % 8])
            np.testing.assert_array_equal(model(good[i]), expected[i])

    assert not together(8, work)


def test_first_calls_at_once(bundle: Callable[[str], Path]) -> None:
    path = bundle("seasonal")
    x = np.random.default_rng(0).normal(size=(6, 1, 12, 1)).astype(np.float32)
    alone = load_forecaster(path)
    expected = [(alone(one), alone.forecast(one, 4), alone.stream().run(one)) for one in x]
    for _ in range(5):
        shared: ForecastModel = load_forecaster(path)

        def work(i: int, model: ForecastModel = shared) -> None:
            found = (model(x[i]), model.forecast(x[i], 4), model.stream().run(x[i]))
            for got, wanted in zip(found, expected[i], strict=True):
                np.testing.assert_array_equal(got, wanted)

        assert not together(6, work)


def test_small_calls_let_in_give_what_they_gave_before(bundle: Callable[[str], Path]) -> None:
    rng = np.random.default_rng(0)
    for path in (bundle("plain"), bundle("plain") / "model.onnx", bundle("direct")):
        model = load(path)
        width = model.contract.graph.inputs[0].axes[2]
        for shape in ((1, 5, width), (3, 4, width), (1, 40, width), (6, width)):
            inputs = rng.normal(size=(30, *shape)).astype(np.float32)
            fresh = [load(path)(x) for x in inputs[:2]]
            answers = [model(x) for x in inputs]
            for got, wanted in zip(answers, fresh, strict=False):
                np.testing.assert_array_equal(got, wanted)
            # Each answer is the caller's own, and survives the next call.
            again = [model(x) for x in inputs]
            for got, wanted in zip(again, answers, strict=True):
                np.testing.assert_array_equal(got, wanted)
            # What must be refused is refused as before, in every place.
            for place in range(inputs[0].size):
                bad = inputs[0].copy()
                bad.reshape(-1)[place] = -np.inf
                with pytest.raises(InputError, match="-inf at"):
                    model(bad)
            np.testing.assert_array_equal(model(inputs[0].astype(np.float64)), answers[0])
            np.testing.assert_array_equal(model(inputs[0][::-1][::-1]), answers[0])


def test_the_rows_of_a_module_side_by_side(tmp_path: Path) -> None:
    import torch

    import lstm_export

    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.GRU(3, 6, batch_first=True)

        def forward(self, x: torch.Tensor, h0: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            y, h = self.rnn(x, h0)
            return y, h

    args = (torch.zeros(2, 4, 3), torch.zeros(1, 2, 6))
    lstm_export.export_bundle(Both().eval(), tmp_path / "b", args=args, stream=False)
    x = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)
    h0 = np.random.default_rng(1).normal(size=(1, 7, 6)).astype(np.float32)
    whole = load(tmp_path / "b", settings=Settings(shards=1))(x=x, h0=h0)
    split = load(tmp_path / "b", settings=Settings(shards=3))(x=x, h0=h0)
    assert list(split) == list(whole) == ["output_0", "output_1"]
    for name, value in whole.items():
        np.testing.assert_allclose(split[name], value, rtol=1e-6, atol=1e-7)
