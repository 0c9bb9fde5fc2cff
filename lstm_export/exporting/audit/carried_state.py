"""State that a module carries from one call to the next.

A graph has no memory: what one call leaves in an attribute or a buffer and the next one reads would
be frozen at the value that it had while tracing. An attribute that each call overwrites before it
reads it is harmless, and so is a counter that no result depends on. So the module is run: what a
call changes is then spoiled before another call, whose results tell whether it was read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstm_export.exporting.audit.attributes import changed, contents
from lstm_export.exporting.audit.finding import Finding
from lstm_export.exporting.audit.lines import written_at
from lstm_export.exporting.audit.rehearsal import Outputs, Rehearsal, differ
from lstm_export.exporting.audit.trial import resized
from lstm_export.exporting.tracing.eager_axes import varying_axes

_SPOILS = 3


def carried_state(rehearsal: Rehearsal) -> tuple[Finding, ...]:
    """The attributes whose values reach from one call into the results of the next."""
    moves = _moving(rehearsal)
    caches = changed(rehearsal.before, rehearsal.first.after) - moves
    carried: list[str] = []
    if moves or caches:
        shapes = _other_shapes(rehearsal)
        given = [rehearsal.call.examples, *shapes]
        carried = [path for path in sorted(moves) if _is_read(rehearsal, path, given)]
        if not carried and caches and _spoil_one_another(rehearsal, shapes):
            read = [path for path in sorted(caches) if _is_read(rehearsal, path, given)]
            carried = read or sorted(caches)
    if not carried and differ(rehearsal.first.outputs, rehearsal.again.outputs):
        # Seen in the results, but in no single attribute.
        carried = sorted(moves)
        if not carried:
            return (_unseen(rehearsal),)
    return tuple(_finding(rehearsal, path) for path in carried)


def _moving(rehearsal: Rehearsal) -> set[str]:
    """Attributes whose values depend on what the calls were given, or on how many there were."""
    first, again = rehearsal.first.after, rehearsal.again.after
    moves = changed(first, again)
    if not isinstance(rehearsal.other.outputs, Exception):
        moves |= changed(first, rehearsal.other.after)
    return moves


def _is_read(rehearsal: Rehearsal, path: str, given: Sequence[Sequence[Tensor]]) -> bool:
    """Whether the attribute at `path`, left by one call, has a part in the results of the next.

    That next call is tried with each of `given`: a long input may crowd out what a short one keeps.
    """
    for tensors in given:
        plain = _after_a_call(rehearsal, tensors, path, None)
        for spoil in range(_SPOILS):
            if differ(plain, _after_a_call(rehearsal, tensors, path, spoil)):
                return True
    return False


def _after_a_call(
    rehearsal: Rehearsal, tensors: Sequence[Tensor], path: str, spoil: int | None
) -> Outputs | Exception:
    """The results for `tensors` after a call with the examples, whose traces may be spoiled."""
    with rehearsal.from_the_start():
        rehearsal.perform(rehearsal.call.examples)
        found = contents(rehearsal.module).get(path)
        if found is None or spoil is None:
            return rehearsal.perform(tensors).outputs
        value = found[0].value
        if not isinstance(value, nn.Parameter):
            found[0].set(_spoiled(value, spoil))
            return rehearsal.perform(tensors).outputs
        data = value.data
        value.data = _spoiled(data, spoil)
        try:
            return rehearsal.perform(tensors).outputs
        finally:
            value.data = data


def _spoiled(value: Any, spoil: int) -> Any:
    """`value` with other numbers in it, in one of several ways."""
    if isinstance(value, Tensor):
        if value.dtype == torch.bool:
            return ~value
        if not value.is_floating_point():
            return value + (1, 7, -1)[spoil]
        wave = torch.arange(value.numel(), dtype=torch.float32).add(spoil).mul(2.1).sin()
        wave = wave.reshape(value.shape).to(value.dtype)
        # NaN goes through saturation and small weights, though not through a comparison.
        return (value + wave, torch.full_like(value, torch.nan), 30 * wave)[spoil]
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return value + 1
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + (1, 1000, 7)[spoil]
    if isinstance(value, dict):
        return {key: _spoiled(inner, spoil) for key, inner in value.items()}
    if isinstance(value, deque):
        return deque((_spoiled(inner, spoil) for inner in value), value.maxlen)
    if isinstance(value, list):
        return [_spoiled(inner, spoil) for inner in value]
    if isinstance(value, tuple):
        parts = [_spoiled(inner, spoil) for inner in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def _other_shapes(rehearsal: Rehearsal) -> list[list[Tensor]]:
    """The examples with each axis that varies cut to one, and longer by one."""
    call = rehearsal.call
    with rehearsal.from_the_start():
        groups = varying_axes(rehearsal.module, call)
    return [
        resized(call, {at: size(call.inputs[at[0]].example.shape[at[1]]) for at in places})
        for places in groups.values()
        for size in (lambda _: 1, lambda old: old + 1)
    ]


def _spoil_one_another(rehearsal: Rehearsal, shapes: Sequence[Sequence[Tensor]]) -> bool:
    """Whether a call of another shape changes what the next one gives, or has it refused."""
    for tensors in shapes:
        with rehearsal.from_the_start():
            if isinstance(rehearsal.perform(tensors).outputs, Exception):
                continue
            outputs = rehearsal.perform(rehearsal.call.examples).outputs
        if differ(rehearsal.first.outputs, outputs):
            return True
    return False


def _unseen(rehearsal: Rehearsal) -> Finding:
    return Finding(
        "carried state",
        type(rehearsal.module).__name__,
        None,
        "two calls with the same input gave different results, though none of its attributes "
        "changed: it keeps something out of sight, as a hook does in a closure, or draws random "
        "numbers from a generator that is not seeded",
        "make forward depend on its arguments alone",
    )


def _finding(rehearsal: Rehearsal, path: str) -> Finding:
    known = {**rehearsal.first.after, **rehearsal.again.after}
    attribute = known[path][0] if path in known else rehearsal.before[path][0]
    name = attribute.name
    return Finding(
        "carried state",
        f"{type(rehearsal.module).__name__} carries {path} from one call to the next",
        written_at(attribute.name, attribute.owner, rehearsal.module),
        "a graph has no memory, and would hold the value of the moment of the export for good",
        f"take the state as an argument of forward and return the new one, so that whoever calls "
        f"can stream: def forward(self, x, {name}): … return output, {name}; or start every call "
        f"from the same state",
    )
