"""Golden values under the names that tensors of other people's modules have."""

from __future__ import annotations

import numpy as np

from lstm_export.bundle.golden import GoldenCase, golden_bytes, read_golden


def test_a_tensor_may_have_a_slash_in_its_name() -> None:
    one = {"a/b": np.float32([1.0])}
    case = GoldenCase("model.onnx", "batch1", {"x/0/y": np.float32([2.0])}, one, one)
    (found,) = read_golden(golden_bytes([case]), "golden.npz")
    assert list(found.inputs) == ["x/0/y"]
    assert found.oracle["a/b"].tolist() == [1.0]
