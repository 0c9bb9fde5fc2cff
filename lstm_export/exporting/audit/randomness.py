"""Random numbers that a forward draws: initial states of torch.randn, dropout that stays on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lstm_export.exporting.audit.finding import Finding
from lstm_export.exporting.audit.rehearsal import Rehearsal, differ
from lstm_export.exporting.tracing.blame import Place, here

_SEED = 20011


def randomness(rehearsal: Rehearsal) -> tuple[Finding, ...]:
    """A finding for each line whose random numbers reach the results, at most one without one."""
    if not rehearsal.draws:
        return ()
    with rehearsal.from_the_start():
        rehearsal.generators.reseed(_SEED)
        with _Draws() as draws:
            other = rehearsal.perform(rehearsal.call.examples, rewind=False).outputs
    rehearsal.generators.rewind()
    if not differ(rehearsal.first.outputs, other):
        return ()
    return tuple(
        Finding(
            "randomness",
            f"{type(rehearsal.module).__name__}.forward draws random numbers{by}",
            place,
            "two calls with the same input give different results, and a graph would freeze them "
            "or draw others",
            "take what is random as an argument, start from zeros or a learned state, and give "
            "functional dropout training=self.training",
        )
        for place, by in (draws.found.items() or {None: ""}.items())
    )


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the lines of the user's code that draw from torch's generators, in this thread."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: dict[Place | None, str] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            place = here()
            self.found.setdefault(place, f" ({func._schema.name.removeprefix('aten::')})")
        return func(*args, **(kwargs or {}))
