"""`forecast.onnx`: many steps ahead in one run, held to the oracle by the parity rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.bundle.layout import LAYOUT
from lstm_export.compare.tensors import compare
from lstm_export.contract import Column, Contract, Forecast, Recurrent, Scaling, Window
from lstm_export.exporting.bundles.forecast_graphs import export_forecast, forecast_graphs
from lstm_export.exporting.feedback.steps import NARROW
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.forms import module_of
from lstm_export.nn.reference import run_module
from lstm_export.oracle.forecaster import feed_back


def terms_of(
    recurrent: Recurrent, *, lag: int = 0, targets: tuple[int, ...] = (0,), alike: bool = True
) -> Forecast:
    columns = tuple(Column(f"c{i}", "", -2.0, 3.0) for i in range(recurrent.input_size))
    offsets = tuple(0.25 * (i + 1) for i in range(len(columns)))
    scales = tuple(1.5 + i for i in range(len(columns)))
    return Forecast(
        features=columns,
        targets=tuple(columns[i] for i in targets),
        window=Window(context_length=6, horizon=1, difference=lag),
        input_scaling=Scaling("standard", offsets, scales),
        target_scaling=Scaling(
            "standard",
            tuple(offsets[i] + (0 if alike else 0.125) for i in targets),
            tuple(scales[i] * (1 if alike else 1.25) for i in targets),
        ),
        recurrent=recurrent,
    )


def module_for(terms: Forecast) -> Forecaster:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Forecaster(terms).eval()


def session_of(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def inputs_for(
    terms: Forecast, batch: int, length: int, horizon: int, spare: int = 0
) -> dict[str, Any]:
    rng = np.random.default_rng(batch + 10 * length + 100 * horizon)
    width = len(terms.features)
    inputs: dict[str, Any] = {
        "x": rng.normal(size=(batch, length, width)).astype(np.float32),
        "horizon": np.array(horizon),
    }
    if terms.known:
        shape = (batch, horizon - 1 + spare, len(terms.known))
        inputs["future"] = rng.normal(size=shape).astype(np.float32)
    return inputs


def assert_equal_to_the_oracle(terms: Forecast, cases: list[dict[str, Any]]) -> None:
    module = module_for(terms)
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    session = session_of(export_forecast(module, LAYOUT.forecast))
    spec = forecast_graphs(terms)[LAYOUT.forecast]
    for inputs in cases:
        (got,) = session.run(None, inputs)
        steps = int(inputs["horizon"])
        exact = feed_back(terms, weights, inputs["x"], steps, inputs.get("future"))
        theirs = run_module(module_of(module, LAYOUT.forecast), spec, inputs)["output"]
        result = compare("output", got, exact, theirs)
        assert result.passed, result.reason


# One operator for all steps; a loop with the head in a weight; a loop with the head as it is.
RECURRENT = [
    Recurrent("lstm", 1, 5),
    Recurrent("rnn", 2, 5),
    Recurrent("gru", 1, 5),
    Recurrent("lstm", 3, 5, 2, proj_size=3),
    Recurrent("lstm", 3, 5, 1, proj_size=3),
    Recurrent("gru", 2, NARROW + 6, 2),
    Recurrent("lstm", 4, NARROW + 6, 2, proj_size=7),
    Recurrent("rnn", 1, 9, 3),
]


@pytest.mark.parametrize("lag", [0, 1, 3])
@pytest.mark.parametrize("recurrent", RECURRENT, ids=str)
def test_every_cell_and_size(recurrent: Recurrent, lag: int) -> None:
    targets = tuple(reversed(range(max(1, recurrent.input_size - 1))))
    terms = terms_of(recurrent, lag=lag, targets=targets, alike=lag != 1)
    sizes = [(1, lag + 1, 1), (3, 9, 2), (2, 12, 13), (1, 7, 40)]
    cases = [inputs_for(terms, *size, spare=i % 2) for i, size in enumerate(sizes)]
    assert_equal_to_the_oracle(terms, cases)


@settings(deadline=None, max_examples=12)
@given(
    cell=st.sampled_from(["lstm", "gru", "rnn"]),
    layers=st.integers(1, 3),
    lag=st.integers(0, 5),
    order=st.permutations(range(3)),
    count=st.integers(1, 3),
    horizon=st.integers(1, 30),
    batch=st.integers(1, 4),
    more=st.integers(0, 9),
)
def test_any_forecaster_goes_on_as_the_oracle_does(
    cell: Any, layers: int, lag: int, order: Any, count: int, horizon: int, batch: int, more: int
) -> None:
    terms = terms_of(Recurrent(cell, 3, 4, layers), lag=lag, targets=tuple(order[:count]))
    assert_equal_to_the_oracle(terms, [inputs_for(terms, batch, lag + 1 + more, horizon)])


def test_only_models_whose_forecast_is_a_next_row_have_the_graph() -> None:
    one = terms_of(Recurrent("gru", 2, 4), targets=(1,))
    assert set(forecast_graphs(one)) == {LAYOUT.model, LAYOUT.stream, LAYOUT.forecast}
    direct = replace(one, window=Window(6, 2))
    stranger = replace(one, targets=(Column("other", "", 0.0, 1.0),))
    for terms in (direct, stranger):
        assert set(forecast_graphs(terms)) == {LAYOUT.model, LAYOUT.stream}
        with pytest.raises(ValueError, match="no next row"):
            module_of(Forecaster(terms), LAYOUT.forecast)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_file_has_every_weight_once_and_the_same_bytes(layers: int) -> None:
    terms = terms_of(Recurrent("lstm", 3, 16, layers), lag=2, targets=(2, 0))
    module = module_for(terms)
    content = export_forecast(module, LAYOUT.forecast)
    assert content == export_forecast(module, LAYOUT.forecast)
    model = onnx.load_from_string(content)
    assert (model.ir_version, model.opset_import[0].version) == (8, 18)
    stored = sum(np.prod(one.dims, dtype=int) for one in model.graph.initializer)
    trained = sum(value.numel() for value in module.state_dict().values())
    assert stored < trained + 4 * 16 + 60  # sizes, scaling, an input weight of zeros
    contract = Contract.from_json(
        {one.key: one.value for one in model.metadata_props}["lstm_export"], "it"
    )
    assert contract.graph == forecast_graphs(terms)[LAYOUT.forecast]
    loops = [node for node in model.graph.node if node.op_type in ("Scan", "Loop")]
    assert len(loops) == layers - 1
    for loop in loops:
        assert all(loop.output)
        (body,) = [one.g for one in loop.attribute if one.name == "body"]
        assert not body.initializer


@pytest.mark.parametrize("recurrent", [Recurrent("lstm", 3, 5), Recurrent("gru", 3, 5)], ids=str)
def test_what_the_graph_cannot_answer_is_an_error(recurrent: Recurrent) -> None:
    terms = terms_of(recurrent, lag=1, targets=(0,))
    session = session_of(export_forecast(module_for(terms), LAYOUT.forecast))
    inputs = inputs_for(terms, 2, 6, 5)
    assert session.run(None, inputs)[0].shape == (2, 5, 1)
    short = {**inputs, "future": inputs["future"][:, :-1]}
    for feeds in (short, {**short, "future": short["future"][:, :0]}):
        with pytest.raises(Exception, match=r"ONNXRuntimeError"):
            session.run(None, feeds)
    for steps in (0, -3):
        try:
            (got,) = session.run(None, {**inputs, "horizon": np.array(steps)})
        except Exception:  # onnxruntime's own classes: an error is as good as an empty answer
            continue
        assert got.shape == (2, 0, 1)
