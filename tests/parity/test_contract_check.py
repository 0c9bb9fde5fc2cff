"""The verifier's own idea of a forecaster's graphs, and how contracts are laid side by side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.contract import Column, Forecast, Recurrent, Scaling, Window
from lstm_export.exporting.bundles.forecast_graphs import forecast_graphs
from lstm_export.parity.contract_check import differences
from lstm_export.parity.expected import graphs_of


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lag", [0, 12])
def test_exporter_and_verifier_agree_on_the_graphs(
    cell: str, bidirectional: bool, lag: int
) -> None:
    columns = tuple(Column(name, "", 0.0, 1.0) for name in "abc")
    scaling = Scaling("none", (0.0,) * 3, (1.0,) * 3)
    terms = Forecast(
        features=columns,
        targets=columns[:2],
        window=Window(context_length=9, horizon=4, difference=lag),
        input_scaling=scaling,
        target_scaling=Scaling("none", (0.0,) * 2, (1.0,) * 2),
        recurrent=Recurrent(cell, 3, 8, 2, bidirectional, 5 if cell == "lstm" else 0),  # type: ignore[arg-type]
    )
    assert graphs_of(terms) == forecast_graphs(terms)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=1), inner),
    max_leaves=5,
)


@given(VALUES, VALUES)
def test_differences_are_empty_only_for_equal_values(one: object, other: object) -> None:
    assert differences("", one, one) == []
    if one != other:
        assert differences("", one, other)


def test_differences_name_their_place() -> None:
    one = {"a": [1, {"b": "x"}], "c": (1.0,)}
    other = {"a": [1, {"b": "y"}], "c": (1.0, 2.0)}
    assert differences("t", one, other) == [
        "t.a[1].b is 'x', not 'y'",
        "t.c has 1 entries, not 2",
    ]
    assert differences("t", {"a": 1}, {}) == ["t.a is unexpected"]
    assert differences("t", {}, {"a": None}) == ["t.a is missing"]
    assert differences("t", 1, True) == ["t is 1, not True"]
