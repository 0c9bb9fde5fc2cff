"""Which states of a loop belong together, and in which order to look at them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import onnx_ir as ir

from lstm_export.exporting.lowering.recognise.loop import State


def values_behind(value: ir.Value, known: Collection[ir.Value]) -> set[ir.Value]:
    """Everything of the step that `value` is computed from, as far back as what is `known`."""
    seen: set[ir.Value] = set()
    pending = [value]
    while pending:
        value = pending.pop()
        if value in seen or value in known:
            continue
        seen.add(value)
        node = value.producer()
        if node is not None:
            pending.extend(part for part in node.inputs if part is not None)
    return seen


def first_group(waiting: Sequence[State], known: Collection[ir.Value]) -> list[State]:
    """States that need each other and none of the others that wait; empty if there are none.

    Where none waits, or each needs another that does, as after a failure, nothing is first.
    """
    needs: dict[State, set[State]] = {}
    for state in waiting:
        behind = values_behind(state.next, known)
        needs[state] = {other for other in waiting if other.previous in behind}
    for state in waiting:
        everything, pending = {state}, [state]
        while pending:
            for other in needs[pending.pop()] - everything:
                everything.add(other)
                pending.append(other)
        if all(_reaches(other, state, needs) for other in everything - {state}):
            return [state for state in waiting if state in everything]
    return []


def _reaches(start: State, goal: State, needs: dict[State, set[State]]) -> bool:
    seen, pending = {start}, [start]
    while pending:
        for other in needs[pending.pop()] - seen:
            if other is goal:
                return True
            seen.add(other)
            pending.append(other)
    return False
