"""docs/weights.md: what it shows is run as it stands there, and its tables are the code's."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch")
from lstm_export.cli.main import run
from lstm_export.errors import OptionError
from lstm_export.importing.layers import grammar
from lstm_export.importing.layers.layers import KINDS
from lstm_export.importing.ops.registry import OPS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "weights.md"
FIXTURES = ROOT / "tests" / "importing" / "fixtures"
Capture = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Block:
    """A fenced block of the page; `shown` is the output that stands right behind it."""

    language: str
    code: str
    line: int
    shown: str | None


def blocks(page: str) -> Iterator[Block]:
    fence = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
    found = list(fence.finditer(page))
    for match, after in zip(found, [*found[1:], None], strict=True):
        follows = after is not None and after[1] == "text" and after.start() == match.end()
        line = page[: match.start()].count("\n") + 2
        yield Block(match[1], match[2], line, after[2] if after and follows else None)


def commands(code: str) -> Iterator[tuple[list[str], int]]:
    """The words of every command in a block for the shell, and the exit code that it announces."""
    text = ""
    for line in code.splitlines(keepends=True):
        text += line
        try:
            words = shlex.split(text, comments=True)
        except ValueError:  # a quotation that goes on in the next line
            continue
        said = re.search(r"# exit code (\d)", text)
        assert words[0] == "lstm-export"
        yield words[1:], int(said[1]) if said else 0
        text = ""
    assert not text


def plain(line: str) -> str:
    """`line` without what differs from machine to machine: sizes of files, errors and bounds."""
    line = re.sub(r"[\d,]+ bytes", "N bytes", line)
    line = re.sub(r"on \d+ inputs, \d+ of them", "on N inputs, N of them", line)
    if re.search(r"\berror \d", line):
        line = re.sub(r"\b\d+(\.\d+)?(e-\d+)?\b", "N", line)
    return " ".join(line.split())


def assert_shown(shown: str, output: str, where: str) -> None:
    """Every line of `shown` is in `output`, in order; … stands for lines, or the rest of one."""
    lines, place, gap = [plain(line) for line in output.splitlines()], 0, False
    for line in map(plain, shown.splitlines()):
        if line == "…":
            gap = True
            continue
        ahead: Sequence[str] = lines[place:] if gap else lines[place : place + 1]
        start = line.removesuffix("…")
        fits = [i for i, each in enumerate(ahead) if each.startswith(start)]
        fits = [i for i in fits if ahead[i] == line or start != line]
        assert fits, f"{where}: not shown any more: {line}\n{output}"
        place, gap = place + fits[0] + 1, False
    assert gap or place == len(lines), f"{where}: more than is shown:\n{output}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")  # by torch.export's writer
def test_everything_that_the_page_shows(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in FIXTURES.glob("*.[jn]*"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    names: dict[str, object] = {"__name__": "page"}
    try:
        for block in blocks(PAGE.read_text("utf-8")):
            where, output = f"{PAGE.name}:{block.line}", ""
            if block.language == "sh":
                for words, code in commands(block.code):
                    got = run(words)
                    output += "".join(reversed(capsys.readouterr()))
                    assert got == code, f"{where}: {shlex.join(words)}\n{output}"
            elif block.code.startswith("# nets.py\n"):
                Path("nets.py").write_text(block.code, "utf-8")
            elif block.language == "python":
                exec(compile(block.code, where, "exec"), names)
                output = capsys.readouterr().out
            if block.shown is not None:
                assert_shown(block.shown, output, where)
    finally:
        sys.modules.pop("nets", None)


def test_the_grammar_is_that_of_the_code() -> None:
    assert grammar.__doc__ is not None
    rules = re.search(r"^    layers      = .*?(?=^-)", grammar.__doc__, re.MULTILINE | re.DOTALL)
    assert rules is not None
    (shown,) = (each.code for each in blocks(PAGE.read_text("utf-8")) if each.language == "ebnf")
    assert shown.strip() == textwrap.dedent(rules[0]).strip()


def rows(heading: str) -> dict[str, tuple[list[str], str]]:
    """The first table under `heading`: by its first cell the codes in the second, and the last."""
    section = PAGE.read_text("utf-8").split(f"### {heading}\n")[1]
    table = re.search(r"(^\|.*\n)+", section, re.MULTILINE)
    assert table is not None
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table[0].splitlines()[2:]]
    return {
        first.strip().strip("`"): (re.findall("`([^`]+)`", second), last.strip())
        for first, second, last in cells
    }


def spelt(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_every_layer_and_option_has_its_row() -> None:
    found = rows("Layers")
    assert list(found) == list(OPS)
    for name, op in OPS.items():
        own = [
            key if option.default is None else f"{key}={spelt(option.default)}"
            for key, option in op.options.items()
        ]
        options, words = found[name]
        assert options == [*op.takes, *own], name
        assert words


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_and_its_options(kind: str) -> None:
    found = rows("Inputs")
    assert tuple(found) == KINDS
    with pytest.raises(OptionError) as caught:
        grammar.parse(f"a:{kind}(no_such=1); lstm")
    options = [option.partition("=")[0] for option in found[kind][0]]
    expected = ", ".join(options) or "none"
    assert f"has no option no_such: expected {expected}\n" in str(caught.value)
