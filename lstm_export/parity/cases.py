"""What became of one case in one runtime, as frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lstm_export.compare.result import TensorComparison
from lstm_export.parity.features import Feature

Check = Literal["checksum", "contract", "provenance", "runtime", "golden", "live", "chunked"]
"""Where a failure was seen: the files' bytes; what the graphs promise; which run they come from;
a runtime that refused or raised; stored values; a run's module and the oracle, live; chunks that
carry state against one whole run."""


@dataclass(frozen=True, slots=True)
class CaseComparison:
    """One output of one case in one runtime, judged."""

    check: Check
    runtime: str
    graph: str
    case: str
    comparison: TensorComparison
    moved: bool = False
    """Whether torch's own error is that of weights moved by one unit in the last place."""
    features: tuple[Feature, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseError:
    """A case that a runtime did not answer, or that it was not asked any more."""

    check: Check
    runtime: str
    graph: str
    case: str
    message: str
    kind: Literal["refused", "crashed", "hung", "not asked"] = "refused"
    features: tuple[Feature, ...] = ()
