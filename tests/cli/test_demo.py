"""`lstm-export demo`: what it refuses, and the whole way with few epochs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lstm_export.demo
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


@pytest.mark.slow
def test_the_whole_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a demo"
    assert run(["demo", "--out", str(out), "--epochs", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"data", "test", "parity", "timings", "forecast", "sizes", "folder"}
    assert document["parity"]["passed"]
    assert document["test"]["model"]["sunspots"]["rmse"] > 0
    assert list(document["forecast"]) == [str(year) for year in range(2009, 2020)]
    for name in ("report.html", "forecast.csv", "demo.json", "run/checkpoint.json"):
        assert (out / name).is_file(), name
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.count("<svg") == 4
    # No trace of the temporary folder in which everything was made.
    assert ".a demo." not in html
    assert f"{out}/bundle" in html

    # Its own folder is replaced without being asked; the table is for people.
    assert run(["demo", "--out", str(out), "--epochs", "1"]) == 0
    captured = capsys.readouterr()
    for words in ("seasonal naive", "worst parity error", "latency", "cold start", "next"):
        assert words in captured.out, words
    assert "6/6" in captured.err
