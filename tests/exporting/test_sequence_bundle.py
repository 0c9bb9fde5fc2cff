"""Bundles of runs that classify, regress or tag: their graphs, golden values and cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstm_export.bundle.golden import read_golden
from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.read import open_bundle
from lstm_export.bundling import export_bundle
from lstm_export.contract import GraphSpec, TensorSpec

Make = Callable[..., Path]
BATCH, STEPS = "batch", "sequence_length"


def test_the_graphs_of_a_tagger_of_texts(make_sequences: Make) -> None:
    manifest = open_bundle(make_sequences("tag", text=True) / "bundle").manifest
    x = TensorSpec("x", "int64", (BATCH, STEPS))
    answer = TensorSpec("probabilities", "float32", (BATCH, STEPS, 3))
    h, c = (TensorSpec(f"initial_{name}", "float32", (2, BATCH, 5)) for name in "hc")
    after = tuple(TensorSpec(f"final_{name}", "float32", (2, BATCH, 5)) for name in "hc")
    assert manifest.task == "tag"
    assert manifest.graphs == {
        LAYOUT.model: GraphSpec((x,), (answer,)),
        LAYOUT.ragged: GraphSpec((x, TensorSpec("lengths", "int64", (BATCH,))), (answer,)),
        LAYOUT.stream: GraphSpec((x, h, c), (answer, *after)),
    }


@pytest.mark.parametrize(
    "options", [{"bidirectional": True, "pooling": "mean"}, {"pooling": "max"}], ids=str
)
def test_what_needs_whole_sequences_has_no_stream(
    make_sequences: Make, options: dict[str, object]
) -> None:
    graphs = open_bundle(make_sequences("classify", **options) / "bundle").manifest.graphs
    assert set(graphs) == {LAYOUT.model, LAYOUT.ragged}


def test_golden_cases_vary_batch_length_ends_and_padding(make_sequences: Make) -> None:
    folder = make_sequences("tag", bidirectional=True) / "bundle"
    cases = read_golden((folder / LAYOUT.golden).read_bytes(), "golden.npz")
    ragged = [case for case in cases if case.graph == LAYOUT.ragged]
    assert len({case.inputs["x"].shape[:2] for case in ragged}) == len(ragged) > 3
    assert any(len(set(case.inputs["lengths"].tolist())) > 1 for case in ragged)
    assert any(np.isnan(case.inputs["x"]).any() for case in ragged)
    for case in ragged:
        answers, lengths = case.oracle["probabilities"], case.inputs["lengths"]
        behind = np.arange(answers.shape[1]) >= lengths[:, np.newaxis]
        assert not answers[behind].any()
        assert np.allclose(answers[~behind].sum(axis=-1), 1)


def test_the_same_run_gives_the_same_bytes(make_sequences: Make, tmp_path: Path) -> None:
    folder = make_sequences("tag", text=True)
    export_bundle(folder / "run", tmp_path / "again")
    for file in (folder / "bundle").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_the_card_tells_what_goes_in_and_out(make_sequences: Make) -> None:
    card = (make_sequences("tag", text=True) / "bundle" / LAYOUT.card).read_text(encoding="utf-8")
    assert "texts, as words, in lower case" in card
    assert "3 classes: x, y, z\\|z |" in card
    assert "model.tag(x)" in card
    assert "`stream.onnx`" in card
    numbers = make_sequences("regress", features=1) / "bundle" / LAYOUT.card
    assert "power [W], heat" in numbers.read_text(encoding="utf-8")
