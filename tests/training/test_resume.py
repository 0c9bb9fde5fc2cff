"""A run that was stopped and went on ends like one that was not, byte for byte."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from torch import Tensor

from lstm_export.checkpoint import is_run
from lstm_export.errors import CheckpointError, DataError, OptionError
from lstm_export.training import loop
from lstm_export.training import train as train_module
from lstm_export.training.options import TrainOptions
from lstm_export.training.progress import Status
from lstm_export.training.shards import Shards
from lstm_export.training.state import TrainingState
from lstm_export.training.train import train

Tiny = Callable[..., TrainOptions]


class KilledError(Exception):
    """Stands for a kill: nothing catches it."""


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and saves at every step."""
    for name in ("_LOOK", "_SAVE"):
        monkeypatch.setattr(loop, name, 0.0)
    monkeypatch.setattr(loop, "_SAVE_SHARE", 1e9)


@pytest.fixture
def ctrl_c_counts() -> Iterator[None]:
    """Python's own handler, which it does not install where SIGINT is ignored, as in the background
    of a shell.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def contents(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir()}


def kill_at(monkeypatch: pytest.MonkeyPatch, call: int, owner: object, name: str) -> None:
    """From its `call`-th time on, `owner.name` raises after it has done its work."""
    original, calls = getattr(owner, name), [0]

    def counted(*arguments: object) -> None:
        original(*arguments)
        calls[0] += 1
        if calls[0] >= call:
            raise KilledError

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("call", [1, 3, 7, 11, 16])
@pytest.mark.parametrize("where", ["state", "metrics"])
def test_a_kill_changes_nothing(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, where: str
) -> None:
    options = tiny(
        dropout=0.2,
        num_layers=2,
        schedule="plateau",
        patience=4,
        input_noise=0.1,
        weight_decay=1e-3,
    )
    train(options, tmp_path / "unbroken")
    with monkeypatch.context() as patched:
        if where == "state":
            kill_at(patched, call, TrainingState, "write")
        else:
            kill_at(patched, call % 4 + 1, train_module, "append_metrics")
        with pytest.raises(KilledError):
            train(options, tmp_path / "run")
    assert not is_run(tmp_path / "run")
    train(options, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(tmp_path / "unbroken")


@pytest.mark.usefixtures("every_step")
def test_shards_resume_too(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "shards_for", lambda *arguments: 2)
    options = tiny(input_noise=0.1)
    train(options, tmp_path / "unbroken")
    with monkeypatch.context() as patched:
        kill_at(patched, 5, TrainingState, "write")
        with pytest.raises(KilledError):
            train(options, tmp_path / "run")
    # Another machine with other cores would go on as it was begun.
    monkeypatch.setattr(train_module, "shards_for", lambda *arguments: 1)
    train(options, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(tmp_path / "unbroken")


@pytest.mark.usefixtures("ctrl_c_counts")
@pytest.mark.parametrize("decay", [0.0, 0.98])
def test_ctrl_c_in_validation_changes_nothing(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decay: float
) -> None:
    options, judge, calls = tiny(ema=decay), Shards.judge, []

    def interrupted(shards: Shards, x: Tensor, y: Tensor) -> Tensor:
        calls.append(len(x))
        if len(calls) == 2:  # once in every epoch
            os.kill(os.getpid(), signal.SIGINT)
        return judge(shards, x, y)

    with monkeypatch.context() as patched:
        patched.setattr(Shards, "judge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(options, tmp_path / "run")
    train(options, tmp_path / "unbroken")
    train(options, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(tmp_path / "unbroken")


@pytest.mark.usefixtures("every_step", "ctrl_c_counts")
def test_ctrl_c_saves_and_says_how_to_go_on(tiny: Tiny, tmp_path: Path) -> None:
    class PressesCtrlC:
        def update(self, status: Status) -> None:
            if status.epoch == 2 and status.step == 2:
                os.kill(os.getpid(), signal.SIGINT)

        def close(self) -> None:
            pass

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt, match=f"lstm-export train --out {run} --resume"):
        train(tiny(), run, progress=PressesCtrlC())
    assert not is_run(run)
    train(tiny(), tmp_path / "unbroken")
    train(tiny(), run, resume=True)
    assert contents(run) == contents(tmp_path / "unbroken")


def test_nothing_to_resume_starts_anew_and_says_so(tiny: Tiny, tmp_path: Path) -> None:
    result = train(tiny(), tmp_path / "run", resume=True)
    assert any("starts anew" in note for note in result.notes)
    stopped = tmp_path / "stopped"
    stopped.mkdir()
    (stopped / "run.toml").write_bytes((tmp_path / "run" / "run.toml").read_bytes())
    (stopped / ".run.toml.abc").write_text("half a fi")
    result = train(tiny(), stopped, resume=True)
    assert any("before its first state" in note for note in result.notes)
    assert contents(stopped) == contents(tmp_path / "run")


def test_a_finished_run_is_left_alone(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    description = train(tiny(), run).description
    before = contents(run)
    result = train(tiny(), run, resume=True)
    assert result.was_finished
    assert result.description == description
    assert any("finished already" in note for note in result.notes)
    assert contents(run) == before


def test_other_options_or_data_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(tiny(), run)
    before = contents(run)
    with pytest.raises(OptionError, match=r"--lr was 0\.01 and is 0\.1; --seed|--seed.*--lr"):
        train(tiny(lr=0.1, seed=3), run, resume=True)
    with pytest.raises(OptionError, match=r"--resume.*--force"):
        train(tiny(), run, resume=True, force=True)
    data = Path(tiny().data)
    data.write_text(data.read_text().replace("\n", "\n0.5,0.5\n", 1))
    with pytest.raises(DataError, match="has changed"):
        train(tiny(), run, resume=True)
    assert contents(run) == before


def test_a_damaged_state_is_named(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(tiny(), run)
    (run / "checkpoint.json").unlink()
    state = run / "training_state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"training_state\.safetensors is damaged"):
        train(tiny(), run, resume=True)


SCRIPT = """
from lstm_export.training import loop
from lstm_export.training.train import train
loop._SAVE = loop._LOOK = 0.01
train(options, out, resume=True)
"""


def test_real_kills_at_any_moment_change_nothing(tiny: Tiny, tmp_path: Path) -> None:
    options = tiny(epochs=150, patience=0, dropout=0.1, input_noise=0.1)
    # The processes are forked from one that has imported what they need.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lstm_export.training.train"])

    def start(out: Path) -> BaseProcess:
        process = context.Process(target=exec, args=(SCRIPT, {"options": options, "out": out}))
        process.start()
        return process

    whole = start(tmp_path / "unbroken")
    whole.join()
    assert whole.exitcode == 0
    run, moments = tmp_path / "run", random.Random(0)
    killed = 0
    for _ in range(3):
        process = start(run)
        while process.is_alive() and not (run / "run.toml").exists():
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 1.0))
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    assert killed
    last = start(run)
    last.join()
    assert last.exitcode == 0
    assert contents(run) == contents(tmp_path / "unbroken")
