"""torch's own error on more than one sample of rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.read import open_bundle
from lstm_export.checkpoint import read_checkpoint
from lstm_export.compare.rounding import BEYOND, RUNS, rejudged
from lstm_export.compare.tensors import compare_outputs
from lstm_export.parity.cases import CaseComparison
from lstm_export.parity.report import ParityReport
from lstm_export.parity.rounding import MovedWeights
from lstm_export.parity.runtimes.registry import Subject, Tensors

if TYPE_CHECKING:
    from conftest import Made


@pytest.fixture(scope="module")
def subject(made: Callable[[str], Made]) -> Subject:
    """The stream graph of a small run, and the run."""
    one = made("lstm")
    bundle = open_bundle(one.bundle)
    contract = bundle.manifest.contract(LAYOUT.stream)
    path = one.bundle / LAYOUT.stream
    return Subject(LAYOUT.stream, path.read_bytes(), path, contract, read_checkpoint(one.run))


REFERENCE = {"h": np.linspace(-1.0, 1.0, 5), "c": np.linspace(-2.0, 2.0, 5)}


def outputs(h: float, c: float) -> Tensors:
    """The reference in float32, off by `h` and `c`."""
    off = {"h": h, "c": c}
    return {name: (value + off[name]).astype(np.float32) for name, value in REFERENCE.items()}


class Answers:
    """torch's answers, counted."""

    def __init__(self, *errors: float) -> None:
        self.errors, self.asked = errors, 0

    def __iter__(self) -> Iterator[Tensors]:
        for error in self.errors:
            self.asked += 1
            yield outputs(error, 0.0)


def judged(h: float, c: float, answers: Answers) -> dict[str, object]:
    got = outputs(h, c)
    results = compare_outputs(got, REFERENCE, outputs(1e-8, 1e-8))
    return dict(rejudged(results, got, REFERENCE, iter(answers)))


def test_an_error_that_torch_makes_too_passes_as_soon_as_it_is_seen() -> None:
    answers = Answers(1e-8, 2e-6, 3e-6)
    assert set(judged(5e-6, 0.0, answers)) == {"h"}
    assert answers.asked == 2


def test_an_error_that_torch_never_makes_stays_a_failure() -> None:
    answers = Answers(1e-8, 2e-7, 3e-7)
    assert not judged(5e-6, 0.0, answers)
    assert answers.asked == 3


def test_nothing_is_asked_where_all_is_well_or_far_from_it() -> None:
    for h, c in ((1e-7, 0.0), (2e-6 * BEYOND * 1.1, 0.0), (5e-6, 1.0)):
        answers = Answers(1.0)
        assert not judged(h, c, answers)
        assert answers.asked == 0


def test_a_report_says_which_outputs_were_judged_so() -> None:
    (one, other) = compare_outputs(outputs(0, 0), REFERENCE, outputs(0, 0))
    place = ("live", "onnxruntime", "stream.onnx", "case")
    comparisons = (
        CaseComparison(*place, one, moved=True),  # type: ignore[arg-type]
        CaseComparison(*place, other),  # type: ignore[arg-type]
    )
    report = ParityReport("b", "r", ("onnxruntime",), "rule", comparisons, (), ())
    (note,) = report.notes
    assert "1 of 2 comparisons" in note
    assert f"stream.onnx {one.name}" in note
    assert report.to_dict()["notes"] == [note]


def test_weights_move_by_one_unit_in_the_last_place_and_repeatably(subject: Subject) -> None:
    from lstm_export.parity import rounding

    run = subject.checkpoint
    assert run is not None
    first, again = (rounding._moved(run, 3).weights for _ in range(2))
    for name, value in run.weights.items():
        assert np.array_equal(first[name], again[name])
        assert first[name].dtype == np.float32
        assert np.all(np.abs(first[name] - value) <= np.spacing(np.abs(value)))
        assert np.all(first[name] != value)


def test_the_copies_answer_as_the_run_does_but_for_rounding(subject: Subject) -> None:
    from lstm_export.compare.cases import stream_inputs
    from lstm_export.parity.runtimes.registry import adapter

    run = subject.checkpoint
    assert run is not None
    # States are of order one; outputs in raw units would hide a last place behind their level.
    inputs = stream_inputs(run.description.forecaster, 3, 40, "typical", "random", 0)
    plain = adapter("torch")(subject)(inputs)["final_c"]
    answers = [answer["final_c"] for answer in MovedWeights(subject, run).answers(inputs)]
    assert len(answers) == RUNS
    assert all(np.allclose(answer, plain, rtol=1e-4, atol=1e-4) for answer in answers)
    assert len({answer.tobytes() for answer in answers}) > RUNS // 2
