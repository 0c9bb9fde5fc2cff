"""`ragged.onnx`: a padded batch in two directions, each sequence as if it were alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from lstm_export.bundle.layout import LAYOUT
from lstm_export.compare.tensors import compare
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.exporting.bundles.forecast_graphs import export_forecast, forecast_graphs
from lstm_export.nn.forecaster import Forecaster
from lstm_export.oracle.forecaster import forecast, ragged

KINDS = {
    "lstm": (Recurrent("lstm", 2, 4, bidirectional=True), Window(6, 1)),
    "seasonal": (Recurrent("lstm", 2, 4, 2, bidirectional=True, proj_size=3), Window(6, 1, 3)),
    "direct": (Recurrent("gru", 2, 4, 2, bidirectional=True), Window(6, 5, 2)),
    "short": (Recurrent("rnn", 2, 4, bidirectional=True), Window(6, 2, 4)),
}


class Made:
    def __init__(self, kind: str) -> None:
        recurrent, window = KINDS[kind]
        columns = tuple(Column(f"c{i}", "", -2.0, 3.0) for i in range(2))
        both = Scaling("standard", (0.25, 0.5), (1.5, 2.5))
        target = Scaling("standard", (0.5,), (2.5,))
        self.terms = Forecast(columns, columns[1:], window, both, target, recurrent)
        with torch.random.fork_rng():
            torch.manual_seed(5)
            module = Forecaster(self.terms).eval()
        self.weights = {name: value.numpy() for name, value in module.state_dict().items()}
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        content = export_forecast(module, LAYOUT.ragged)
        self.session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, x: Any, lengths: Any) -> Any:
        return self.session.run(None, {"x": x, "lengths": np.array(lengths)})[0]


_made: dict[str, Made] = {}


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest) -> Made:
    kind = request.param
    if kind not in _made:
        _made[kind] = Made(kind)
    return _made[kind]


@pytest.mark.parametrize("padding", [0.0, np.nan, np.inf, 1e30])
def test_each_sequence_is_alone_whatever_stands_in_the_padding(made: Made, padding: float) -> None:
    shortest = made.terms.window.shortest
    rng = np.random.default_rng(1)
    for lengths in ([shortest + 4, shortest, shortest + 2], [shortest], [9, 9], [8, 11, 7, 9]):
        x = rng.normal(size=(len(lengths), max(lengths) + 2, 2)).astype(np.float32)
        for row, length in zip(x, lengths, strict=True):
            row[length:] = padding
        exact = np.concatenate(
            [
                forecast(made.terms, made.weights, row[None, :length])
                for row, length in zip(x, lengths, strict=True)
            ]
        )
        np.testing.assert_array_equal(ragged(made.terms, made.weights, x, np.array(lengths)), exact)
        result = compare("output", made(x, lengths), exact)
        assert result.passed, result.reason


def test_lengths_that_cannot_be_are_an_error(made: Made) -> None:
    shortest = made.terms.window.shortest
    x = np.zeros((2, shortest + 5, 2), np.float32)
    assert np.isfinite(made(x, [shortest, shortest + 5])).all()
    for length in (shortest - 1, 0, -1, -shortest, shortest + 6, shortest + 60):
        with pytest.raises(Exception, match="ONNXRuntimeError"):
            made(x, [shortest + 1, length])


def test_two_directions_alone_have_the_graph(made: Made) -> None:
    assert set(forecast_graphs(made.terms)) == {LAYOUT.model, LAYOUT.ragged}
