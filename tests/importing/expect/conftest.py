"""What tests of searches that find nothing need."""

from __future__ import annotations

import pytest

from lstm_export.importing.expect import search


@pytest.fixture
def few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that looks at fewer pairs, where none of them is to fit anyhow."""
    monkeypatch.setattr(search, "MOST_BOUND", 150)
