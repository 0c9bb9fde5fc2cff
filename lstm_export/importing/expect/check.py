"""The entry: understood layers against a user's inputs and outputs, and why they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from lstm_export.errors import InputError, MissingExtraError, OptionError
from lstm_export.importing.build import build
from lstm_export.importing.expect.agreement import Agreement, Fit
from lstm_export.importing.expect.case import Case, Weights, case_of
from lstm_export.importing.expect.evaluate import Evaluator
from lstm_export.importing.expect.expected import Expected, Float
from lstm_export.importing.expect.judge import OutputAgreement, judged
from lstm_export.importing.expect.remarks import remarks
from lstm_export.importing.expect.search import Search, Tried
from lstm_export.importing.layers.layers import Layers
from lstm_export.importing.raw import Array, RawLayer
from lstm_export.importing.reference import run

MOST_FITS = 4
_ROUNDING = 100.0
"""Errors of so many times the bound are no rounding: torch's own is not asked for."""


def check(
    understood: Layers,
    tensors: Mapping[str, Array],
    declared: Iterable[RawLayer],
    expected: Expected,
    *,
    atol: float | None = None,
) -> Agreement:
    """The float64 equations of `understood` over the raw `tensors`, beside what is `expected`.

    `declared` are the layers that the file describes itself. `atol` replaces the bound of `judge`.
    Where the numbers disagree, alternatives are searched for. Raises CheckpointError for layers
    that do not fit the tensors, InputError for arrays that do not fit the layers or that a step
    refuses, OptionError for a tolerance that is none.
    """
    if atol is not None and not (np.isfinite(atol) and atol >= 0):
        raise OptionError(f"atol: expected a finite number ≥ 0, got {atol!r}")
    case = case_of(understood, Weights(_in_float64(tensors), tuple(declared)), expected)
    outputs, results = _judged(case, atol)
    if all(each.passed for each in results):
        return Agreement(expected.source, True, results, expected.notes)
    search = Search(case, Evaluator(), atol)
    fits = [found for found in search.fits() if _holds(found, atol)]
    simplest = [found for found in fits if len(found.alternatives) == 1] or fits
    said = remarks(case, outputs, results, atol) if not fits else ()
    # A line comes near to anything.
    unscaled = [found for found in search.tried if found.alternatives[-1].place != "scale"]
    nearest = min(unscaled, key=lambda found: found.ratio, default=None)
    return Agreement(
        expected.source,
        False,
        results,
        expected.notes,
        tuple(map(_fit, simplest[:MOST_FITS])),
        max(0, len(simplest) - MOST_FITS),
        _fit(nearest) if nearest is not None and np.isfinite(nearest.ratio) and not fits else None,
        tuple(search.families.items()),
        search.cut,
        said,
    )


def _in_float64(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """As the equations have them, so that each of many variants need not convert them again."""
    return {
        name: array.astype(np.float64) if array.dtype.kind == "f" else array
        for name, array in tensors.items()
    }


def _fit(found: Tried) -> Fit:
    return Fit(found.sentence, found.text, found.ratio)


def _holds(found: Tried, atol: float | None) -> bool:
    """Whether the layers agree on all sequences, by `reference.run`."""
    try:
        _, results = _judged(found.case, atol)
    except InputError:
        return False
    return all(each.passed for each in results)


def _judged(case: Case, atol: float | None) -> tuple[dict[str, Float], tuple[OutputAgreement, ...]]:
    """Outputs and what is said of them; torch's own error counts where it can decide."""
    # What is not finite then counts as an infinite error.
    with np.errstate(all="ignore"):
        outputs = run(case.description, case.feeds)
    results = judged(outputs, case.expected, atol=atol)
    worst = max(each.ratio for each in results)
    if atol is None and 1 < worst <= _ROUNDING:
        results = judged(outputs, case.expected, own_errors(case, outputs))
    return outputs, results


def own_errors(case: Case, outputs: Mapping[str, Float]) -> dict[str, float]:
    """How far torch's float32 is from `outputs`, by output; none where torch is not installed."""
    try:
        module = build(case.description)
    except MissingExtraError:
        return {}
    import torch

    feeds = [
        torch.from_numpy(np.ascontiguousarray(case.feeds[each.name]).astype(
            np.int64 if each.kind in ("ids", "lengths") else np.float32
        ))
        for each in case.description.inputs
    ]  # fmt: skip
    with torch.inference_mode():
        given = module(*feeds)
    theirs = given if isinstance(given, dict) else {case.description.outputs[0]: given}
    return {
        name: float(np.abs(theirs[name].numpy() - values).max()) for name, values in outputs.items()
    }
