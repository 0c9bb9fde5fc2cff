"""What torch's two exporters, Keras and this package make of ordinary recurrent models.

Each cell is one export in a process of its own, with batch and length asked to be dynamic; its file
is run in onnxruntime at other shapes against the module under the parity rule. Prints a table and
writes docs/exporters.md. Some of the models, the last two, cannot be a file at all.

    python benchmarks/exporters.py [--jobs 2] [--only lstm,gru] [--keras torch=python --keras ...]
        [--results FILE]

`--keras BACKEND=PYTHON` adds a column for Keras on a backend, run by an interpreter that has keras,
onnxruntime and what that backend's export needs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from lstm_export.doctor.stock import Request, StockOutcome, export_apart

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "exporters.md"
MODELS = HERE / "exporter_rows" / "models.py"
PROCESS = HERE / "exporter_rows" / "process.py"
TIMEOUT = 300.0

X = ("x=2,5,3",)
ROWS: dict[str, tuple[str, tuple[str, ...]]] = {
    "lstm": ("LSTM", X),
    "gru": ("GRU", X),
    "rnn_tanh": ("RNN, tanh", X),
    "rnn_relu": ("RNN, ReLU", X),
    "stacked": ("LSTM, 3 layers, dropout", X),
    "bidirectional": ("LSTM, 2 layers, two directions", X),
    "time_major": ("LSTM, time first", ("x=5,2,3",)),
    "projected": ("LSTM with proj_size", X),
    "last_step": ("LSTM, head on the last step", X),
    "explicit_state": ("states as arguments", (*X, "state_0=2,2,8", "state_1=2,2,8")),
    "zeros_from_batch": ("zeros built from x.size(0)", X),
    "learned_state": ("learned initial state", X),
    "packed": ("packed sequences", ("x=3,5,3", "lengths:=[5,2,4]")),
    "packed_two_directions": ("packed, two directions", ("x=3,5,3", "lengths:=[5,2,4]")),
    "cell_loop": ("LSTMCell in a loop", X),
    "from_scratch": ("LSTM written out, in a loop", X),
    "attention": ("embedding, LSTM, attention", ("tokens=2,5:int64<50",)),
    "cnn_per_frame": ("CNN per frame, LSTM", ("frames=2,5,3,8,8",)),
    "max_pool": ("Conv1d, MaxPool1d, GRU", ("x=2,8,3",)),
    "encoder_decoder": ("encoder and decoder", ("source=2,5,3", "target=2,4,3")),
    "stateful": ("state kept between calls ¹", X),
    "branch_on_length": ("a branch on the length ¹", X),
}
IMPOSSIBLE = ("stateful", "branch_on_length")
KERAS_ROWS = (
    *("lstm", "gru", "rnn_tanh", "rnn_relu", "stacked", "bidirectional", "last_step"),
    *("attention", "max_pool"),
)
WORDS = {
    "right": "right",
    "bakes an axis": "**bakes a size**",
    "wrong numbers": "**wrong numbers**",
    "refuses": "refuses",
    "unrunnable": "**file does not run**",
    "crashes": "**crashes**",
    "hangs": "**never ends**",
}


def columns(keras: dict[str, str]) -> dict[str, tuple[str, int, list[str] | None]]:
    """By heading: the exporter, how often it exports, the program if it is not the package's."""
    own = [sys.executable, "-W", "ignore", str(PROCESS)]
    found: dict[str, tuple[str, int, list[str] | None]] = {
        "torch, dynamo": ("torch dynamo", 1, None),
        "torch, dynamo, second export": ("torch dynamo", 2, None),
        "torch, legacy": ("torch legacy", 1, None),
    }
    for backend, python in keras.items():
        found[f"Keras on {backend}"] = (
            f"keras {backend}",
            1,
            [python, "-W", "ignore", str(PROCESS)],
        )
    found["lstm_export"] = ("lstm_export", 1, own)
    found["lstm_export, second export"] = ("lstm_export", 2, own)
    return found


def cell(name: str, exporter: str, rounds: int, program: list[str] | None) -> StockOutcome | None:
    if exporter.startswith("keras"):
        if name not in KERAS_ROWS:
            return None
        backend = exporter.removeprefix("keras ").lower()
        # Another interpreter may have Keras and not this package.
        path = os.pathsep.join(filter(None, (str(HERE.parent), os.environ.get("PYTHONPATH"))))
        program = ["env", f"KERAS_BACKEND={backend}", f"PYTHONPATH={path}", *(program or [])]
    request = Request(f"{MODELS}:{name}", exporter, ROWS[name][1], rounds=rounds)
    return export_apart(request, timeout=TIMEOUT, program=program)


Results = dict[tuple[str, str], StockOutcome | None]


def stored(file: Path | None) -> Results:
    """The cells that an earlier run left in `file`."""
    if file is None or not file.is_file():
        return {}
    rows = json.loads(file.read_text(encoding="utf-8"))
    return {(name, heading): one and StockOutcome(**one) for name, heading, one in rows}


def store(file: Path, results: Results) -> None:
    rows = [[*cell, one and one.to_dict()] for cell, one in results.items()]
    file.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def shown(outcome: StockOutcome | None, *, impossible: bool) -> str:
    if outcome is None:
        return ""
    word = WORDS[outcome.verdict]
    if impossible and outcome.verdict == "refuses":
        word = "refuses, rightly"
    if outcome.verdict == "right" and outcome.nodes is not None and outcome.seconds is not None:
        return f"{word}, {outcome.nodes} nodes, {outcome.seconds:.1f} s"
    return word


def keras_versions(keras: dict[str, str]) -> str:
    """What the interpreters of the Keras columns have installed."""
    code = "from importlib.metadata import version; print('Keras', version('keras'))"
    found = {
        subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
        for python in keras.values()
    }
    return "".join(f", {one.strip()}" for one in sorted(found))


def page(
    headings: list[str], results: Results, names: list[str], more_versions: str
) -> Iterator[str]:
    packages = ("torch", "onnx", "onnxscript", "onnxruntime")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    yield "# What exporters make of recurrent networks"
    yield ""
    yield "Written by `python benchmarks/exporters.py`. Each cell is one export in a process of its"
    yield "own, batch and length asked to be dynamic, traced at the shapes that the script names."
    yield "The file is then run in onnxruntime at other shapes, ragged where there are lengths,"
    yield "against the module under the parity rule. *Second export* is the second one of the same"
    yield "module in one process. *Bakes a size* means right at the traced shape and at no other,"
    yield "with an error or without. Seconds are those of one export, after imports and with others"
    yield "at work beside it, so they are rough; those of lstm_export include its own verification."
    yield ""
    yield f"{versions}{more_versions}; {platform.system()} {platform.machine()}, one thread."
    yield ""
    yield f"| model | {' | '.join(headings)} |"
    yield "|---" * (len(headings) + 1) + "|"
    for name in names:
        cells = [shown(results[name, h], impossible=name in IMPOSSIBLE) for h in headings]
        yield f"| {ROWS[name][0]} | {' | '.join(cells)} |"
    possible = [name for name in names if name not in IMPOSSIBLE]
    counts = []
    for heading in headings:
        own = [one for name in possible if (one := results[name, heading]) is not None]
        counts.append(f"{sum(one.verdict == 'right' for one in own)} of {len(own)}")
    yield f"| **right and dynamic** | {' | '.join(counts)} |"
    yield ""
    yield "¹ No file can be right: what the module computes depends on more than its inputs, or two"
    yield "lengths take two paths. An error is the right answer, and these rows are not counted."
    yield ""
    yield "Keras builds the same network from its own layers and is compared with its own"
    yield "predictions; empty cells are models that its layers do not express in one line."
    yield ""
    yield "## Reasons"
    yield ""
    for heading in headings:
        rows: dict[str, list[str]] = {}
        for name in names:
            one = results[name, heading]
            if one is not None and one.verdict != "right":
                what = f"{WORDS[one.verdict].strip('*')}, {one.detail}"
                rows.setdefault(what, []).append(ROWS[name][0].rstrip(" ¹"))
        if rows:
            yield f"**{heading}**"
            yield ""
            for what, models in rows.items():
                yield f"- {'; '.join(models)}: {what}".replace("|", "\\|")
            yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare exporters on recurrent models.")
    parser.add_argument("--jobs", type=int, default=2, help="exports side by side")
    parser.add_argument("--results", type=Path, help="JSON: what it holds is not run again")
    parser.add_argument("--only", help="rows, separated by commas; then no page is written")
    parser.add_argument("--keras", action="append", default=[], metavar="BACKEND=PYTHON")
    options = parser.parse_args()
    keras = dict(one.split("=", 1) for one in options.keras)
    names = options.only.split(",") if options.only else list(ROWS)
    table = columns(keras)
    cells = [(name, heading) for name in names for heading in table]
    known = stored(options.results)
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = pool.map(
            lambda one: known[one] if one in known else cell(one[0], *table[one[1]]), cells
        )
        for (name, heading), outcome in zip(cells, outcomes, strict=True):
            known[name, heading] = outcome
            if options.results:
                store(options.results, known)
            text = (
                "-" if outcome is None else f"{shown(outcome, impossible=False)} {outcome.detail}"
            )
            print(f"{name:22} {heading:30} {text.replace('*', '')}", file=sys.stderr, flush=True)
    results = {one: known[one] for one in cells}
    lines = "\n".join(page(list(table), results, names, keras_versions(keras))).rstrip() + "\n"
    print(lines)
    if not options.only:
        PAGE.write_text(lines, encoding="utf-8")
    ours = [one for (_, heading), one in results.items() if heading.startswith("lstm_export")]
    if any(one is not None and one.verdict not in ("right", "refuses") for one in ours):
        sys.exit("lstm_export wrote a file that is not right")


if __name__ == "__main__":
    main()
