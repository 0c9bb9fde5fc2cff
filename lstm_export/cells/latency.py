"""How long the bundle of each cell takes for one sequence, all of them in turns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from lstm_export.cells.comparison import Latency

SECONDS = 2.0
"""How long is measured, for all cells together."""


def export_and_time(runs: Mapping[str, Path], bundles: Path, steps: int) -> dict[str, Latency]:
    """Exports each run, by cell, into a folder of `bundles`, and times one sequence of `steps`
    steps in each; the first cell is the yardstick.

    Raises ParityError if a graph does not give torch's numbers.
    """
    from lstm_export.bench.inputs import feeds_for
    from lstm_export.bench.interleave import Contender, take_turns
    from lstm_export.bench.statistics import median_estimate, paired_ratio
    from lstm_export.bench.subject import open_subject
    from lstm_export.bundle.layout import LAYOUT
    from lstm_export.bundling import export_bundle
    from lstm_export.runtime.load import load
    from lstm_export.training.device import threads

    contenders = []
    for cell, run in runs.items():
        path = bundles / cell
        with threads(1):
            export_bundle(run, path, force=True)
        subject = open_subject(path)
        length = steps if subject.terms is None else subject.terms.window.history
        (x,) = feeds_for(subject, LAYOUT.model, 1, length).values()
        contenders.append(Contender(cell, partial(load(path), x)))
    times = take_turns(contenders, seconds=SECONDS)
    yardstick = times[contenders[0].name]
    found = {}
    for cell, of in times.items():
        ratio = paired_ratio(of, yardstick)
        middle = median_estimate(of).value
        found[cell] = Latency(steps, middle, ratio.value, ratio.low, ratio.high)
    return found
