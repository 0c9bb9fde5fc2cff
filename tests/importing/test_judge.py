"""The third way: a torch module has to do what the layout of its weights in their file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lstm_export as lx
from lstm_export.errors import ParityError
from lstm_export.exporting.verify.judge import misreading
from lstm_export.importing.modules import recurrent

FIXTURES = Path(__file__).resolve().parent / "fixtures"


def test_weights_in_the_wrong_place_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch's float64 and ONNX would agree with each other: only the source's layout tells."""

    monkeypatch.setitem(recurrent._KERAS_GATES, "lstm", "ifog")
    with pytest.raises(ParityError, match="weights were put in the wrong place"):
        lx.export_bundle(FIXTURES / "rtneural_lstm.json", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_bias_that_is_left_out_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lstm_export.importing.modules import dense

    torch.manual_seed(0)
    torch.save({f"fc.{k}": v for k, v in nn.Linear(4, 2).state_dict().items()}, tmp_path / "fc.pt")
    state = torch.load(tmp_path / "fc.pt", weights_only=True)
    lstm = {f"lstm.{k}": v for k, v in nn.LSTM(3, 4).state_dict().items()}
    torch.save({**lstm, **state}, tmp_path / "w.pt")
    whole = dense.fill

    def without_bias(module: nn.Module, **values: object) -> None:
        whole(module, **{**values, "bias": np.zeros(2)} if "bias" in values else values)

    monkeypatch.setattr(dense, "fill", without_bias)
    with pytest.raises(ParityError, match="away from the source's own arrangement"):
        lx.export_bundle(tmp_path / "w.pt", tmp_path / "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fc.pt", "w.pt"]


def test_what_the_judge_lets_pass_and_what_not() -> None:
    exact = {"y": np.array([1.0, -2.0])}
    torchs = {"y": np.array([1.0, -2.0], np.float32)}
    assert misreading("case", exact, {"y": exact["y"] * (1 + 1e-12)}, torchs) is None
    assert "2e-06 away" in str(misreading("case", exact, {"y": exact["y"] + 2e-6}, torchs))
    # What amplifies rounding does so in both precisions.
    rough = {"y": np.array([1.5, -2.0], np.float32)}
    assert misreading("case", exact, {"y": exact["y"] + 1e-7}, rough) is None
    assert "the shape (2,)" in str(misreading("case", exact, {"y": np.zeros((2, 1))}, torchs))
    holes = {"y": np.array([np.nan, -2.0])}
    assert "not finite in different places" in str(misreading("case", exact, holes, torchs))
    assert misreading("case", holes, holes, torchs) is None
