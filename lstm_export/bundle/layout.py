"""The layout of a bundle folder: the one value that writing, reading and checking share."""

from __future__ import annotations

from lstm_export.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """File names inside a bundle."""

    manifest: str = "manifest.json"
    model: str = "model.onnx"
    stream: str = "stream.onnx"
    forecast: str = "forecast.onnx"
    ragged: str = "ragged.onnx"
    golden: str = "golden.npz"
    card: str = "README.md"


LAYOUT = Layout()
