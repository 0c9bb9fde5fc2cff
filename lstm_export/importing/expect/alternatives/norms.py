"""What a norm adds to the variance: programs have different small numbers for it."""

from __future__ import annotations

from collections.abc import Iterator

from lstm_export.importing.expect.alternatives.alternative import Alternative
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.edits import changed
from lstm_export.importing.ops.norms import eps

NORMS = ("layer_norm", "rms_norm", "group_norm", "batch_norm")
_COMMON = (1e-3, 1e-5, 1e-6, 1e-12, 1e-8)


def norm_eps(case: Case) -> Iterator[Alternative]:
    """The same in all norms."""
    places = [i for i, s in enumerate(case.layers.steps) if s.op in NORMS]
    if not places:
        return
    now = {eps(case.description.steps[i]) for i in places}
    for value in _COMMON:
        if now == {value}:
            continue
        layers = case.layers
        for index in places:
            layers = changed(layers, index, eps=value)
        yield Alternative(f"the norms add {value:g} to the variance", layers, "eps")
