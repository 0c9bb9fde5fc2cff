"""`recall`: name the symbol that was seen T steps ago, the classic test of memory."""

from __future__ import annotations

import numpy as np

from lstm_export.data.write import csv_text
from lstm_export.errors import DataError

STEPS = 20
"""T where none is named."""
LONGEST = 1000

_LETTERS = np.array(list("ABCDEFGH"))
_FILLERS = np.array(list("....abcd"))
"""Half of what stands in between is a full stop, the rest is there to distract."""
_ROWS = 2000


def recall(steps: int) -> bytes:
    """2,000 texts of 1 + `steps` characters: one of the eight letters A–H, each as often as the
    others, then fillers. The label is that first letter."""
    random = np.random.default_rng(steps)
    letter = _LETTERS[random.permutation(_ROWS) % len(_LETTERS)]
    fillers = _FILLERS[random.integers(0, len(_FILLERS), size=(_ROWS, steps))]
    texts = ["".join(row) for row in np.column_stack([letter, fillers]).tolist()]
    return csv_text({"text": texts, "letter": letter.tolist()}).encode()


def steps_of(argument: str) -> int:
    """T in the name `recall:T`. Raises DataError."""
    if not (argument.isascii() and argument.isdigit() and 1 <= int(argument[:6]) <= LONGEST):
        raise DataError(
            f"recall:{argument}: expected the number of steps between seeing and naming the "
            f"letter, 1 to {LONGEST}, as in recall:{STEPS}"
        )
    return int(argument)
