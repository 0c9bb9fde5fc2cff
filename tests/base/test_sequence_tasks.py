"""Bundles that classify, regress or tag after `pip install .` alone: every one of `artifacts`.

Nothing here may import torch, onnx, polars, matplotlib or hypothesis.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import lstm_export
from lstm_export.bundle.golden import read_golden
from lstm_export.cli.main import run
from lstm_export.compare.tensors import compare
from lstm_export.data.write import csv_text
from lstm_export.runtime.answer_model import AnswerModel

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


def _task(bundle: Path) -> str:
    return str(json.loads((bundle / "manifest.json").read_bytes())["task"])


BUNDLES = {
    path.parent.name: path
    for path in sorted(ARTIFACTS.glob("*/bundle"))
    if _task(path) in ("classify", "regress", "tag")
}

pytestmark = pytest.mark.skipif(not BUNDLES, reason="no such bundle in artifacts")


@pytest.fixture(scope="module", params=BUNDLES)
def bundle(request: pytest.FixtureRequest) -> Path:
    return BUNDLES[str(request.param)]


@pytest.fixture(scope="module")
def model(bundle: Path) -> AnswerModel:
    found = lstm_export.load(bundle)
    assert isinstance(found, AnswerModel)
    return found


def test_calling_the_model_gives_the_golden_values(bundle: Path, model: AnswerModel) -> None:
    golden = read_golden((bundle / "golden.npz").read_bytes(), "golden.npz")
    cases = [case for case in golden if case.graph == "model.onnx"]
    assert cases
    name = model.terms.output
    for case in cases:
        result = compare(name, model(case.inputs["x"]), case.oracle[name], case.torch[name])
        assert result.passed, result.reason


def test_predicting_a_table(
    model: AnswerModel, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sequences, columns = _table(model)
    data = tmp_path / "data.csv"
    data.write_text(csv_text(columns), encoding="utf-8")
    assert run(["predict", str(bundle), str(data)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    terms = model.terms
    names = [f"probability of {name}" for name in terms.classes]
    names = names or [f"{target.name} prediction" for target in terms.targets]
    expected = model(sequences)
    expected = np.concatenate(expected) if terms.pooling is None else expected
    got = np.array([[row[name] for name in names] for row in rows], np.float32)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def _table(model: AnswerModel) -> tuple[list[object], dict[str, list[object]]]:
    """Three sequences of 4, 2 and 7 steps, and a table of them as the model was trained on one."""
    terms, source = model.terms, model.terms.source
    assert source is not None
    if terms.vocabulary is not None:
        space = " " if terms.vocabulary.level == "word" else ""
        known = terms.vocabulary.symbols
        texts = [space.join(known[i % len(known)] for i in range(n)) + "☂" for n in (4, 2, 7)]
        return list(texts), {source.text or "": list(texts)}
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(n, len(terms.features))).round(3) for n in (4, 2, 7)]
    if source.series_id is None:
        steps = [[*one[:, 0].tolist(), *[None] * (7 - len(one))] for one in values]
        return list(values), {
            f"s{i}": list(column) for i, column in enumerate(zip(*steps, strict=True))
        }
    rows = np.concatenate(values)
    columns: dict[str, list[object]] = {
        source.series_id: [f"s{i}" for i, one in enumerate(values) for _ in one]
    }
    if source.time is not None:
        columns[source.time] = [t for one in values for t in range(len(one))]
    for i, column in enumerate(terms.features):
        columns[column.name] = rows[:, i].tolist()
    return list(values), columns
