"""The verifier on prediction intervals: the run's own, in order, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lstm_export.bundle.manifest import Manifest
from lstm_export.contract import Intervals
from lstm_export.parity.contract_check import check_manifest
from lstm_export.parity.verify import verify

GOOD = Intervals((0.5, 0.9), (30, 20), (((1.0, 0.5),), ((2.0,),)))


def test_intervals_of_another_run_are_noticed(made: Any, rewrite: Callable[..., Path]) -> None:
    """The run has none, so that none of these is its own."""
    changed = rewrite(made("lstm").bundle, manifest=lambda old: replace(old, intervals=GOOD))
    assert verify(changed).passed
    report = verify(changed, against=made("lstm").run)
    assert [failure.check for failure in report.failures] == ["contract"]
    assert "the manifest is not of this run: intervals is" in str(report.failures[0])


@pytest.mark.parametrize(
    ("intervals", "message"),
    [
        (replace(GOOD, levels=(0.9, 0.5)), "do not ascend between 0 and 1"),
        (replace(GOOD, levels=(0.5, 1.0)), "do not ascend between 0 and 1"),
        (replace(GOOD, levels=(0.5,)), "1 levels of intervals, 2 widths"),
        (replace(GOOD, residuals=(30,)), "for 0.5 reach 2 steps of 1"),
        (replace(GOOD, half_widths=(((1.0,),), ((2.0, 3.0),))), "for 0.9 reach 2 steps of 1"),
        (replace(GOOD, half_widths=(((),), ((),))), "for 0.5 reach 0 steps of 2"),
        (replace(GOOD, half_widths=(((1.0,), (1.0,)), ((2.0,), (2.0,)))), "for each of 1 targets"),
        (replace(GOOD, half_widths=(((2.0,),), ((1.0,),))), "for 0.9 are narrower"),
        (replace(GOOD, half_widths=(((-1.0,),), ((1.0,),))), "for 0.5 are narrower"),
        (replace(GOOD, half_widths=(((1.0,),), ((math.nan,),))), "or not finite"),
        (replace(GOOD, half_widths=(((1.0,),), ((math.inf,),))), "or not finite"),
    ],
)
def test_intervals_that_contradict_themselves(
    made: Any, intervals: Intervals, message: str
) -> None:
    manifest = _manifest(made)
    assert check_manifest(replace(manifest, intervals=GOOD)) == []
    failures = check_manifest(replace(manifest, intervals=intervals))
    assert any(message in failure.message for failure in failures), failures


def _manifest(made: Any) -> Manifest:
    from lstm_export.bundle.read import open_bundle

    return open_bundle(made("lstm").bundle).manifest
