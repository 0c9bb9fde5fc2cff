"""The table of docs/results.md, between markers, from results.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- results: begin, written by make results -->", "<!-- results: end -->"
TITLES = {
    "japanese_vowels": "JapaneseVowels",
    "italy_power_demand": "ItalyPowerDemand",
    "recall_100": "`recall:100`, `--init chrono`",
}

Row = dict[str, Any]


def write_page(measured: dict[str, Row], page: Path) -> None:
    """Replaces what stands between the markers. Raises ValueError if they are not there."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} has no place for the table: expected {BEGIN} and {END}")
    page.write_text(f"{before}{begin}\n{table(measured)}\n{end}{after}", encoding="utf-8")


def table(measured: dict[str, Row]) -> str:
    """Markdown: a row for each case."""
    lines = [
        "| task | data | train + validate / test | model, median of seeds (min–max) | at least "
        "| 1-NN | majority or mean | weights | epochs | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(name, row) for name, row in measured.items()]
    versions = ", ".join(sorted({row["torch"] for row in measured.values()}))
    return "\n".join([*lines, "", f"torch {versions}, one core for each model."])


def _row(name: str, row: Row) -> str:
    parts, seeds, epochs = row["sequences"], row["seeds"], sorted(row["epochs"])
    trivial = [value for method, value in row["baselines"].items() if method != "1-NN"]
    cells = [
        row["task"] + (f", {row['classes']} classes" if row["classes"] else ""),
        TITLES.get(name, f"`{name}`"),
        f"{parts['train']} + {parts['validation']} / {parts['test']}",
        f"{row['measure']} **{row['median']:.4f}** ({min(seeds):.4f}–{max(seeds):.4f})",
        f"{row['bound']:g}",
        f"{row['baselines']['1-NN']:.4f}" if "1-NN" in row["baselines"] else "–",
        f"{trivial[0]:.4f}",
        f"{row['parameters']:,}",
        f"{epochs[0]}" if epochs[0] == epochs[-1] else f"{epochs[0]}–{epochs[-1]}",
        f"{row['seconds']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"
