"""Everyone who takes part in one measurement, and why others do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.bench.interleave import Contender

OURS = "ours"
OWN_GRAPH = "own graph, run"
STOCK_GRAPH = "stock graph, run"
TORCH = "torch"


@dataclass
class Field:
    """Contenders for one use of a model at one shape."""

    use: str
    """sequences, stream or forecast"""
    batch: int
    length: int
    """Steps of a call; of a forecast, steps ahead."""
    flops: float
    contenders: list[Contender] = field(default_factory=list)
    differences: dict[str, float] = field(default_factory=dict)
    """Of those who compute the same: how far from our answer, relative to its largest value."""
    missing: dict[str, str] = field(default_factory=dict)
    """Who could not take part, and why."""

    def enter(self, name: str, call: Callable[[], object]) -> None:
        """Lets `call` take part."""
        self.contenders.append(Contender(name, call))

    def enter_torch(self, name: str, call: Callable[[], object]) -> list[str]:
        """Lets `call` take part with one thread and with all; the names that they got."""
        from lstm_export.bench.torch_side import torch_contenders

        entered, left_out = torch_contenders(name, call)
        self.contenders += entered
        self.missing |= left_out
        return [contender.name for contender in entered]

    def compare(self, name: str, answer: object, ours: object) -> None:
        """Notes how far `answer` is from ours; where they cannot be compared, nothing."""
        first, second = _array(answer), _array(ours)
        if first is None or second is None or first.size != second.size:
            return
        largest = float(np.max(np.abs(second), initial=0.0)) or 1.0
        worst = float(np.max(np.abs(first.ravel() - second.ravel()), initial=0.0))
        self.differences[name] = worst / largest


def _array(answer: object) -> npt.NDArray[Any] | None:
    """The first array of an answer, whatever it is wrapped in."""
    while isinstance(answer, list | tuple | dict) and answer:
        answer = next(iter(answer.values() if isinstance(answer, dict) else answer))
    if hasattr(answer, "detach"):
        answer = answer.detach().numpy()
    return answer if isinstance(answer, np.ndarray) and answer.dtype.kind == "f" else None
