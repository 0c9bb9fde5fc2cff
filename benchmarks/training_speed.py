"""Training steps per second: this package's whole loop against a DataLoader loop from a tutorial.

    python benchmarks/training_speed.py [--rounds 5] [--seconds 5] [--case sine]

Every measurement is a process of its own; contestants take turns, so that a busy machine disturbs
all alike, and the ratio of the medians is what counts. The tutorial's loop runs with torch's own
number of threads, as tutorials leave it, and once more with one thread. Ours is the loop of
`lstm-export train` with everything it does by the way: metrics, states for resuming, progress.
`ours` learns what the tutorial's loop learns, from the last step of every window; `ours, as by
default` has a loss at every step after the warm-up, clipped gradients and averaged weights as well.
Prints JSON: by case the steps per second (by the clock, and by the processor time used) and the
ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    rows: int
    """Rows to train on."""
    context_length: int
    hidden_size: int
    num_layers: int
    batch_size: int
    wanted: float
    """The ratio to reach."""


CASES = {
    "sine": Case(600, 4, 20, 1, 32, 1.5),
    "long": Case(2000, 100, 50, 2, 256, 2.0),
}
OURS, DEFAULTS = "ours", "ours, as by default"
CONTESTANTS = (OURS, DEFAULTS, "tutorial", "tutorial, 1 thread")
WARM_UP = 1.0
"""Seconds that are not counted."""


def series(rows: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    i = np.arange(rows)
    return np.sin(0.01 * i) + np.random.default_rng(0).normal(0.0, 0.2, rows)


class Meter:
    """Steps per second between the end of the warm-up and the last look."""

    def __init__(self, seconds: float) -> None:
        now = time.perf_counter()
        self._warm, self._end = now + WARM_UP, now + WARM_UP + seconds
        self._first: tuple[float, float, int] | None = None
        self._last: tuple[float, float, int] | None = None

    def look(self, steps: int) -> bool:
        """Notes that `steps` are done; whether it is time to stop."""
        now = time.perf_counter()
        if now < self._warm:
            return False
        self._last = (now, time.process_time(), steps)
        self._first = self._first or self._last
        return now > self._end and self._last != self._first

    def result(self) -> dict[str, float]:
        assert self._first is not None
        assert self._last is not None
        clock, processor, steps = np.subtract(self._last, self._first).tolist()
        return {"steps_per_second": steps / clock, "steps_per_cpu_second": steps / processor}


def tutorial(case: Case, seconds: float, threads: int | None) -> dict[str, float]:
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    values = torch.tensor(series(case.rows), dtype=torch.float32)
    windows = range(case.rows - case.context_length)
    x = torch.stack([values[i : i + case.context_length] for i in windows]).unsqueeze(-1)
    y = values[case.context_length :].unsqueeze(-1)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(1, case.hidden_size, case.num_layers, batch_first=True)
            self.linear = nn.Linear(case.hidden_size, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out, _ = self.lstm(x)
            return self.linear(out[:, -1])

    model = Model()
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(x, y), batch_size=case.batch_size, shuffle=True)
    meter, steps, running_loss = Meter(seconds), 0, 0.0
    while True:
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            steps += 1
            if meter.look(steps):
                return meter.result()


def ours(case: Case, seconds: float, *, defaults: bool) -> dict[str, float]:
    from lstm_export.training.options import TrainOptions
    from lstm_export.training.progress import Status
    from lstm_export.training.train import train

    class EnoughError(Exception):
        pass

    class Watch:
        meter: Meter | None = None

        def update(self, status: Status) -> None:
            self.meter = self.meter or Meter(seconds)
            if self.meter.look(status.done):
                raise EnoughError

        def close(self) -> None:
            pass

    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "series.csv"
        # A fifth more rows than are trained on: the test part, which is never reached.
        values = series(case.rows * 5 // 4)
        data.write_text("x\n" + "".join(f"{value:.6f}\n" for value in values))
        same_work = {"warm_up": case.context_length - 1, "ema": 0.0, "clip_norm": 0.0, "lr": 1e-3}
        options = TrainOptions(
            data=str(data),
            validation=0.0,
            test=0.2,
            hidden_size=case.hidden_size,
            num_layers=case.num_layers,
            context_length=case.context_length,
            batch_size=case.batch_size,
            epochs=10_000_000,
            **({} if defaults else same_work),
        )
        with contextlib.suppress(EnoughError):
            train(options, Path(folder) / "run", progress=watch)
    assert watch.meter is not None
    return watch.meter.result()


def measure(contestant: str, name: str, seconds: float) -> dict[str, float]:
    """One contestant in a process of its own."""
    command = [sys.executable, __file__, "--worker", contestant, "--case", name]
    command += ["--seconds", str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(name: str, rounds: int, seconds: float) -> dict[str, Any]:
    measured: dict[str, list[dict[str, float]]] = {who: [] for who in CONTESTANTS}
    for _ in range(rounds):
        for who in CONTESTANTS:
            measured[who].append(measure(who, name, seconds))
            print(f"{name}  {who}: {measured[who][-1]}", file=sys.stderr, flush=True)
    medians = {
        who: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for who, runs in measured.items()
    }
    return {
        "wanted": CASES[name].wanted,
        "medians": medians,
        "ratios": {
            f"{ours} / {theirs}": {
                key: round(medians[ours][key] / value, 2) for key, value in medians[theirs].items()
            }
            for ours in CONTESTANTS[:2]
            for theirs in CONTESTANTS[2:]
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--worker", choices=CONTESTANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.case or list(CASES)
    if arguments.worker in (OURS, DEFAULTS):
        defaults = arguments.worker == DEFAULTS
        print(json.dumps(ours(CASES[names[0]], arguments.seconds, defaults=defaults)))
    elif arguments.worker:
        threads = None if arguments.worker == "tutorial" else 1
        print(json.dumps(tutorial(CASES[names[0]], arguments.seconds, threads)))
    else:
        results = {n: compare(n, arguments.rounds, arguments.seconds) for n in names}
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
