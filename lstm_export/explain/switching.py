"""What a layer's gates are for: the model's answer with one of them switched off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lstm_export.explain.explanation import Array, SwitchEffect
from lstm_export.explain.gates import Switch
from lstm_export.explain.graph import Answering, Tensors
from lstm_export.explain.layer import run_node
from lstm_export.explain.nodes import RecurrentNode
from lstm_export.explain.subject import Feeds
from lstm_export.oracle.probe import Held


class Switched:
    """One change to one direction of a layer, over several batches: the first is the chosen one."""

    def __init__(self, switch: Switch, node: RecurrentNode, direction: int) -> None:
        self._switch, self._node, self._direction = switch, node, direction
        self._squares: list[Array] = []
        self._rows: list[int] = []

    def add(self, entering: Tensors, rest: Answering, feeds: Feeds, answer: Array) -> None:
        """One batch, whose answer without the change is `answer`."""
        probes = [
            Held(self._switch.held) if d == self._direction else None
            for d in range(len(self._node.backward))
        ]
        cut = self._direction if self._switch.cut else None
        changed = rest(feeds, run_node(self._node, entering, probes=probes, cut=cut))
        difference = _by_column(changed.astype(np.float64) - answer)
        self._squares.append((difference**2).sum(axis=0))
        self._rows.append(len(difference))

    def effect(self, variance: Array) -> SwitchEffect:
        """Against the `variance` of the unchanged answers, (columns,)."""
        square = np.sum(self._squares, axis=0) / sum(self._rows)
        varied = variance > 0
        return SwitchEffect(
            name=self._switch.name,
            meaning=self._switch.meaning,
            rms=math.sqrt(square.mean()),
            rms_chosen=math.sqrt((self._squares[0] / self._rows[0]).mean()),
            relative=math.sqrt((square[varied] / variance[varied]).mean())
            if varied.any()
            else None,
        )


def variance_of(answers: Sequence[Array]) -> Array:
    """Of every column over all answers, (columns,)."""
    rows = np.concatenate([_by_column(answer) for answer in answers])
    variance: Array = np.var(rows, axis=0)
    return variance


def _by_column(answer: Array) -> Array:
    """(…, columns) as rows of columns: whatever else there is, sequences, steps, steps ahead."""
    return answer.reshape(-1, answer.shape[-1] if answer.ndim > 1 else 1)
