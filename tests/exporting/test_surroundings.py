"""What surrounds recurrent layers is exported along with them, every axis open."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import lstm_export as lx
from lstm_export.exporting.target import Target

sys.path.insert(0, str(Path(__file__).parent))
from surrounding_models import MODELS


@pytest.mark.parametrize("target", ["portable", "onnxruntime"])
@pytest.mark.parametrize("name", MODELS)
def test_models_as_people_write_them(name: str, target: Target, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, args = MODELS[name]()
    report = lx.export_onnx(module, args, tmp_path / "m.onnx", target=target)

    verification = report.verification
    assert verification is not None
    assert verification.passed
    names = {axis.name for tensor in report.inputs for axis in tensor.axes if axis.name}
    assert {"batch", "sequence_length"} <= names
    for axis, sizes in verification.sizes.items():
        assert len(set(sizes)) > 1, axis
    for tensor in report.inputs:
        for position, axis in enumerate(tensor.axes):
            if not axis.dynamic:
                assert "takes" in axis.reason or "refuses" in axis.reason, (tensor.name, position)
    assert lx.load(tmp_path / "m.onnx").contract.graph.inputs[0].name == report.inputs[0].name
