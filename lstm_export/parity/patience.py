"""When a runtime is asked no more about a graph: a verification ends, whatever a runtime does."""

from __future__ import annotations

from collections import Counter

from lstm_export.parity.cases import CaseError

MOST_CRASHES = 3


class Patience:
    """What the runtimes did not answer of one graph so far, and who is not asked again.

    A hang takes a whole time limit, so one is enough; a crash takes another process and another
    loading, so that a few are.
    """

    def __init__(self) -> None:
        self._crashes: Counter[str] = Counter()
        self._over: dict[str, str] = {}

    def over(self, runtime: str) -> str | None:
        """Why `runtime` is asked no more, None if it is."""
        return self._over.get(runtime)

    def note(self, error: CaseError) -> None:
        """Counts a case that was asked and not answered."""
        where = f"the {error.check} case {error.case}: {error.message}"
        if error.kind == "hung":
            self._over[error.runtime] = f"it hung on {where}"
        elif error.kind == "crashed":
            self._crashes[error.runtime] += 1
            if self._crashes[error.runtime] == MOST_CRASHES:
                self._over[error.runtime] = f"it crashed {MOST_CRASHES} times, last on {where}"
