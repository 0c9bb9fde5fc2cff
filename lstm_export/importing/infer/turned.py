"""Recurrent layers with time first beside layers that run over the steps of (batch, steps, …).

torch's convolutions take the batch first whatever a recurrent layer takes, so that a module with
batch_first=False turns its values between the two.
"""

from __future__ import annotations

from collections.abc import Sequence

from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.sequential import Bare

_OVER_STEPS = ("conv1d", "max_pool1d", "avg_pool1d", "group_norm")


def mixed(groups: Sequence[Group]) -> bool:
    """Whether both kinds are among `groups`."""
    return any(_time_first(g) for g in groups) and any(g.kind in _OVER_STEPS for g in groups)


def starts_time_first(groups: Sequence[Group]) -> bool:
    """Whether the input has time first: as the first layer takes it for which it matters."""
    decisive = next((g for g in groups if g.recurrent or g.kind in _OVER_STEPS), None)
    return decisive is not None and _time_first(decisive)


def turned(groups: Sequence[Group], placed: Sequence[Group | Bare]) -> list[Group | Bare]:
    """`placed`, in which `groups` stand, with a time_major wherever the order has to change."""
    if not mixed(groups):
        return list(placed)
    time_first, steps = starts_time_first(groups), list[Group | Bare]()
    for step in placed:
        if step.kind == "last":
            step = Bare("last", {"batch_first": False} if time_first else {})
        wanted = time_first
        if step.kind in _OVER_STEPS:
            wanted = False
        elif isinstance(step, Group) and step.recurrent:
            wanted = _time_first(step)
        if wanted != time_first:
            steps.append(Bare("time_major"))
            time_first = wanted
        steps.append(step)
    return steps


def _time_first(group: Group) -> bool:
    return group.recurrent and group.options.get("batch_first", True) is False
