"""How long runtimes take over the same run, one after the other in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

from lstm_export.parity.runtimes.registry import Runner
from lstm_export.parity.trial import Trial

ROUNDS = 7


def latencies(trials: Sequence[Trial], runners: Mapping[str, Runner]) -> dict[str, float]:
    """Seconds that each runtime takes, the median of some turns, on the largest of `trials`.

    A runtime in a process of its own has its pipe counted in. Those that do not answer are left
    out, and all are if there is one alone.
    """
    whole = [trial for trial in trials if not trial.chunks]
    if not whole or len(runners) < 2:
        return {}
    largest = max(whole, key=lambda trial: sum(array.size for array in trial.inputs.values()))
    taken: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(ROUNDS):
        for name in list(taken):
            start = time.perf_counter()
            try:
                runners[name](largest.inputs)
            except Exception:  # it was told already that this runtime does not answer
                del taken[name]
                continue
            taken[name].append(time.perf_counter() - start)
    # The first turn of each warms it up.
    return {name: statistics.median(seconds[1:]) for name, seconds in taken.items()}
