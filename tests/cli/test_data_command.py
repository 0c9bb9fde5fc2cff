"""`lstm-export data`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lstm_export.cli.data import data
from lstm_export.data.embedded import EMBEDDED
from lstm_export.data.load import load_table
from lstm_export.errors import DataError, OutputError

app = typer.Typer()
app.command()(data)


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_it_lists_every_data_set() -> None:
    lines = call().splitlines()
    assert [line.split()[0] for line in lines] == list(EMBEDDED)
    listed = json.loads(call("--json"))["datasets"]
    assert [entry["name"] for entry in listed] == list(EMBEDDED)
    assert set(listed[0]) == {"name", "title", "unit", "source", "options"}


def test_it_writes_one(tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    assert call("sunspots", "--out", str(out)) == f"{out}\n"
    assert out.read_bytes() == EMBEDDED["sunspots"].csv()
    with pytest.raises(OutputError, match="exists already"):
        call("sine", "--out", str(out))
    written = json.loads(call("sine", "--out", str(out), "--force", "--json"))
    assert (written["rows"], written["columns"]) == (1000, ["i", "x"])
    assert out.read_bytes() == EMBEDDED["sine"].csv()


def test_the_file_is_called_for_the_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("sunspots") == "sunspots.csv\n"


@pytest.mark.parametrize(
    ("name", "file"), [("recall:3", "recall-3.csv"), ("sum:test", "sum-test.csv")]
)
def test_names_with_a_colon(
    name: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = json.loads(call(name, "--json"))
    assert (written["name"], written["file"]) == (name, file)
    assert written["sha256"] == load_table(Path(file)).sha256 == load_table(name).sha256
    with pytest.raises(DataError, match="1 to 1000"):
        call("recall:none")


def test_bad_use_gets_one_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean sunspots"):
        call("sunspot", "--out", str(tmp_path / "x.csv"))
    with pytest.raises(DataError, match="--out needs the name"):
        call("--out", "x.csv")
    assert list(tmp_path.iterdir()) == []
