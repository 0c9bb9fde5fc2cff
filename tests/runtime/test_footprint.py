"""What the runtime imports and how much memory it takes, in processes of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LIMIT_MB = 60
OWN_MB = 5
"""What may come on top of a bare session where that alone is near the limit: of files just
installed the kernel maps larger pieces, which counts ten megabytes more for either."""

_BARE = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx")
status = open("/proc/self/status").read().split()
print(int(status[status.index("VmHWM:") + 1]) / 1024)
"""

_CHILD = """
import sys
import lstm_export
model = lstm_export.load(sys.argv[1])
width, window = len(model.terms.features), model.terms.window
{use}
status = open("/proc/self/status").read().split()
loaded = sorted({{name.split(".")[0] for name in sys.modules}})
print(int(status[status.index("VmHWM:") + 1]) / 1024, *loaded)
"""
_USES = {
    "predict": "model([[0.0] * width] * window.history)",
    "forecast": "model.forecast([[0.0] * width] * window.history, horizon=11)",
    "stream": "model.stream().step([0.0] * width)",
    "pool": "pool = model.pool(3); pool.step({pool.join(): [0.0] * width})",
    "snapshot": "stream = model.stream(); stream.restore(stream.snapshot())",
}
_NEVER = {
    *("torch", "onnx", "onnxscript", "onnx_ir", "polars", "pandas", "scipy", "matplotlib"),
    *("safetensors", "typer", "jinja2", "_hashlib", "ssl"),
}


def child(use: str, bundle: Path) -> tuple[float, set[str]]:
    memory, *modules = output(_CHILD.format(use=_USES[use]), bundle)
    return float(memory), set(modules)


def output(script: str, bundle: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, str(bundle)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("use", _USES)
def test_imports_and_memory(use: str, bundle: Callable[[str], Path]) -> None:
    path = bundle("seasonal")
    memory, modules = child(use, path)
    assert not modules & _NEVER
    bare = float(output(_BARE, path)[0])
    assert memory <= max(LIMIT_MB, bare + OWN_MB)
