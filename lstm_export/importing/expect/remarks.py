"""What errors tell by where they are, when no layers fit: a start from states that nobody gave."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstm_export.importing.expect.alternatives.alternative import recurrent_steps
from lstm_export.importing.expect.carried import carried
from lstm_export.importing.expect.case import Case
from lstm_export.importing.expect.expected import Float
from lstm_export.importing.expect.judge import OutputAgreement
from lstm_export.importing.expect.unknown_start import unknown_start

_FADED = 0.1


def remarks(
    case: Case,
    outputs: Mapping[str, Float],
    results: tuple[OutputAgreement, ...],
    atol: float | None = None,
) -> tuple[str, ...]:
    """Sentences; none where the shapes differ, or nothing is to be seen."""
    if any(each.reason for each in results) or not recurrent_steps(case.layers):
        return ()
    if (found := carried(case, atol)) is not None:
        return (found,)
    if (found := unknown_start(case, atol)) is not None:
        return (found,)
    return _fading(case, outputs)


def _fading(case: Case, outputs: Mapping[str, Float]) -> tuple[str, ...]:
    """Errors that are largest at the first steps and die away."""
    for name, values in case.expected.outputs.items():
        if "sequence_length" not in case.axes[name]:
            continue
        axis = case.axes[name].index("sequence_length")
        errors = np.abs(outputs[name] - values.reshape(outputs[name].shape))
        by_step = np.moveaxis(errors, axis, 0).reshape(errors.shape[axis], -1).max(axis=1)
        quarter = len(by_step) // 4
        if quarter and by_step[-quarter:].max() <= _FADED * by_step[:quarter].max():
            return (
                f"The error of {name} is largest at the first steps ({by_step[:quarter].max():.3g})"
                f" and dies away ({by_step[-quarter:].max():.3g} at the last): the original "
                "program starts from another state than zeros. Save its states beside the inputs, "
                "as h0 and c0.",
            )
    return ()
