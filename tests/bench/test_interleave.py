"""Turns on a clock of our own: who is slower is seen, whatever slows everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_export.bench.interleave import TURN, Contender, take_turns
from lstm_export.bench.statistics import FEWEST, paired_ratio

Clocks = Callable[..., Any]


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.floats(1e-5, 1e-2), st.floats(1.1, 20), st.floats(0, 0.5))
def test_a_planted_slow_one_is_seen(
    make_clock: Clocks, seconds: float, times: float, drift: float
) -> None:
    clock = make_clock(drift)
    contenders = [
        Contender("fast", clock.work(seconds)),
        Contender("slow", clock.work(seconds * times)),
        Contender("as fast", clock.work(seconds)),
    ]
    found = take_turns(contenders, seconds=1.0, clock=clock)
    slow, same = (paired_ratio(found[name], found["fast"]) for name in ("slow", "as fast"))
    assert slow.low <= times * 1.1
    assert slow.high >= times * 0.9
    assert slow.low > 1
    assert same.low <= 1.05
    assert same.high >= 0.95


def test_every_round_holds_one_turn_of_each_in_changing_order(make_clock: Clocks) -> None:
    clock, order, parts = make_clock(), list[str](), list[float]()
    contenders = [
        Contender(name, clock.work(TURN), prepare=lambda name=name: order.append(name))
        for name in "abcd"
    ]
    found = take_turns(contenders, seconds=0, rounds=12, clock=clock, watch=parts.append)
    assert {len(times) for times in found.values()} == {12}
    rounds = [tuple(order[i : i + 4]) for i in range(4, len(order), 4)]  # the first four warm up
    assert len(rounds) == 12
    assert all(sorted(one) == list("abcd") for one in rounds)
    assert len(set(rounds)) > 6
    assert parts == sorted(parts)
    assert parts[-1] == 1


def test_it_ends_when_the_time_is_spent_but_not_before_an_interval_can_be_made(
    make_clock: Clocks,
) -> None:
    clock = make_clock()
    found = take_turns([Contender("a", clock.work(0.01))], seconds=3.0, clock=clock)
    assert clock.now == pytest.approx(3.0, abs=0.1)
    assert len(found["a"]) > FEWEST
    clock = make_clock()
    found = take_turns([Contender("a", clock.work(50.0))], seconds=3.0, clock=clock)
    assert len(found["a"]) == FEWEST  # each turn a single call
    assert clock.now == pytest.approx(50.0 * (1 + FEWEST))


def test_the_first_calls_of_a_turn_are_not_counted(make_clock: Clocks) -> None:
    clock, calls = make_clock(), [0]

    def prepare() -> None:
        calls[0] = 0

    def cold_at_first() -> None:
        calls[0] += 1
        clock.now += 0.002 if calls[0] == 1 else 0.001

    found = take_turns([Contender("a", cold_at_first, prepare)], seconds=0.1, clock=clock)
    assert found["a"] == pytest.approx([0.001] * len(found["a"]))


def test_work_is_what_one_call_does(make_clock: Clocks) -> None:
    clock = make_clock()
    found = take_turns([Contender("a", clock.work(0.5), work=100)], seconds=1, clock=clock)
    assert found["a"] == pytest.approx([0.005] * len(found["a"]))


def test_two_of_one_name_are_a_mistake(make_clock: Clocks) -> None:
    clock = make_clock()
    with pytest.raises(ValueError, match="one name"):
        take_turns([Contender("a", clock.work(1))] * 2, seconds=1, clock=clock)
