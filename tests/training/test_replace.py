"""Training anew over an old run loses nothing until the new one is finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstm_export.errors import LstmExportError, OptionError, OutputError
from lstm_export.training import train as training
from lstm_export.training.options import TrainOptions
from lstm_export.training.run_folder import REPLACED
from lstm_export.training.train import train

OPTIONS = {
    "data": "sine",
    "target": ("x",),
    "time": "i",
    "context_length": 6,
    "hidden_size": 3,
    "epochs": 1,
    "max_steps": 3,
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    train(TrainOptions(**OPTIONS), tmp_path / "run")  # type: ignore[arg-type]
    return tmp_path / "run"


@pytest.mark.parametrize(
    "error",
    [OutputError("cannot write run: No space left on device"), OptionError("training diverged")],
    ids=["a full disk", "a loss that diverges"],
)
def test_a_failed_run_puts_the_old_one_back(
    run: Path, monkeypatch: pytest.MonkeyPatch, error: LstmExportError
) -> None:
    before = contents(run)

    def failing(*_: object) -> None:
        assert not (run / "checkpoint.json").exists()
        raise error

    monkeypatch.setattr(training, "write_checkpoint", failing)
    with pytest.raises(type(error), match="The run that was there before is back"):
        train(TrainOptions(**OPTIONS, seed=1), run, force=True)  # type: ignore[arg-type]
    assert contents(run) == before


def test_a_finished_run_takes_the_old_ones_place(run: Path) -> None:
    before = contents(run)
    train(TrainOptions(**OPTIONS, seed=1), run, force=True)  # type: ignore[arg-type]
    after = contents(run)
    assert after.keys() == before.keys()
    assert after["model.safetensors"] != before["model.safetensors"]
    assert not (run / REPLACED).exists()


def test_an_interrupted_run_can_go_on_and_the_old_one_waits(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "write_checkpoint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(TrainOptions(**OPTIONS, seed=1), run, force=True)  # type: ignore[arg-type]
    assert (run / REPLACED / "checkpoint.json").exists()
    train(TrainOptions(**OPTIONS, seed=1), run, resume=True)  # type: ignore[arg-type]
    assert (run / "checkpoint.json").exists()
    assert not (run / REPLACED).exists()


def test_a_model_larger_than_the_memory_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(OptionError, match="this machine has"):
        train(
            TrainOptions(**{**OPTIONS, "hidden_size": 10**6}),  # type: ignore[arg-type]
            tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()
