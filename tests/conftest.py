"""Fixtures that every test may use."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lstm_export.contract import Cell, Forecast, Intervals, Pooling, Sequences, Task

# Tests run side by side, one process a core. More threads each only spin and wait for one another:
# a small LSTM in torch then takes seconds instead of milliseconds.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Half a million objects of torch's live as long as the process: looking through them all as often
# as Python does by itself is an eighth of what the tests cost.
gc.set_threshold(20_000, 20, 20)

# What `bench --tune` once kept on this machine must not decide how models run here.
os.environ["LSTM_EXPORT_CACHE"] = str(Path(tempfile.gettempdir()) / "lstm-export-tests-no-cache")

with contextlib.suppress(ImportError):  # the base install is tested without it
    import hypothesis

    # What CI tries is the same each time, so that what fails there is what was changed; everywhere
    # else the examples are new ones. How long one takes depends on what else the machine does.
    hypothesis.settings.register_profile("own", deadline=None)
    hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "own")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets: LSTM_EXPORT_DATA, or `../shared/data` beside the checkout."""
    folder = Path(os.environ.get("LSTM_EXPORT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"no data sets at {folder}; set LSTM_EXPORT_DATA to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function from a name and a function that fills a folder to the folder, filled.

    The processes of one test run share it: nobody writes into it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        path = shared / "made" / name
        if not path.is_dir():
            filled = tmp_path_factory.mktemp("filling")
            fill(filled)
            path.parent.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):  # another process was first, with the same content
                filled.rename(path)
        return path

    return make


@pytest.fixture(scope="session")
def make_bundle(made_once: Callable[..., Path]) -> Callable[[Forecast], Path]:
    """A function from a forecast's terms to a bundle with random weights, one per terms."""

    def make(terms: Forecast) -> Path:
        name = hashlib.sha256(repr(terms).encode()).hexdigest()[:16]
        return made_once(name, lambda folder: _write_bundle(folder / "bundle", terms)) / "bundle"

    return make


def _write_bundle(path: Path, terms: Forecast) -> None:
    import torch

    from lstm_export.bundle.manifest import Manifest, Provenance
    from lstm_export.bundle.write import write_bundle
    from lstm_export.exporting.bundles.forecast_graphs import export_forecast, forecast_graphs
    from lstm_export.nn.forecaster import Forecaster

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Forecaster(terms).eval()
    specs = forecast_graphs(terms)
    manifest = Manifest("forecast", specs, 18, 8, {}, Provenance("test"), terms)
    write_bundle(path, manifest, {name: export_forecast(model, name) for name in specs})


@pytest.fixture(scope="session")
def make_sequences(made_once: Callable[..., Path]) -> Callable[..., Path]:
    """A function from a task and what `_sequence_terms` takes to a folder with a `run` of random
    weights and its `bundle`."""

    def make(task: Task, **terms: Any) -> Path:
        defaults = _sequence_terms.__kwdefaults__
        named = sorted((k, v) for k, v in terms.items() if v != defaults[k])
        name = "-".join(["sequences", task, *(f"{k}-{v}" for k, v in named)])
        return made_once(name, lambda folder: _write_sequences(folder, task, **dict(named)))

    return make


def _write_sequences(folder: Path, task: Task, **options: Any) -> None:
    import torch

    from lstm_export.bundling import export_bundle
    from lstm_export.checkpoint import Description, write_checkpoint
    from lstm_export.contract import DataOrigin
    from lstm_export.nn.sequence_model import SequenceModel

    terms = _sequence_terms(task, **options)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        # Larger than they begin: answers that hardly differ would prove little.
        weights = {k: 3 * v.numpy() for k, v in SequenceModel(terms).state_dict().items()}
        weights["head.bias"] *= 0
    run = folder / "run"
    run.mkdir()
    origin = DataOrigin("words.csv", "0" * 64, 100)
    description = Description(None, origin, 3, {"test": {}}, {}, terms, task=task)
    write_checkpoint(run, description, weights)
    export_bundle(run, folder / "bundle")


def _sequence_terms(
    task: Task,
    *,
    cell: Cell = "lstm",
    bidirectional: bool = False,
    pooling: Pooling = "last",
    text: bool = False,
    features: int = 3,
) -> Sequences:
    """Two layers; three symbols or some features; three classes, of which one has a bar in its
    name, or two targets."""
    from lstm_export.contract import Column, Recurrent, Scaling, Sequences, Vocabulary

    columns = tuple(Column(name, "V", -1.0, 1.0) for name in "abc"[:features])
    scaling = Scaling("standard", (0.5,) * features, (2.0,) * features)
    targets = Scaling("standard", (10.0, -3.0), (4.0, 0.5))
    return Sequences(
        answer=("power", "heat") if task == "regress" else ("label",),
        features=() if text else columns,
        input_scaling=Scaling("none", (), ()) if text else scaling,
        vocabulary=Vocabulary("word", True, ("the", "cat", "sat")) if text else None,
        embedding_size=6 if text else 0,
        recurrent=Recurrent(cell, 6 if text else features, 5, 2, bidirectional),
        pooling=None if task == "tag" else pooling,
        classes=() if task == "regress" else ("x", "y", "z|z"),
        targets=(Column("power", "W", 0, 20), Column("heat", "", -4, 0))
        if task == "regress"
        else (),
        target_scaling=targets if task == "regress" else None,
    )


@pytest.fixture
def brief_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is timed beside a model, the machine's peak and torch's threads, takes a moment."""
    from lstm_export.bench import limit, torch_side

    monkeypatch.setattr(limit, "_SIZE", 64)
    monkeypatch.setattr(limit, "_PEAK_SECONDS", 0.001)
    monkeypatch.setattr(torch_side, "_TRIALS", (1, 1))


@pytest.fixture
def give_intervals(tmp_path: Path) -> Callable[[Path, Intervals], Path]:
    """A function from a bundle and intervals to the same bundle with these intervals."""

    def give(bundle: Path, intervals: Intervals) -> Path:
        from dataclasses import replace

        from lstm_export.bundle.read import open_bundle
        from lstm_export.bundle.write import write_bundle

        opened = open_bundle(bundle)
        manifest = replace(opened.manifest, intervals=intervals)
        path = tmp_path / "with_intervals"
        write_bundle(path, manifest, {name: opened.read(name) for name in manifest.files})
        return path

    return give
