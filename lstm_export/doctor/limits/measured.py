"""What was measured: `measured.json`, which `make docs-matrix` writes, a row per runtime and graph.

The rows of bundles say that the graphs are right or refused; those of traps show one construct
each, under the name that the tables give it.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lstm_export.decode import decode
from lstm_export.doctor.finding import Consequence

FILE = Path(__file__).with_name("measured.json")
Verdict = Literal["wrong", "crashed", "hung", "refused", "not asked", "within"]
OUTSIDE = "outside the contract"
"""The feature of rows whose inputs no contract allows: there a refusal is right."""

_SHOWN_BY: dict[Consequence, tuple[Verdict, ...]] = {
    "silently wrong": ("wrong",),
    "crashes": ("crashed", "hung"),
    "refuses": ("refused",),
    "inexact": ("wrong",),
    "unguarded": ("wrong", "crashed", "hung"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A runtime on a graph: `verdict` is the worst of `features`, `message` what it said there."""

    runtime: str
    graph: str
    construct: str
    """What a trap shows, by the name of its limit; empty for the graphs of bundles."""
    features: dict[str, Verdict]
    verdict: Verdict
    message: str


@dataclass(frozen=True, slots=True)
class Measured:
    """All rows, the version of every runtime, and whether the processor has bfloat16."""

    versions: dict[str, str]
    machine: str
    bfloat16: bool
    rows: tuple[Row, ...]


@functools.cache
def measured() -> Measured:
    """The file beside this one."""
    return decode(Measured, json.loads(FILE.read_text(encoding="utf-8")), FILE.name)


def shows(runtime: str, construct: str, consequence: Consequence) -> bool:
    """Whether a trap shows that `runtime` does this with `construct`.

    What is inexact in every graph needs no trap: a bundle that is off shows it.
    """
    places = (construct, "") if consequence == "inexact" else (construct,)
    return any(
        row.verdict in _SHOWN_BY.get(consequence, ())
        for row in measured().rows
        if row.runtime == runtime and row.construct in places
    )
