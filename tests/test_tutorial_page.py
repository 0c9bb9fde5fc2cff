"""docs/tutorial.md: its commands are those of the program, its code runs, its figures are there."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("torch")
import typer

from lstm_export.cli.main import app

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tutorial.md"
FIGURES = ROOT / "docs" / "tutorial"
TEXT = PAGE.read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```\n(?:^```text\n(.*?)^```\n)?", TEXT, re.M | re.S)


def commands() -> list[str]:
    return [line for kind, code, _ in BLOCKS if kind == "sh" for line in code.splitlines()]


def test_every_command_parses() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    names = set()
    for line in commands():
        words = shlex.split(line.split(" < ")[0])
        if words[0] != "lstm-export":
            assert words[0] in {"python", "tail"}, line
            continue
        command = group.commands[words[1]]
        command.make_context(words[1], words[2:])  # raises for an option that is not there
        names.add(words[1])
    assert {"data", "train", "compare", "export", "verify", "explain", "stream"} <= names


def test_the_code_that_needs_no_trained_model_gives_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    shown = 0
    for kind, code, output in BLOCKS:
        if kind != "python" or "bundles/" in code:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(PAGE), "exec"), names)
        if output:
            assert printed.getvalue() == output
            shown += 1
    assert shown == 2
    assert len((tmp_path / "growth.csv").read_text("utf-8").splitlines()) == 601


def test_the_figures_are_there_and_small() -> None:
    named = re.findall(r"^!\[.+\]\(tutorial/(.+)\)$", TEXT, re.M)
    files = {path.name: path.stat().st_size for path in FIGURES.glob("*.svg")}
    assert sorted(named) == sorted(files)
    assert sum(files.values()) < 600_000
    for name in files:
        assert "prefers-color-scheme: dark" in (FIGURES / name).read_text("utf-8")


def test_every_table_is_filled() -> None:
    tables = re.findall(r"<!-- table: [^\n]+ -->\n(.*?)\n<!-- end -->\n", TEXT, re.S)
    assert len(tables) == TEXT.count("<!-- table: ") == TEXT.count("<!-- end -->")
    assert all(table.startswith("|") for table in tables)


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "docs/tutorial.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    here = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (here / target).exists(), target


def test_the_chinese_page_has_the_links_of_the_first_screen() -> None:
    def links(page: str) -> list[str]:
        return re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text("utf-8"))

    chinese = links("README.zh.md")
    first_screen = (ROOT / "README.md").read_text("utf-8").split("## Export your own module")[0]
    assert set(re.findall(r"\]\(([^)]+)\)", first_screen)) - {"README.zh.md"} <= set(chinese)
    assert "README.zh.md" in links("README.md")
    assert "README.md" in chinese
