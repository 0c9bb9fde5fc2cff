"""Small series and options that train in a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.training.options import TrainOptions


@pytest.fixture
def series_csv(tmp_path: Path) -> Path:
    """140 rows of a noisy wave `x` beside another column `y`."""
    i = np.arange(140)
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 140))
    x, y = np.sin(i / 3) + noise[0], np.cos(i / 5) + noise[1]
    file = tmp_path / "wave.csv"
    lines = [f"{a:.5f},{b:.5f}" for a, b in zip(x, y, strict=True)]
    file.write_text("\n".join(["x,y", *lines]) + "\n")
    return file


@pytest.fixture
def tiny(series_csv: Path) -> Callable[..., TrainOptions]:
    """Options for a model of a few weights and a few epochs, with changes."""

    def make(**changes: Any) -> TrainOptions:
        options = {
            "data": str(series_csv),
            "target": "x",
            "hidden_size": 4,
            "context_length": 6,
            "epochs": 4,
            "batch_size": 16,
        }
        return TrainOptions(**{**options, **changes})

    return make
