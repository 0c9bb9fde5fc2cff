"""What torch's own exporters would do to a module.

Each exporter runs in a process of its own, so that neither its caches nor its crashes reach anyone,
and its file is then run in onnxruntime at other shapes against the module. A process that dies or
never ends is a result like any other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Exporter = Literal["torch dynamo", "torch legacy"]
EXPORTERS: tuple[Exporter, ...] = ("torch dynamo", "torch legacy")
Verdict = Literal[
    "right", "bakes an axis", "wrong numbers", "refuses", "unrunnable", "crashes", "hangs"
]
TIMEOUT = 180.0
"""Seconds that one exporter may take."""


@dataclass(frozen=True, slots=True)
class Request:
    """One export: `file.py:name`, its weights, its example inputs, and who exports.

    `rounds` is how often it is exported in the one process; the last file is judged.
    """

    source: str
    exporter: str
    example_shapes: tuple[str, ...]
    weights: str | None = None
    rounds: int = 1


@dataclass(frozen=True, slots=True)
class StockOutcome:
    """What came of it. `nodes` and `seconds` are of the file, where there is one."""

    exporter: str
    verdict: Verdict
    detail: str = ""
    nodes: int | None = None
    seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, under the names of the fields."""
        return asdict(self)


def export_apart(
    request: Request, *, timeout: float = TIMEOUT, program: Sequence[str] | None = None
) -> StockOutcome:
    """One export in a fresh process; `program` (default: this package's own) runs it.

    It is called with the paths of a request and of an answer, both JSON.
    """
    command = program or (sys.executable, "-W", "ignore", "-m", "lstm_export.doctor.stock_process")
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "request.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(asdict(request)), encoding="utf-8")
        # Torch's threads would wait for those of whoever else is at work.
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        try:
            done = subprocess.run(
                [*command, str(asked), str(answered)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            stage = _read(answered).get("stage", "starting")
            return StockOutcome(request.exporter, "hangs", f"{stage}: no end after {timeout:.0f} s")
        answer = _read(answered)
    if done.returncode == 0 and "verdict" in answer:
        answer.pop("stage", None)
        return StockOutcome(request.exporter, **answer)
    last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
    how = _ending(done.returncode)
    return StockOutcome(
        request.exporter,
        "crashes",
        f"{answer.get('stage', 'starting')}: the process {how}" + (f": {last}" if last else ""),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
