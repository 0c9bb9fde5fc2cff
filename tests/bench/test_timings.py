"""Torch and a bundle are timed on one input; what the timings are is tested, not how long."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lstm_export.bench.cold_start import measure_cold_start
from lstm_export.bench.latency import measure_latency
from lstm_export.bench.torch_side import thread_counts
from lstm_export.bundling import export_bundle
from lstm_export.checkpoint import Description, write_checkpoint
from lstm_export.contract import Column, DataOrigin, Forecast, Recurrent, Scaling, Window
from lstm_export.nn.forecaster import Forecaster

X = np.zeros((1, 6, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of random weights and its bundle."""
    run = tmp_path_factory.mktemp("timed") / "run"
    run.mkdir()
    column, scaling = Column("y", "", -1.0, 1.0), Scaling("none", (0.0,), (1.0,))
    layers = Recurrent("gru", 1, 3)
    terms = Forecast((column,), (column,), Window(6, 1), scaling, scaling, layers)
    torch.manual_seed(0)
    weights = {name: value.numpy() for name, value in Forecaster(terms, 0.0).state_dict().items()}
    origin = DataOrigin("made up", "0" * 64, 10)
    write_checkpoint(run, Description(terms, origin, 0, {}, {}), weights)
    export_bundle(run, run.with_name("bundle"))
    return run, run.with_name("bundle")


def test_latency_leaves_torchs_threads_as_they_were(folders: tuple[Path, Path]) -> None:
    threads = torch.get_num_threads()
    latency = measure_latency(*folders, X, seconds=0.01)
    assert torch.get_num_threads() == threads
    assert latency.shape == X.shape
    assert latency.torch_threads in thread_counts()
    assert min(latency.torch, latency.bundle) > 0


def test_a_cold_start_is_timed_in_fresh_processes(folders: tuple[Path, Path]) -> None:
    cold = measure_cold_start(*folders, X, starts=1)
    assert cold.starts == 1
    assert min(cold.torch, cold.bundle) > 0


def test_a_process_that_fails_is_no_timing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="could not predict"):
        measure_cold_start(tmp_path, tmp_path, X, starts=1)
