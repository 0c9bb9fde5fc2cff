"""Where in its author's source a node of a script comes from, as far as the archive says."""

from __future__ import annotations

import itertools
import re
from typing import Any

_FILE = re.compile(r'File "(?P<file>[^"]*)", line (?P<line>\d+)')
_MOST = 100


def place(node: Any) -> str:
    """`model.py:12: h = self.cell(x, h)`; empty where the archive has no debug records."""
    if node is None:
        return ""
    said = str(node.sourceRange()).splitlines()
    for number, text in enumerate(said):
        if match := _FILE.search(text):
            file = re.split(r"[\\/]", match["file"])[-1]
            source = _marked(said[number + 1 :])
            where = f"{file}:{match['line']}"
            return f"{where}: {source}" if source else where
    return ""


def _marked(lines: list[str]) -> str:
    """The line above the one with the marks; they may go over several."""
    for above, line in itertools.pairwise(lines):
        if re.fullmatch(r"\s*~+(\s*<--- HERE)?", line) is not None:
            return " ".join(above.split())[:_MOST]
        if _FILE.search(line):
            break
    return ""
