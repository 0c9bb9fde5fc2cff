"""What is written: whole or not at all, and never over what is not ours."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lstm_export.cli.main import run
from lstm_export.errors import OutputError
from lstm_export.files import new_folder, refuse_existing, write_atomic


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def refused(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    """The one message of a command that must exit with 2."""
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize("out", ["file", "occupied", ".", "..", "file/below"])
def test_force_replaces_nothing_but_a_bundle(
    made: SimpleNamespace,
    tmp_path: Path,
    out: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = tmp_path / "here"
    (here / "occupied").mkdir(parents=True)
    (here / "file").write_text("mine")
    (here / "occupied" / "mine").write_text("mine")
    (tmp_path / "manifest.json").write_text("{}")
    monkeypatch.chdir(here)
    before = tree(tmp_path)
    message = refused(["export", made.run, "--out", out, "--force"], capsys)
    assert "choose another path" in message or "name a new folder" in message
    assert tree(tmp_path) == before


def test_a_run_is_not_replaced_by_its_bundle(
    made: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(made.run)
    refused(["export", made.run, "--out", made.run, "--force"], capsys)
    assert tree(made.run) == before


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, folder_link = tmp_path / "link.csv", tmp_path / "latest"
    link.symlink_to("real.csv")
    folder_link.symlink_to("real")
    write_atomic(link, "new")
    with new_folder(folder_link, force=False, marker="m") as folder:
        (folder / "m").write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"
    assert folder_link.is_symlink()
    assert (tmp_path / "real" / "m").read_text() == "new"


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    # A pipe of our own stands in for a device: a failure must not cost the machine its /dev/null.
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder):
        with pytest.raises(OutputError, match="expected a file"):
            write_atomic(path, "x")
        with pytest.raises(OutputError, match="expected a file"):
            refuse_existing(path, force=True)
    assert pipe.is_fifo()
    assert sorted(tmp_path.iterdir()) == [folder, pipe]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_broken_export_leaves_the_old_bundle(
    made: SimpleNamespace,
    tmp_path: Path,
    failure: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = tmp_path / "bundle"
    with new_folder(bundle, force=False, marker="manifest.json") as folder:
        (folder / "manifest.json").write_text("old")
    write = Path.write_bytes

    def broken(path: Path, body: bytes) -> int:
        if path.name != "manifest.json":
            return write(path, body)
        write(path, body[:10])
        raise failure

    monkeypatch.setattr(Path, "write_bytes", broken)
    code = run(["export", str(made.run), "--out", str(bundle), "--force"])
    assert code == (130 if isinstance(failure, KeyboardInterrupt) else 2)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert tree(bundle) == {"manifest.json": b"old"}
    assert "fault of lstm-export" not in capsys.readouterr().err


def test_a_full_disk_leaves_the_old_files(
    made: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("old.csv", "old.html", "old.json"):
        (tmp_path / name).write_text("old")
    before = tree(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    for command in (
        ["data", "sine", "--out", tmp_path / "old.csv"],
        ["predict", made.bundle, made.data, "--out", tmp_path / "old.csv"],
        ["verify", made.bundle, "--html", tmp_path / "old.html"],
        ["verify", made.bundle, "--report", tmp_path / "old.json"],
        ["train", made.data, "--target", "other", "--epochs", "1", "--out", tmp_path / "run"],
    ):
        message = refused([*command, "--force"], capsys)
        assert "No space left on device" in message
    (tmp_path / "run").rmdir()  # nothing is in it
    assert tree(tmp_path) == before


def test_what_is_read_is_never_written(
    made: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(made.data.parent)
    predict = ["predict", made.bundle, made.data, "--force"]
    assert "table that is read" in refused([*predict, "--out", made.data], capsys)
    inside = made.bundle / "x.csv"
    assert "only export writes" in refused([*predict, "--out", inside], capsys)
    assert "only export writes" in refused(["verify", made.bundle, "--html", inside], capsys)
    both = ["verify", made.bundle, "--html", "x", "--report", "./x"]
    assert "its own file" in refused(both, capsys)
    assert tree(made.data.parent) == before


@pytest.mark.parametrize(
    ("redirect", "code"), [("| true", 0), ("> /dev/full", 2), (">&-", 0), ("2> /dev/full", 0)]
)
def test_outputs_that_go_away(made: SimpleNamespace, redirect: str, code: int) -> None:
    program = f"{sys.executable} -m lstm_export"
    arguments = f"predict '{made.bundle}' '{made.data}' --backtest"
    done = subprocess.run(
        ["bash", "-c", f"{program} {arguments} {redirect}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert done.returncode == code, done.stderr


def test_a_terminal_without_unicode(made: SimpleNamespace) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for arguments in (
        ["inspect", made.bundle],
        ["inspect", made.bundle, "--json"],
        ["predict", made.bundle, made.data],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "lstm_export", *map(str, arguments)],
            capture_output=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
    assert "Größe" in done.stdout.decode()  # a table is UTF-8 wherever it goes
