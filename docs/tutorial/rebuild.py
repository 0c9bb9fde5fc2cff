"""Runs everything that docs/tutorial.md shows, as it stands there; makes its figures and tables.

    python docs/tutorial/rebuild.py [--work FOLDER]

`make docs-tutorial` calls it; on one core it takes about half an hour. What stands in the page
between `<!-- table: NAME -->` and `<!-- end -->` is written anew, and so is a block of text right
behind one of commands or of Python. FOLDER keeps what was written and said, and a second call runs
only what it does not find there; by default the folder is a temporary one. A command that fails
ends it with exit code 1, and the page stays as it was.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from figures import FIGURES
from runs import Runs
from tables import TABLES

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "tutorial.md"
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```\n(?:^```text\n(.*?)^```\n)?", re.M | re.S)
_TABLE = re.compile(r"(<!-- table: (.*?) -->\n).*?(<!-- end -->\n)", re.S)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, help="keep here what the commands write")
    work = parser.parse_args().work
    with tempfile.TemporaryDirectory() as temporary:
        runs = Runs((work or Path(temporary)).resolve())
        page = _BLOCK.sub(lambda block: _shown(block, runs), PAGE.read_text("utf-8"))
        page = _TABLE.sub(lambda m: f"{m[1]}{TABLES[m[2]](runs)}\n{m[3]}", page)
        for name, draw in FIGURES.items():
            (HERE / f"{name}.svg").write_text(draw(runs), encoding="utf-8")
    PAGE.write_text(page, encoding="utf-8")
    return 0


def _shown(block: re.Match[str], runs: Runs) -> str:
    """The block, and what it prints where the page shows that."""
    language, code, shown = block.groups()
    printed = runs.python(code) if language == "python" else runs.shell(code)
    if shown is None:
        return block[0]
    return f"```{language}\n{code}```\n```text\n{printed.rstrip()}\n```\n"


if __name__ == "__main__":
    sys.exit(main())
