"""The tables of docs/runtimes.md, between markers, from measured.json."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lstm_export.parity.matrix import WORST_FIRST

BEGIN, END = "<!-- {}: begin, written by make docs-matrix -->", "<!-- {}: end -->"
WORDS = {"wrong": "**WRONG**", "within": "within", "crashed": "**crashed**", "hung": "**hung**"}
OUTSIDE = "outside the contract"

Row = dict[str, Any]


def write_page(measured: dict[str, Any], page: Path) -> None:
    """Replaces what stands between the markers of each table."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables(measured).items():
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{table}\n{end}{after}"
    page.write_text(text, encoding="utf-8")


def tables(measured: dict[str, Any]) -> dict[str, str]:
    """Markdown by the name of its markers."""
    rows, versions = measured["rows"], measured["versions"]
    bundles = [row for row in rows if not row["construct"] and "/" in row["graph"]]
    outside = [row for row in rows if OUTSIDE in row["features"]]
    shown = [row for row in rows if row not in bundles and row not in outside]
    return {
        "bundles": _bundles(bundles, versions),
        "exceptions": _exceptions(bundles, versions),
        "traps": _traps(shown),
        "outside": _traps(outside),
        "machine": _machine(measured),
    }


def _bundles(rows: list[Row], versions: dict[str, str]) -> str:
    names = list(dict.fromkeys(_bundle(row) for row in rows))
    lines = [f"| runtime | version | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    for runtime, version in versions.items():
        cells = []
        for name in names:
            own = [row for row in rows if row["runtime"] == runtime and _bundle(row) == name]
            cells.append(_worst(own))
        lines.append(f"| {runtime} | {version} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _worst(rows: list[Row]) -> str:
    """The worst verdict, with the graphs that have it if others are better."""
    if not rows:
        return "–"
    worst = min((row["verdict"] for row in rows), key=WORST_FIRST.index)
    having = [row["graph"].partition("/")[2] for row in rows if row["verdict"] == worst]
    named = "" if len(having) == len(rows) else f": {', '.join(having)}"
    return WORDS.get(worst, worst) + named


def _exceptions(rows: list[Row], versions: dict[str, str]) -> str:
    """Each runtime's words, once, with the graphs that they were said of."""
    said: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row["verdict"] != "within":
            said.setdefault((row["runtime"], row["verdict"], row["message"]), []).append(row)
    lines = []
    for (runtime, verdict, message), own in said.items():
        features = [f for row in own for f, v in row["features"].items() if v == verdict]
        every = {f for row in own for f in row["features"]}
        when = "" if set(features) == every else f" ({', '.join(dict.fromkeys(features))})"
        graphs = ", ".join(dict.fromkeys(row["graph"] for row in own))
        words = f"`{message.replace('`', chr(39))}`"
        lines.append(f"- {runtime} {versions[runtime]}: {verdict}, {graphs}{when}: {words}")
    return "\n".join(lines) or "None."


def _traps(rows: list[Row]) -> str:
    """A row for each trap: who does what, those that are right left out."""
    lines = ["| graph | shows | wrong | crashed or hung | refused |", "|---|---|---|---|---|"]
    for graph in dict.fromkeys(row["graph"] for row in rows):
        own = [row for row in rows if row["graph"] == graph]
        columns = [
            _who(row for row in own if row["verdict"] in verdicts)
            for verdicts in (("wrong",), ("crashed", "hung"), ("refused",))
        ]
        shows = own[0]["construct"] or "nothing: the portable graph"
        lines.append(f"| {graph} | {shows} | {' | '.join(columns)} |")
    return "\n".join(lines)


def _who(rows: Iterable[Row]) -> str:
    said = []
    for row in rows:
        off = row["message"] if row["message"].startswith("off by") else ""
        said.append(f"{row['runtime']} ({off})" if off else row["runtime"])
    return ", ".join(said)


def _machine(measured: dict[str, Any]) -> str:
    has = "has" if measured["bfloat16"] else "does not have"
    return f"Measured on {measured['machine']}, on a processor that {has} bfloat16: " + (
        "there `openvino-default` computes in it."
        if measured["bfloat16"]
        else "there `openvino-default` computes in float32 like `openvino`. On one that has it, "
        "errors are 5e-4 to 5e-3, and `verify` says wrong."
    )


def _bundle(row: Row) -> str:
    name: str = row["graph"].partition("/")[0]
    return name
