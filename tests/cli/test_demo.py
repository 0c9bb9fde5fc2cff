"""`lstm-export demo`: what it refuses, and the whole way with few epochs."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import lstm_export.demo
from lstm_export.bench import timings
from lstm_export.cli.main import run


def test_anything_but_a_demo_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["demo", "--out", str(tmp_path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_without_the_train_extra_it_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lstm_export.demo, "find_spec", lambda name: None)
    assert run(["demo", "--out", str(tmp_path / "demo")]) == 2
    assert "pip install 'lstm-export[train]'" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


@dataclass(frozen=True)
class Found:
    """A demo that took no time."""

    passed: bool

    @property
    def parity(self) -> Found:
        return self

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed}


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_an_earlier_demo_is_replaced_and_the_verdict_is_the_exit_code(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    passed: bool,
    code: int,
) -> None:
    (tmp_path / "demo.json").write_text("{}")
    (tmp_path / "old.txt").write_text("old")
    monkeypatch.setattr(lstm_export.demo, "_run", lambda *given: Found(passed))
    assert run(["demo", "--out", str(tmp_path), "--json"]) == code
    assert json.loads(capsys.readouterr().out) == {"passed": passed, "folder": str(tmp_path)}
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_the_whole_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once each instead of often enough for a median.
    for name, brief in (
        ("measure_latency", {"seconds": 0.01}),
        ("measure_cold_start", {"starts": 1}),
    ):
        measure = functools.partial(getattr(timings, name), **brief)
        monkeypatch.setattr(timings, name, measure)
    out = tmp_path / "a demo"
    assert run(["demo", "--out", str(out), "--epochs", "2"]) == 0
    captured = capsys.readouterr()
    for words in ("seasonal naive", "worst parity error", "latency", "cold start", "next"):
        assert words in captured.out, words
    assert "6/6" in captured.err

    document = json.loads((out / "demo.json").read_text(encoding="utf-8"))
    assert set(document) == {"data", "test", "parity", "timings", "forecast", "sizes"}
    assert document["parity"]["passed"]
    assert document["test"]["model"]["sunspots"]["rmse"] > 0
    assert list(document["forecast"]) == [str(year) for year in range(2009, 2020)]
    for name in ("report.html", "forecast.csv", "run/checkpoint.json", "bundle/manifest.json"):
        assert (out / name).is_file(), name
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("<svg") == 4
    # No trace of the temporary folder in which everything was made.
    assert ".a demo." not in html + json.dumps(document)
    assert f"{out}/bundle" in html
