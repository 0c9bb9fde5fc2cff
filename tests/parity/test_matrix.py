"""The matrix of runtimes: what a trial asks for, and the verdict of every cell."""

from __future__ import annotations

import numpy as np
import pytest

from lstm_export.compare.tensors import compare
from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.errors import OptionError
from lstm_export.parity.cases import CaseComparison, CaseError
from lstm_export.parity.chosen import choose
from lstm_export.parity.features import features
from lstm_export.parity.matrix import cells, markdown
from lstm_export.parity.runtimes.registry import RUNTIMES, status

SPEC = GraphSpec(
    (
        TensorSpec("x", "float32", ("batch", "sequence_length", 2)),
        TensorSpec("tokens", "int64", ("batch", "sequence_length_1")),
        TensorSpec("lengths", "int64", ("batch",)),
        TensorSpec("initial_h", "float32", (1, "batch", 4)),
    ),
    (TensorSpec("y", "float32", ("batch", 2)),),
)


def inputs(**changed: object) -> dict[str, np.ndarray]:
    given: dict[str, object] = {
        "x": np.ones((3, 5, 2), np.float32),
        "lengths": np.full(3, 5),
        "initial_h": np.zeros((1, 3, 4), np.float32),
    }
    return {name: np.asarray(value) for name, value in {**given, **changed}.items()}


def test_what_inputs_put_to_the_test() -> None:
    assert features(inputs(), SPEC) == ("batch and length",)
    assert features(inputs(lengths=[5, 3, 1]), SPEC) == ("batch and length", "ragged lengths")
    assert "states" in features(inputs(initial_h=np.ones((1, 3, 4))), SPEC)
    assert "integer inputs" in features(inputs(tokens=np.ones((3, 4), np.int64)), SPEC)
    for scale in (1e-3, 1e3):
        assert "extreme scales" in features(inputs(x=np.full((3, 5, 2), scale)), SPEC)
    assert features(inputs(lengths=[5, 3, 1]), SPEC, chunked=True) == ("chunked",)


def result(runtime: str, got: float, feature: str = "batch and length") -> CaseComparison:
    one = compare("y", np.float32([got]), np.array([1.0]), np.float32([1.0]))
    return CaseComparison("golden", runtime, "model.onnx", "case", one, False, (feature,))  # type: ignore[arg-type]


def refusal(runtime: str, kind: str) -> CaseError:
    features = ("batch and length",)
    message = "its own words"
    return CaseError("golden", runtime, "model.onnx", "case", message, kind, features)  # type: ignore[arg-type]


def test_every_cell_has_the_worst_verdict_of_its_cases() -> None:
    comparisons = [
        *(result("right", 1.0), result("right", 1.0), result("off", 1.0), result("off", 1.5)),
        *(result("both", 1.2), result("falls", 1.0)),
    ]
    errors = [refusal("both", "refused"), refusal("falls", "crashed"), refusal("slow", "hung")]
    errors.append(refusal("loud", "refused"))
    runtimes = ["right", "off", "both", "falls", "slow", "loud", "absent"]
    tried = {"model.onnx": {"batch and length": 2, "chunked": 0}}
    found = cells(runtimes, comparisons, errors, {"absent": "pip install it"}, tried)  # type: ignore[arg-type]
    verdicts = {cell.runtime: cell.verdict for cell in found}
    assert verdicts == {
        "right": "within",
        "off": "wrong",
        "both": "wrong",
        "falls": "crashed",
        "slow": "hung",
        "loud": "refused",
        "absent": "not installed",
    }
    by_name = {cell.runtime: cell for cell in found}
    assert by_name["off"].worst is not None
    assert by_name["off"].worst.comparison.got == 1.5
    assert by_name["loud"].message == "its own words"
    assert by_name["absent"].message == "pip install it"
    table = markdown(found).splitlines()
    assert table[0] == "| runtime | batch and length |"
    assert "| off | **WRONG** |" in table
    assert "| absent | not installed |" in table


def test_who_is_asked_and_who_may_refuse() -> None:
    assert choose(["onnxruntime"], live=False).required == {"onnxruntime"}
    every = choose(["all"], live=False)
    assert "onnxruntime" in every.names
    assert "torch" not in every.names
    assert every.required == {"onnxruntime"}
    assert {*every.names, *every.absent} == set(RUNTIMES) - {"torch", "oracle"}
    assert all(every.absent.values())
    assert {"torch", "oracle"} <= set(choose(["all"], live=True).names)
    for names, message in (([], "at least one name"), (["tensorrt"], "known are oracle, torch")):
        with pytest.raises(OptionError, match=message):
            choose(names, live=False)


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_says_whether_it_is_there(name: str) -> None:
    found = status(name)
    assert found.version if found.installed else found.how_to_get
