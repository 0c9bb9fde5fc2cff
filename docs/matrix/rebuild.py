"""Runs every runtime on every bundle and every trap, and writes what came of it.

`make docs-matrix` calls it. Two files are written: `lstm_export/doctor/limits/measured.json`, from
which `lstm-export doctor` knows what was measured, and the tables of `docs/runtimes.md`. All
runtimes have to be installed. It takes some five minutes; what it writes depends on versions and on
the processor alone. `--page` writes the tables anew from the file that is there, and runs nothing.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from graphs import WIDTH, recurrent_graph
from page import write_page
from traps import export_sequence_lens, traps
from trials import measure, outside

from lstm_export.parity.matrix import WORST_FIRST, Cell
from lstm_export.parity.runtimes import openvino
from lstm_export.parity.runtimes.interpreter import interpreter_of
from lstm_export.parity.runtimes.registry import RUNTIMES, status
from lstm_export.parity.verify import verify

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / "lstm_export" / "doctor" / "limits" / "measured.json"
PAGE = ROOT / "docs" / "runtimes.md"
OUTSIDE = "outside the contract"
LONGEST = 200

Row = dict[str, Any]


def main(arguments: list[str]) -> int:
    if "--page" not in arguments:
        found = {name: status(name) for name in RUNTIMES}
        if missing := {name: one.how_to_get for name, one in found.items() if not one.installed}:
            for name, how in missing.items():
                print(f"{name} is not installed: {how}", file=sys.stderr)
            return 1
        with tempfile.TemporaryDirectory() as folder:
            rows = [*_bundles(), *_traps(Path(folder)), *_outside(Path(folder))]
        body = {
            "versions": {name: one.version for name, one in found.items()},
            "machine": platform.machine(),
            "bfloat16": _bfloat16(),
        }
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        head = json.dumps(body, indent=1).removesuffix("\n}")
        MEASURED.write_text(f'{head},\n "rows": [\n{lines}\n]\n}}\n', encoding="utf-8")
    write_page(json.loads(MEASURED.read_text(encoding="utf-8")), PAGE)
    return 0


def _bundles() -> Iterator[Row]:
    """Every bundle in every runtime; in oracle and torch where there is a run to take weights."""
    for bundle in sorted(ROOT.glob("artifacts/*/bundle")):
        name, run = bundle.parent.name, bundle.parent / "run"
        print(name, flush=True)
        cells = [*verify(bundle, runtimes=("all",)).matrix]
        if run.is_dir():
            cells += verify(bundle, against=run, runtimes=("oracle", "torch")).matrix
        yield from _rows(cells, f"{name}/")


def _traps(folder: Path) -> Iterator[Row]:
    for trap in traps():
        print(trap.name, flush=True)
        yield from _rows(measure(trap, folder), "", trap.shows)
    bundle = export_sequence_lens(folder)
    print(bundle.name, flush=True)
    yield from _rows(verify(bundle, runtimes=("all",)).matrix, f"{bundle.name}/", "sequence_lens")


def _outside(folder: Path) -> Iterator[Row]:
    """A batch of 0, and a `future` of one step where nine are needed."""
    print(OUTSIDE, flush=True)
    path = folder / "batch-of-0.onnx"
    onnx.save(recurrent_graph(), path)
    feed = {"x": np.zeros((0, 5, WIDTH), np.float32)}
    for found in outside(path, feed, {"y": (5, 0, 4)}):
        yield _outside_row("batch-of-0", "a batch of 0", *found)
    path = ROOT / "artifacts" / "weather" / "bundle" / "forecast.onnx"
    feed = {
        "x": np.ones((2, 12, 3), np.float32),
        "horizon": np.array(10),
        "future": np.ones((2, 1, 1), np.float32),
    }
    for found in outside(path, feed, None):
        yield _outside_row("short-future", "a future that is too short", *found)


def _rows(cells: Iterable[Cell], prefix: str, construct: str = "") -> Iterator[Row]:
    """A row for each runtime and graph: its features, and what it said at the worst."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.runtime, prefix + cell.graph), []).append(cell)
    for (runtime, graph), own in groups.items():
        worst = min(own, key=lambda cell: WORST_FIRST.index(cell.verdict))
        yield {
            "runtime": runtime,
            "graph": graph,
            "construct": construct,
            "features": {cell.feature: cell.verdict for cell in own},
            "verdict": worst.verdict,
            "message": _error(worst) if worst.verdict == "wrong" else _told(worst.message),
        }


def _outside_row(graph: str, construct: str, runtime: str, verdict: str, message: str) -> Row:
    return {
        "runtime": runtime,
        "graph": graph,
        "construct": construct,
        "features": {OUTSIDE: verdict},
        "verdict": verdict,
        "message": _told(message),
    }


def _error(cell: Cell) -> str:
    """How far an answer is off, in a digit that another run gives too."""
    comparison = None if cell.worst is None else cell.worst.comparison
    error = None if comparison is None else comparison.worst_error
    if error is None:
        return _told(cell.message)
    # What was never written to is another number in every run.
    return f"off by {error:.1g}" if error < 100 else "off by 100 and more"


def _told(message: str) -> str:
    """A runtime's words without addresses, stacks, and places in its source."""
    text = re.sub(r"\| .*", "", message) if "killed by" in message else message
    text = re.sub(r": +\d+: +0x.*", "", text)
    text = re.sub(r"\S*/\S+?\.(cc|cpp|h):\d+ .*?\b([A-Z])", r"\2", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _bfloat16() -> bool:
    """Whether OpenVINO would compute in bfloat16 here if it were not told otherwise."""
    found = interpreter_of(openvino.PACKAGE)
    assert found is not None
    ask = "import openvino; print(openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'))"
    command = [found[0], "-P", "-c", ask]
    return "BF16" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
