"""`tags`: a noisy series whose every step is flat, rising or falling."""

from __future__ import annotations

import numpy as np

from lstm_export.data.write import csv_text

_SEQUENCES = 400
_SHORTEST, _LONGEST = 30, 60
_SLOPES = {"falling": -100, "flat": 0, "rising": 100}
"""Hundredths per step."""
_NOISE = 35
"""Hundredths: steps of two regimes lie at least 100 − 2 · 35 apart, so that each can be told."""
_SHORTEST_REGIME, _LONGEST_REGIME = 4, 10
_BOUND = 800
"""Hundredths: beyond it a series does not go on in its direction."""


def tags() -> bytes:
    """400 series of 30 to 60 steps as a long table: id, t, x, label.

    A series starts near 0 and each step adds −1, 0 or 1 and uniform noise up to ±0.35, in regimes
    of 4 to 10 steps. A step's label says what was added to the one before (the first, to 0), which
    is decidable from the past alone.
    """
    random = np.random.default_rng(0)
    columns: dict[str, list[object]] = {"id": [], "t": [], "x": [], "label": []}
    for sequence in range(_SEQUENCES):
        length = int(random.integers(_SHORTEST, _LONGEST + 1))
        level, regime, left = 0, "", 0
        for t in range(length):
            if not left:
                regime = _next(random, regime, level)
                left = int(random.integers(_SHORTEST_REGIME, _LONGEST_REGIME + 1))
            level += _SLOPES[regime] + int(random.integers(-_NOISE, _NOISE + 1))
            left -= 1
            for name, cell in zip(columns, (sequence, t, level / 100, regime), strict=True):
                columns[name].append(cell)
    return csv_text(columns).encode()


def _next(random: np.random.Generator, regime: str, level: int) -> str:
    """Another regime than `regime`, which does not lead further out."""
    others = [
        name
        for name, slope in _SLOPES.items()
        if name != regime and (abs(level) <= _BOUND or level * slope <= 0)
    ]
    return others[int(random.integers(0, len(others)))]
