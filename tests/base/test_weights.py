"""Somebody's weights are understood without torch; only building a bundle of them needs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from lstm_export.cli.main import run

FIXTURES = Path(__file__).resolve().parents[1] / "importing" / "fixtures"
SHAPES = {
    "rnn.weight_ih_l0": (12, 2),
    "rnn.weight_hh_l0": (12, 4),
    "rnn.bias_ih_l0": (12,),
    "rnn.bias_hh_l0": (12,),
    "fc.weight": (3, 4),
    "fc.bias": (3,),
}


def test_inspecting_needs_numpy_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    np.savez(tmp_path / "weights.npz", **arrays)  # type: ignore[arg-type]
    layers = {
        tmp_path / "weights.npz": "rnn:gru, last, fc:linear",
        FIXTURES / "amp_lstm.nam": "layers.0:lstm, layers.1:lstm, head:linear",
        FIXTURES / "guitarml_lstm.json": "rec:lstm",
    }
    for path, beginning in layers.items():
        assert run(["inspect", str(path), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["layers"].startswith(beginning), found["layers"]
        assert found["question"] is None
        assert found["unused"] == 0


def test_exporting_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # where it is installed all the same
    out = tmp_path / "bundle"
    assert run(["export", str(FIXTURES / "amp_lstm.nam"), "--out", str(out)]) == 2
    assert "pip install 'lstm-export[export]'" in capsys.readouterr().err
    assert not out.exists()
