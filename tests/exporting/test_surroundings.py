"""What surrounds recurrent layers is exported along with them, every axis open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch

import lstm_export as lx
from lstm_export.exporting.report import ExportReport
from lstm_export.exporting.target import Target

sys.path.insert(0, str(Path(__file__).parent))
from surrounding_models import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_models_as_people_write_them(
    name: str, export_for_each: Callable[..., dict[Path, ExportReport]]
) -> None:
    torch.manual_seed(0)
    module, args = MODELS[name]()
    for path, report in export_for_each(module, args, get_args(Target)).items():
        verification = report.verification
        assert verification is not None
        assert verification.passed
        names = {axis.name for tensor in report.inputs for axis in tensor.axes if axis.name}
        assert {"batch", "sequence_length"} <= names
        for axis, sizes in verification.sizes.items():
            assert len(set(sizes)) > 1, axis
        for tensor in report.inputs:
            for place, axis in enumerate(tensor.axes):
                if not axis.dynamic:
                    assert "takes" in axis.reason or "refuses" in axis.reason, (tensor.name, place)
        assert lx.load(path).contract.graph.inputs[0].name == report.inputs[0].name
