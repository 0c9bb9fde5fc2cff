"""What a runtime's tests need: the runtime, or a reason why they are skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lstm_export.parity.runtimes import nodejs
from lstm_export.parity.runtimes.registry import status

REQUIRED = "LSTM_EXPORT_RUNTIMES"
"""Names of runtimes, or `all`, whose absence is a failure."""


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """A function that ends a test where a runtime is missing: skipped, or failed if required."""

    def ask(name: str) -> None:
        found = status(name)
        if found.installed:
            return
        message = f"{name} is not installed: {found.how_to_get}"
        if {name, "all"} & {word.strip() for word in os.environ.get(REQUIRED, "").split(",")}:
            pytest.fail(message)
        pytest.skip(message)

    return ask


@pytest.fixture(scope="session")
def node(need: Callable[[str], None]) -> Callable[..., str]:
    """A function from a script and its arguments to what Node.js prints; `given` is its input.

    The script finds npm's packages where the runtimes do.
    """
    need("onnxruntime-node")
    environment = {
        **os.environ,
        nodejs.VARIABLE: str(nodejs.node_modules(["onnxruntime-node"])),
        "CHROMIUM": shutil.which("chromium") or "",
    }

    def run(*arguments: object, given: str = "") -> str:
        command = ["node", *map(str, arguments)]
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of these tests' own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(compiled_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled here is not the user's."""
    monkeypatch.setenv("LSTM_EXPORT_CACHE", str(compiled_once))
