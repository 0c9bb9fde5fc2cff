"""`--help` answers at once: no command loads what it does not need for that."""

from __future__ import annotations

import json
import subprocess
import sys

import typer

from lstm_export.cli.main import app

SLOW = {"torch", "numpy", "onnxruntime", "onnx", "polars", "pandas", "matplotlib", "jinja2"}
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]

_CHILD = """
import contextlib, io, json, sys
from lstm_export.cli.main import run
found = []
for name in ("", *sys.argv[1:]):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        code = run([*name.split(), "--help"])
    loaded = sorted({module.split(".")[0] for module in sys.modules})
    found.append((name, code, shown.getvalue(), loaded))
print(json.dumps(found))
"""


def test_help_loads_nothing_slow() -> None:
    # One process asks for all: what one command loads stays loaded, and is seen.
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *COMMANDS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [name for name, *_ in found] == ["", *COMMANDS]
    for name, code, shown, loaded in found:
        assert code == 0, name
        assert " ".join(["Usage: lstm-export", *name.split()]) in shown
        assert "typer" in loaded
        assert not SLOW & set(loaded), name


def test_every_command_is_seen() -> None:
    assert {"data", "demo", "doctor", "export", "inspect", "predict", "train", "verify"} <= set(
        COMMANDS
    )
