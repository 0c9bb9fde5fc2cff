"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets: LSTM_EXPORT_DATA, or `../shared/data` beside the checkout."""
    folder = Path(os.environ.get("LSTM_EXPORT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        message = f"no data sets at {folder}; set LSTM_EXPORT_DATA to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder
