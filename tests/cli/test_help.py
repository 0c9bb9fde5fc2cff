"""`--help` answers at once: no command loads what it does not need for that."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from lstm_export.cli.main import app

SLOW = {"torch", "numpy", "onnxruntime", "onnx", "polars", "pandas", "matplotlib", "jinja2"}
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]

_CHILD = """
import sys
from lstm_export.cli.main import run
code = run(sys.argv[1:])
print(*{name.split(".")[0] for name in sys.modules}, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_loads_nothing_slow(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: lstm-export" in done.stdout
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert not loaded & SLOW


def test_every_command_is_seen() -> None:
    assert {"data", "demo", "doctor", "export", "inspect", "predict", "train", "verify"} <= set(
        COMMANDS
    )
