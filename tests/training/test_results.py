"""What the tasks reach: a few steps on each embedded set, the bounds on the fast ones, the page."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lstm_export.data.embedded import EMBEDDED, dataset
from lstm_export.training.check import check
from lstm_export.training.config import resolve
from lstm_export.training.train import train

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
LABELLED = [name for name in EMBEDDED if "task" in EMBEDDED[name].options]


@pytest.fixture(scope="module")
def results() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("results")
    sys.path.remove(str(BENCHMARKS))
    for name in ("results", "results_page"):
        sys.modules.pop(name, None)


def first_sequences(name: str, count: int) -> bytes:
    """The first `count` sequences of an embedded set as CSV."""
    header, *rows = dataset(name).csv().splitlines(keepends=True)
    names = header.decode().strip().split(",")
    column = dataset(name).options.get("series_id")
    if column is None:
        return b"".join([header, *rows[:count]])
    ids = [row.split(b",")[names.index(str(column))] for row in rows]
    kept = set(list(dict.fromkeys(ids))[:count])
    return b"".join([header, *(row for row, one in zip(rows, ids, strict=True) if one in kept)])


@pytest.mark.parametrize("name", [n if n != "recall" else "recall:3" for n in LABELLED])
def test_a_few_epochs_lower_the_loss(name: str, tmp_path: Path) -> None:
    if name == "digits":
        pytest.importorskip("sklearn")
    file = tmp_path / "few.csv"
    file.write_bytes(first_sequences(name, 120))
    small = {"data": str(file), "hidden_size": 8, "epochs": 6, "schedule": "constant"}
    options = resolve({**dataset(name).options, **small})
    result = train(options, tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["train_loss"] for line in lines]
    assert losses[-1] < 0.97 * losses[0]
    for values in result.description.metrics["test"].values():
        numbers = values.values() if "accuracy" in values else values[options.target[0]].values()
        assert all(math.isfinite(number) for number in numbers)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["recall", "sum", "texts"])
def test_the_fast_sets_reach_their_bounds(name: str, results: ModuleType, tmp_path: Path) -> None:
    options = results.CASES[name].options(name, tmp_path)
    metrics = train(options, tmp_path / "run").description.metrics
    assert results.score(metrics["test"]["model"]) >= results.CASES[name].bound


def test_the_options_of_every_case_make_sense(results: ModuleType, tmp_path: Path) -> None:
    for name, case in results.CASES.items():
        check(case.options(name, tmp_path))


def test_the_page_has_the_table_of_the_file(results: ModuleType, tmp_path: Path) -> None:
    measured = json.loads(results.MEASURED.read_text("utf-8"))
    shown = results.PAGE.read_text("utf-8")
    copy = tmp_path / "results.md"
    copy.write_text(shown, "utf-8")
    results.write_page(measured, copy)
    assert copy.read_text("utf-8") == shown
    assert list(measured) == list(results.CASES)


def test_what_was_measured_reaches_the_bounds(results: ModuleType) -> None:
    for name, row in json.loads(results.MEASURED.read_text("utf-8")).items():
        assert len(row["seeds"]) == 5
        assert row["bound"] == results.CASES[name].bound
        assert row["median"] > row["bound"], name


def test_a_case_whose_files_are_absent_stays_as_it_was(
    results: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = results.MEASURED.read_bytes()
    measured, page = tmp_path / "results.json", tmp_path / "results.md"
    measured.write_bytes(before)
    page.write_bytes(results.PAGE.read_bytes())
    monkeypatch.setattr(results, "MEASURED", measured)
    monkeypatch.setattr(results, "PAGE", page)
    command = ["results.py", "--case", "japanese_vowels", "--data", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", command)
    assert results.main() == 0
    assert "japanese_vowels: left as it was: there is no JapaneseVowels" in capsys.readouterr().out
    assert measured.read_bytes() == before
    assert page.read_text("utf-8") == (ROOT / "docs" / "results.md").read_text("utf-8")
