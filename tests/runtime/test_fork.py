"""A model loaded before a fork works in the child, whatever threads it had, and the child ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_SCRIPT = """
import os, sys, warnings
import numpy as np
import lstm_export as lx
from lstm_export.runtime.settings import Settings

# Python warns of forks beside threads, which onnxruntime has: that is what is tried here.
warnings.simplefilter("ignore")
path, threads = sys.argv[1], int(sys.argv[2])
settings = Settings(intra_op_num_threads=threads) if threads else Settings(shards=3)
model = lx.load(path, settings=settings)
rng = np.random.default_rng(0)
small, large = rng.normal(size=(1, 9, 1)), rng.normal(size=(64, 40, 1)).astype(np.float32)
small = small.astype(np.float32)
stream = model.stream()

def everything():
    answers = [model(small) for _ in range(12)]  # also the quick way, on kept arrays
    return [*answers, model(large), model.forecast(small, horizon=3), stream.step(small[0, 0])]

def equal(one, other):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))

before = everything()
stream.reset()
child = os.fork()
if child == 0:
    same = equal(everything(), before)
    grandchild = os.fork()
    if grandchild == 0:
        stream.reset()
        same = equal(everything(), before)
        sys.exit(0 if same else 1)
    _, status = os.waitpid(grandchild, 0)
    sys.exit(0 if same and status == 0 else 1)
_, status = os.waitpid(child, 0)
stream.reset()
assert status == 0, status
assert equal(everything(), before)
"""


_GONE = """
import os, shutil, sys, warnings
import lstm_export as lx

warnings.simplefilter("ignore")
shutil.copytree(sys.argv[1], sys.argv[2])
model = lx.load(sys.argv[2])
model([1.0, 2.0])
shutil.rmtree(sys.argv[2])
if os.fork() == 0:
    try:
        model([1.0, 2.0])
    except lx.LstmExportError as error:
        print(error)
    sys.exit(0)
os.wait()
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def output(script: str, folder: Path, *arguments: str) -> str:
    """What a program printed, if it ended well. Written to a file: a pipe would be waited for as
    long as a child that hangs has it open."""
    log = folder / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            code = process.wait(100)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert code == 0, log.read_text()
    return log.read_text()


@pytest.mark.parametrize("threads", [1, 2, 0])
def test_a_loaded_model_after_fork(
    threads: int, bundle: Callable[[str], Path], tmp_path: Path
) -> None:
    assert output(_SCRIPT, tmp_path, str(bundle("plain")), str(threads)) == ""


def test_a_child_says_that_the_file_is_gone(bundle: Callable[[str], Path], tmp_path: Path) -> None:
    said = output(_GONE, tmp_path, str(bundle("plain")), str(tmp_path / "copy"))
    assert "model.onnx is listed in the manifest but missing" in said
