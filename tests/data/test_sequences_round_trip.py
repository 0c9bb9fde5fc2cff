"""Random labelled sequences, written as CSV and read back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.data.csv_reader import read_csv
from lstm_export.data.sequences.read import read_sequences
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.write import csv_text

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LABELS = (
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).map(str.strip).filter(bool)
)
ROW = st.tuples(NUMBERS, NUMBERS)
SEQUENCES = st.lists(st.lists(ROW, min_size=1, max_size=5), min_size=2, max_size=6)


def read(columns: dict[str, list[Any]], task: Any, **options: Any) -> SequenceSet:
    table = read_csv("t.csv", csv_text(columns).encode(), "0" * 64)
    return read_sequences(table, task, target=["label"], **options)


@given(SEQUENCES, st.data())
def test_long_tables_in_any_order_of_their_rows(sequences: list[Any], data: st.DataObject) -> None:
    labels = data.draw(st.lists(LABELS, min_size=len(sequences), max_size=len(sequences)))
    rows = [
        (f"s{i}", t, u, v, labels[i])
        for i, sequence in enumerate(sequences)
        for t, (u, v) in enumerate(sequence)
    ]
    rows = data.draw(st.permutations(rows))
    columns = dict(
        zip(["id", "t", "u", "v", "label"], map(list, zip(*rows, strict=True)), strict=True)
    )
    found = read(columns, "classify", series_id="id", time="t", role="test")
    assert found.names == tuple(dict.fromkeys(columns["id"]))
    assert found.values is not None
    assert found.labels is not None
    assert found.features == ("u", "v")
    for k, (name, (start, stop)) in enumerate(
        zip(found.names, pairwise(found.starts.tolist()), strict=True)
    ):
        i = int(name[1:])
        assert [tuple(row) for row in found.values[start:stop].tolist()] == sequences[i]
        assert found.labels[k] == labels[i]


@given(st.lists(st.tuples(LABELS, st.lists(NUMBERS, min_size=1, max_size=6)), min_size=1))
def test_wide_tables(sequences: list[tuple[str, list[float]]]) -> None:
    width = max(len(row) for _, row in sequences)
    columns: dict[str, list[Any]] = {"label": [label for label, _ in sequences]}
    for k in range(width):
        columns[f"v{k}"] = [row[k] if k < len(row) else None for _, row in sequences]
    found = read(columns, "classify", role="test")
    assert found.labels == tuple(label for label, _ in sequences)
    assert found.values is not None
    parts = np.split(found.values[:, 0], found.starts[1:-1])
    assert [part.tolist() for part in parts] == [row for _, row in sequences]


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1))
def test_tables_of_texts(pairs: list[tuple[str, str]]) -> None:
    columns = {"text": [text for text, _ in pairs], "label": [label for _, label in pairs]}
    found = read(columns, "classify", text="text", role="test")
    assert list(zip(found.texts or (), found.labels or (), strict=True)) == pairs


@given(SEQUENCES, st.data())
def test_taking_sequences_takes_their_rows_and_labels(
    sequences: list[Any], data: st.DataObject
) -> None:
    rows = [(f"s{i}", u, f"{i} {u}") for i, sequence in enumerate(sequences) for u, _ in sequence]
    columns = dict(zip(["id", "u", "label"], map(list, zip(*rows, strict=True)), strict=True))
    whole = read(columns, "tag", series_id="id", role="test")
    chosen = data.draw(st.lists(st.integers(0, len(sequences) - 1)))
    some = whole.take(np.array(chosen, dtype=np.int64))
    assert some.names == tuple(f"s{i}" for i in chosen)
    assert some.values is not None
    expected = [u for i in chosen for u, _ in sequences[i]]
    assert some.values[:, 0].tolist() == expected
    assert some.lengths.tolist() == [len(sequences[i]) for i in chosen]
    assert some.labels == tuple(f"{i} {u}" for i in chosen for u, _ in sequences[i])
