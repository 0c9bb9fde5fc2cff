"""What the runtime imports and how much memory it takes, in processes of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LIMIT_MB = 60

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
}
_NEVER = {
    *("torch", "onnx", "onnxscript", "onnx_ir", "polars", "pandas", "scipy", "matplotlib"),
    *("safetensors", "typer", "jinja2", "_hashlib", "ssl"),
}


def child(use: str, bundle: Path) -> tuple[float, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(use=_USES[use]), str(bundle)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    memory, *modules = done.stdout.split()
    return float(memory), set(modules)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("use", _USES)
def test_imports_and_memory(use: str, bundle: Callable[[str], Path]) -> None:
    memory, modules = child(use, bundle("seasonal"))
    assert not modules & _NEVER
    assert memory <= LIMIT_MB
