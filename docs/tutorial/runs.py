"""The commands of the page, and what came out of them."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Runs:
    """A folder in which the commands run, in the page's order; what they say is kept in `said/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._said = folder / "said"
        self._said.mkdir(parents=True, exist_ok=True)
        self._lines: list[str] = []
        self._program = ""

    def shell(self, code: str) -> str:
        """Runs every line of `code`; gives what all of them print."""
        lines = code.splitlines()
        self._lines += lines
        return "".join(self._once(line) for line in lines)

    def python(self, code: str) -> str:
        """Runs `code` behind the earlier blocks, whose names it uses; gives what it prints."""
        mark = "--- here the block begins ---"
        program = f"{self._program}\nprint({mark!r})\n{code}"
        self._program += code
        return self._call([sys.executable, "-c", program]).partition(f"{mark}\n")[2]

    def json(self, beginning: str) -> Json:
        """What the page's command that begins so says with --json."""
        (line,) = [line for line in self._lines if line.startswith(f"lstm-export {beginning}")]
        if beginning.startswith("explain"):  # its page is there; a comparison goes on in its folder
            line = line.partition(" --out ")[0]
        found: Json = json.loads(self._once(f"{line} --json"))
        return found

    def checkpoint(self, run: str) -> Json:
        """Of `runs/RUN`: terms, metrics, provenance."""
        text = (self.folder / "runs" / run / "checkpoint.json").read_text("utf-8")
        found: Json = json.loads(text)
        return found

    def test(self, run: str, method: str = "model") -> Json:
        """The test metrics of `runs/RUN`; of a forecaster those of its one target."""
        found: Json = self.checkpoint(run)["metrics"]["test"][method]
        only = next(iter(found.values()))
        return only if isinstance(only, dict) else found

    def epochs(self, run: str) -> list[Json]:
        """The losses of `runs/RUN`, epoch by epoch."""
        text = (self.folder / "runs" / run / "metrics.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def column(self, file: str, name: str) -> list[float]:
        """A column of numbers of a CSV file in the folder."""
        with (self.folder / file).open(encoding="utf-8") as rows:
            return [float(row[name]) for row in csv.DictReader(rows)]

    def _once(self, line: str) -> str:
        kept = self._said / f"{hashlib.sha256(line.encode()).hexdigest()[:16]}.txt"
        if not kept.exists():
            print(line, flush=True)
            printed = self._call(["bash", "-c", f"set -o pipefail\n{line}"])
            kept.write_text(printed, encoding="utf-8")
        return kept.read_text("utf-8")

    def _call(self, command: list[str]) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"PATH": path}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            raise SystemExit(f"exit code {done.returncode}: {command[-1]}")
        return done.stdout
