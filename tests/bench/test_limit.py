"""The yardsticks: graphs of one node that compute what they say, and the floors made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from lstm_export.bench.limit import Peak, better_peak, recurrent_flops
from lstm_export.bench.onnx_bytes import identity_graph, multiplication_graph
from lstm_export.bundle.onnx_file import parse_onnx, read_onnx


def run(content: bytes, x: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("axes", [1, 3])
def test_the_identity(axes: int) -> None:
    x = np.arange(2.0**axes, dtype=np.float32).reshape([2] * axes)
    assert np.array_equal(run(identity_graph(axes), x), x)


def test_the_multiplication() -> None:
    rng = np.random.default_rng(0)
    matrix, x = (rng.normal(size=size).astype(np.float32) for size in ((130, 7), (3, 130)))
    content = multiplication_graph(matrix)
    np.testing.assert_allclose(run(content, x), x @ matrix, rtol=1e-5, atol=1e-5)
    # Our own reader agrees.
    (weights,) = parse_onnx(content, "here").graph.initializers.values()
    assert np.array_equal(weights.data, matrix)


def test_flops_are_two_a_weight_row_and_step(module_bundle: Path) -> None:
    lower = 4 * 6 * (5 + 6) + 4 * 6 * (6 + 6)
    upper = 2 * 3 * 4 * (6 + 4)
    found = recurrent_flops(read_onnx(module_bundle / "model.onnx"), 3, 11)
    assert found == 2 * 3 * 11 * (lower + upper)


def test_the_higher_floor_holds() -> None:
    peak = Peak(flops_one_thread=1e9, flops_all_threads=3e9, threads=4, call=1e-5)
    assert peak.floor(10.0) == 1e-5
    assert peak.floor(3e9) == 1.0
    assert peak.floor(3e9, threads=1) == 3.0


def test_what_hides_the_peak_does_not_count() -> None:
    one, other = Peak(2.0, 3.0, 4, 1e-5), Peak(1.0, 5.0, 4, 2e-5)
    assert better_peak(one, other) == Peak(2.0, 5.0, 4, 1e-5)
    assert better_peak(None, other) == other
