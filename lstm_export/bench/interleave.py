"""Contenders in turns: whatever else the machine does disturbs all alike.

In each round every contender has one turn, in an order that is drawn anew (from a fixed seed): a
pool whose threads spin for a while after its work slows whoever comes next, and that must not
always be the same one. A turn is as many calls as fit into a few milliseconds. Its first calls pay
for the caches and threads that the contender before left behind and are not counted; the median of
the others is the turn's time. So the times of one round are neighbours, and their ratios are what
one can trust.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median

from lstm_export.bench.statistics import FEWEST

Clock = Callable[[], float]
Watch = Callable[[float], object]

TURN = 0.006
"""Seconds; long enough that a thread pool which spins after its work has gone to sleep."""
MOST_CALLS = 400
FEWEST_CALLS = 3
LONGEST_TURN = 0.3
"""Seconds after which a turn ends even if it was a single call."""
MOST_ROUNDS = 1000


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to time: `prepare` is called before each turn, uncounted, then `call` repeatedly.

    `work` is how many of what is counted one call does; times are divided by it.
    """

    name: str
    call: Callable[[], object]
    prepare: Callable[[], object] = _nothing
    work: int = 1


def take_turns(
    contenders: Sequence[Contender],
    *,
    seconds: float,
    rounds: int = FEWEST,
    clock: Clock = time.perf_counter,
    watch: Watch | None = None,
) -> Mapping[str, list[float]]:
    """Seconds per unit of work of each contender by name, one for each round.

    Goes on until `seconds` are spent, but for at least `rounds` rounds. `watch` hears after every
    round which part of the time is over.
    """
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    if len(times) != len(contenders):
        raise ValueError("two contenders of one name")
    order, begin = Random(0), clock()
    for contender in contenders:  # uncounted: memory, caches, just-in-time preparation
        contender.prepare()
        contender.call()
    for done in range(MOST_ROUNDS):
        for contender in order.sample(contenders, len(contenders)):
            times[contender.name].append(_turn(contender, clock))
        spent = clock() - begin
        part = max(spent / seconds, 0.0) if seconds > 0 else 1.0
        part = min(part, (done + 1) / rounds)
        if watch is not None:
            watch(min(part, 1.0))
        if part >= 1:
            break
    return times


def _turn(contender: Contender, clock: Clock) -> float:
    contender.prepare()
    call, calls = contender.call, list[float]()
    begin = before = clock()
    while len(calls) < MOST_CALLS:
        call()
        now = clock()
        calls.append(now - before)
        before = now
        enough = TURN if len(calls) >= FEWEST_CALLS else LONGEST_TURN
        if now - begin > enough:
            break
    return median(calls[len(calls) // 3 :]) / contender.work
