"""What a layer string says, before tensors are found for it."""

from __future__ import annotations

from dataclasses import dataclass

from lstm_export.importing.description import Input, Step

UNKNOWN = "?"
"""The size of an axis that the string leaves to the tensors."""

KINDS = ("floats", "ids", "lengths", "state")


@dataclass(frozen=True, slots=True)
class Layers:
    """Inputs, steps without tensors, outputs. A step's name is the prefix of its tensors."""

    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]


def unnamed(index: int) -> str:
    """What the value of step `index` is called where the string does not name it."""
    return f"_{index}"
