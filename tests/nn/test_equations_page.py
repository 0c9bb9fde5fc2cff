"""docs/cells.md: its code runs and prints what stands there, its equations are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lstm_export.nn.equations import elman, gru, lstm

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cells.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def test_the_page_s_code_prints_what_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    blocks = [match for match in BLOCK.finditer(PAGE.read_text("utf-8")) if match[1] == "python"]
    assert len(blocks) == 2
    for _, code, shown in (block.groups() for block in blocks):
        exec(compile(code, str(PAGE), "exec"), names)
        assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("heading", "module", "count"),
    [("LSTM", lstm, 6), ("GRU", gru, 4), ("Elman's network", elman, 1)],
)
def test_the_page_s_equations_are_the_code_s(heading: str, module: object, count: int) -> None:
    section = PAGE.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (block,) = (match for match in BLOCK.finditer(section) if match[1] == "text")
    code = " ".join((module.__doc__ or "").split())
    equations = [re.split(r"(?<=\S) {3,}", line)[0] for line in block[2].splitlines()]
    assert len(equations) == count
    assert [one for one in equations if " ".join(one.split()) not in code] == []
