"""A state that goes on from one sequence of the batch to the next, as stateful layers keep it."""

from __future__ import annotations

import numpy as np

from lstm_export.errors import InputError
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.expected import Float
from lstm_export.importing.expect.judge import judged
from lstm_export.importing.expect.stateful import Stateful, stateful
from lstm_export.importing.reference import run

_MOST = 256
"""Sequences that are run one after the other."""


def carried(case: Case, atol: float | None = None) -> str | None:
    """What to do, if the sequences agree once each starts where the one before it ended."""
    batch = case.sizes.get("batch", 1)
    each_has_it = all("batch" in case.axes[name] for name in case.expected.outputs)
    if not 2 <= batch <= _MOST or not each_has_it or (layers := stateful(case)) is None:
        return None
    try:
        outputs = _in_turn(case, layers, batch)
    except InputError:
        return None
    if not all(each.passed for each in judged(outputs, case.expected, atol=atol)):
        return None
    pairs = " and ".join(f"{given} what {ended} was" for ended, given in layers.states.items())
    return (
        "The sequences agree if each starts from the state in which the one before it in the batch "
        "ended: the original program keeps its state from call to call. Export the states as "
        f"inputs and outputs, and give {pairs} in the call before, zeros in the first: "
        f'--layers "{layers.text}"'
    )


def _in_turn(case: Case, layers: Stateful, batch: int) -> dict[str, Float]:
    now = {name: np.zeros(layers.shape(name, 1)) for name in layers.states.values()}
    rows: dict[str, list[Float]] = {name: [] for name in case.expected.outputs}
    for row in range(batch):
        feeds = {
            each.name: np.take(case.feeds[each.name], [row], axis=each.axes.index("batch"))
            for each in case.description.inputs
        }
        outputs = run(layers.description, {**feeds, **now})
        now = {given: outputs[ended] for ended, given in layers.states.items()}
        for name, found in rows.items():
            found.append(outputs[name])
    return {
        name: np.concatenate(found, axis=case.axes[name].index("batch"))
        for name, found in rows.items()
    }
