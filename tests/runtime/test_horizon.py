"""Many steps ahead: inside the graph and from here, both the oracle's; what the future must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from lstm_export.bundle.layout import LAYOUT
from lstm_export.compare.tensors import compare
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.errors import InputError, OptionError
from lstm_export.oracle.forecaster import feed_back, forecast
from lstm_export.runtime import horizon as ahead
from lstm_export.runtime.forecast_model import ForecastModel
from lstm_export.runtime.load import load, load_forecaster
from lstm_export.runtime.settings import Settings

Load = Callable[[str], ForecastModel]


def rows(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def terms_of(
    recurrent: Recurrent, *, difference: int = 0, targets: tuple[int, ...] = (0,)
) -> Forecast:
    width = recurrent.input_size
    columns = tuple(Column(f"feature_{i}", "m", -2.0, 3.0) for i in range(width))
    offsets = tuple(0.25 * (i + 1) for i in range(width))
    scales = tuple(1.5 + i for i in range(width))
    return Forecast(
        features=columns,
        targets=tuple(columns[i] for i in targets),
        window=Window(context_length=6, horizon=1, difference=difference),
        input_scaling=Scaling("standard", offsets, scales),
        target_scaling=Scaling(
            "standard", tuple(offsets[i] for i in targets), tuple(scales[i] for i in targets)
        ),
        recurrent=recurrent,
    )


TERMS = {
    "one layer": terms_of(Recurrent("lstm", 1, 5)),
    "seasonal": terms_of(Recurrent("gru", 1, 5, 2), difference=3),
    "known": terms_of(Recurrent("lstm", 3, 5, proj_size=3), difference=1),
    "shuffled": terms_of(Recurrent("lstm", 4, 5, 2), difference=2, targets=(2, 0)),
}


@pytest.fixture(scope="session")
def seeded(make_bundle: Callable[[Forecast], Path]) -> Callable[[Forecast], Any]:
    """A bundle and the weights in it."""

    def make(terms: Forecast) -> Any:
        import torch

        from lstm_export.nn.forecaster import Forecaster

        with torch.random.fork_rng():
            torch.manual_seed(0)
            module = Forecaster(terms)
        weights = {name: value.numpy() for name, value in module.state_dict().items()}
        return make_bundle(terms), weights

    return make


def assert_close(got: Any, exact: Any) -> None:
    # What torch's own error is on a model of this size.
    result = compare("output", got, exact, exact.astype(np.float32), atol=2e-6, rtol=2e-6)
    assert result.passed, result.reason


@pytest.mark.parametrize("kind", TERMS)
@pytest.mark.parametrize("steps", [2, 9])
def test_graph_stream_and_model_alone_are_the_oracle(
    seeded: Any, kind: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = TERMS[kind]
    bundle, weights = seeded(terms)
    model, alone = load_forecaster(bundle), load_forecaster(bundle / "model.onnx")
    length = terms.window.history
    history, later = rows(3, length + 4, len(terms.features)), rows(3, steps, len(terms.known))
    future = {column.name: later[:, :, i] for i, column in enumerate(terms.known)} or None
    exact = feed_back(terms, weights, history[:, -length:], steps, later)
    taken: list[str] = []
    for name in ("in_graph", "from_here"):
        usual = getattr(ahead, name)
        monkeypatch.setattr(
            ahead, name, lambda *args, n=name, f=usual: (taken.append(n), f(*args))[1]
        )
    assert_close(model.forecast(history, steps, future=future), exact)
    assert taken == ["in_graph"]
    assert_close(alone.forecast(history, steps, future=future), exact)
    assert taken == ["in_graph", "from_here"]
    x = history[:, -length:]
    streamed = ahead.from_here(terms, model._graphs, model._run, x, steps, later)
    assert_close(streamed, exact)


def test_two_directions_read_their_window_anew(seeded: Any) -> None:
    terms = terms_of(Recurrent("rnn", 2, 5, bidirectional=True), difference=1)
    bundle, weights = seeded(terms)
    x, known = rows(2, terms.window.history, 2), rows(2, 5, 1)
    seen, exact = x, []
    for step in range(5):
        exact.append(forecast(terms, weights, seen[:, -terms.window.history :]))
        row = np.concatenate([exact[-1], known[:, step : step + 1]], axis=2)
        seen = np.concatenate([seen, row], axis=1)
    got = load_forecaster(bundle).forecast(x, 5, future={"feature_1": known[:, :, 0]})
    assert_close(got, np.concatenate(exact, axis=1))


@pytest.fixture(scope="session")
def known(make_bundle: Callable[[Forecast], Path]) -> ForecastModel:
    return load_forecaster(make_bundle(TERMS["known"]))


def future(*shape: int, seed: int = 1) -> dict[str, Any]:
    return {f"feature_{i}": rows(*shape, seed=seed + i) for i in (1, 2)}


def test_every_form_of_future_is_one(known: ForecastModel) -> None:
    history, given = rows(3, 9, 3), future(3, 6)
    expected = known.forecast(history, 6, future=given)
    same: list[Mapping[str, Any]] = [
        {name: values[:, :5] for name, values in given.items()},
        {
            name: np.pad(values, ((0, 0), (0, 2)), constant_values=np.nan)
            for name, values in given.items()
        },
        {name: values.astype(np.float64).tolist() for name, values in given.items()},
        dict(reversed(given.items())),
    ]
    for one in same:
        np.testing.assert_array_equal(known.forecast(history, 6, future=one), expected)
    for i in range(3):
        alone = {name: values[i] for name, values in given.items()}
        got = known.forecast(history[i], 6, future=alone)
        assert got.shape == (6, 1)
        np.testing.assert_allclose(got, expected[i], rtol=1e-5, atol=1e-6)
    shared = {"feature_1": given["feature_1"][0], "feature_2": given["feature_2"]}
    wide = {**shared, "feature_1": np.tile(given["feature_1"][0], (3, 1))}
    np.testing.assert_array_equal(
        known.forecast(history, 6, future=shared), known.forecast(history, 6, future=wide)
    )


def test_a_ragged_list_keeps_each_future_with_its_history(known: ForecastModel) -> None:
    histories = [rows(length, 3, seed=length) for length in (5, 3, 5, 6, 2, 3)]
    given = future(6, 4)
    got = known.forecast(histories, 4, future=given)
    for i, history in enumerate(histories):
        alone = {name: values[i] for name, values in given.items()}
        np.testing.assert_allclose(
            got[i], known.forecast(history, 4, future=alone), rtol=1e-5, atol=1e-6
        )
    shared = {name: values[2] for name, values in given.items()}
    got = known.forecast(histories, 4, future=shared)
    np.testing.assert_allclose(
        got[4], known.forecast(histories[4], 4, future=shared), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"feature_1": np.zeros(5)}, "feature_2 are missing; it needs feature_1, feature_2"),
        ({**future(5), "feature_3": 0}, "no feature 'feature_3', did you mean 'feature_[12]'"),
        ({**future(5), "feature_0": 0}, "'feature_0' is a target, which the model forecasts"),
        (future(4), r"future\['feature_1'\] is too short: 4 values, .* horizon of 6 needs 5"),
        (future(3, 5), r"expected \(5,\) or more values, .* or \(2, 5\), got shape \(3, 5\)"),
        (future(2, 5, 1), r"got shape \(2, 5, 1\)"),
        ({**future(5), "feature_2": 1.0}, r"future\['feature_2'\]: .*got shape \(\)"),
        ({**future(5), "feature_2": ["a"] * 5}, r"future\['feature_2'\]: expected float32"),
        ({**future(5), "feature_1": [0, 1, np.nan, 0, 0]}, r"future\['feature_1'\]: nan at \[2\]"),
        ({**future(5), "feature_1": [1e39] * 5}, "too large for float32"),
        ({**future(5), "feature_1": [[0.0], [0.0, 1.0]]}, "differ in length"),
        (np.zeros((2, 5, 2)), "expected a mapping from names to values, .* got ndarray"),
    ],
)
def test_a_future_that_does_not_fit(known: ForecastModel, given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        known.forecast(rows(2, 9, 3), 6, future=given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("nothing", [None, {}])
def test_what_is_needed_is_named(known: ForecastModel, nothing: Any) -> None:
    with pytest.raises(OptionError, match=r"values of feature_1, feature_2.*the next 5 of each"):
        known.forecast(rows(9, 3), 6, future=nothing)
    one = known.forecast(rows(9, 3), 1, future=nothing)
    np.testing.assert_array_equal(one, known.forecast(rows(9, 3), future=future(0)))


def test_others_have_no_use_for_a_future(model: Load) -> None:
    with pytest.raises(OptionError, match=r"its 3 steps at once, .* leave out future"):
        model("direct").forecast(rows(8, 2), 2, future={"feature_0": np.zeros(3)})
    with pytest.raises(InputError, match="no feature 'price'; it needs none"):
        model("plain").forecast(rows(8, 1), 4, future={"price": np.zeros(3)})
    got = model("plain").forecast(rows(8, 1), 4, future={})
    np.testing.assert_array_equal(got, model("plain").forecast(rows(8, 1), 4))


def test_a_target_that_is_no_feature_cannot_be_fed_back() -> None:
    terms = TERMS["one layer"]
    stranger = replace(terms, targets=(replace(terms.targets[0], name="other"),))
    with pytest.raises(OptionError, match="other is not among its features"):
        ahead.checked_steps(stranger, 2)


def test_values_that_are_not_finite_may_pass(make_bundle: Callable[[Forecast], Path]) -> None:
    passing = load_forecaster(make_bundle(TERMS["known"]), on_nonfinite="pass")
    given = {**future(3), "feature_1": [0.0, np.nan, 0.0]}
    got = passing.forecast(rows(9, 3), 4, future=given)
    assert np.isfinite(got[:2]).all()


def test_many_rows_are_split_with_their_future(make_bundle: Callable[[Forecast], Path]) -> None:
    split = load_forecaster(make_bundle(TERMS["known"]), settings=Settings(shards=2))
    history, given = rows(9, 9, 3), future(9, 6)
    whole = load_forecaster(make_bundle(TERMS["known"]), settings=Settings(shards=1))
    np.testing.assert_allclose(
        split.forecast(history, 6, future=given),
        whole.forecast(history, 6, future=given),
        rtol=1e-5,
        atol=1e-6,
    )


def test_the_file_alone_takes_its_inputs_by_name(make_bundle: Callable[[Forecast], Path]) -> None:
    bundle = make_bundle(TERMS["known"])
    graph = load(bundle / LAYOUT.forecast)
    history, given = rows(2, 9, 3), future(2, 3)
    stacked = np.stack(list(given.values()), axis=2)
    length = TERMS["known"].window.history
    got = graph(x=history[:, -length:], horizon=4, future=stacked)
    expected = load_forecaster(bundle).forecast(history, 4, future=given)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_an_older_bundle_goes_on_from_here(
    make_bundle: Callable[[Forecast], Path], tmp_path: Path
) -> None:
    from lstm_export.bundle.read import open_bundle
    from lstm_export.bundle.write import write_bundle

    opened = open_bundle(make_bundle(TERMS["known"]))
    manifest = opened.manifest
    graphs = {name: spec for name, spec in manifest.graphs.items() if name != LAYOUT.forecast}
    files = {name: opened.read(name) for name in manifest.files if name != LAYOUT.forecast}
    write_bundle(tmp_path / "older", replace(manifest, graphs=graphs, files={}), files)
    history, given = rows(2, 9, 3), future(2, 5)
    np.testing.assert_allclose(
        load_forecaster(tmp_path / "older").forecast(history, 6, future=given),
        load_forecaster(opened.folder).forecast(history, 6, future=given),
        rtol=1e-5,
        atol=1e-6,
    )
    assert not any(
        "Scan" in node.op_type for node in onnx.load(tmp_path / "older/model.onnx").graph.node
    )
