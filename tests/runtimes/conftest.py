"""What a runtime's tests need: the runtime, or a reason why they are skipped."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

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
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of these tests' own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(compiled_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compiled here is not the user's."""
    monkeypatch.setenv("LSTM_EXPORT_CACHE", str(compiled_once))
