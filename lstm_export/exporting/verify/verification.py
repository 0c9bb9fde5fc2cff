"""What a verification found, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lstm_export.compare.result import TensorComparison, json_number

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class CaseComparison:
    """One output of one trial. With `moved`, torch's own error is that of weights moved by one unit
    in the last place.
    """

    case: str
    comparison: TensorComparison
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A trial that the module itself did not take, and its reason."""

    case: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """An exported file against its module, in onnxruntime.

    `cases` are the trials that were compared and `sizes` what each dynamic axis took in them;
    `failures` what is wrong apart from numbers; `notes` what a reader must know beside the verdict.
    """

    rule: str
    cases: tuple[str, ...]
    sizes: Mapping[str, tuple[int, ...]]
    comparisons: tuple[CaseComparison, ...]
    failures: tuple[str, ...]
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing is wrong."""
        agree = all(one.comparison.passed for one in self.comparisons)
        return bool(self.comparisons) and agree and not self.failures

    @property
    def worst(self) -> CaseComparison | None:
        """The output that came closest to its bound, or exceeds it most."""
        return max(self.comparisons, key=_rank, default=None)

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong, a sentence each; disagreeing trials once per output."""
        wrong: dict[str, list[CaseComparison]] = {}
        for one in self.comparisons:
            if not one.comparison.passed:
                wrong.setdefault(one.comparison.name, []).append(one)
        found = list(self.failures)
        for name, failed in wrong.items():
            worst = max(failed, key=_rank)
            found.append(
                f"{name} is wrong in {len(failed)} of {len(self.cases)} trials; "
                f"at {worst.case}: {worst.comparison.reason}"
            )
        if not found and not self.comparisons:
            found.append("nothing was compared")
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "passed": self.passed,
            "rule": self.rule,
            "cases": list(self.cases),
            "sizes": {name: list(sizes) for name, sizes in self.sizes.items()},
            "problems": list(self.problems),
            "refused": [asdict(one) for one in self.refused],
            "notes": list(self.notes),
            "worst": None if self.worst is None else _described(self.worst),
            "comparisons": [_described(one) for one in self.comparisons],
        }

    def __str__(self) -> str:
        if not self.passed:
            shown = [*self.problems[:_SHOWN]]
            if more := len(self.problems) - _SHOWN:
                shown += [f"and {more} more"] if more > 0 else []
            return "; ".join(["not verified", *shown])
        ends = [f"{name} {_range(sizes)}" for name, sizes in self.sizes.items()]
        worst = self.worst
        assert worst is not None
        result = worst.comparison
        return (
            f"verified in onnxruntime on {len(self.cases)} trials"
            + (f" ({', '.join(ends)})" if ends else "")
            + f": worst error {result.worst_error:.2g} of {result.bound:.2g} allowed, "
            f"{result.name} at {worst.case}"
        )


def _rank(one: CaseComparison) -> tuple[bool, float]:
    return not one.comparison.passed, one.comparison.severity


def _range(sizes: tuple[int, ...]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else f"{min(sizes)} to {max(sizes)}"


def _described(one: CaseComparison) -> dict[str, Any]:
    return {
        "case": one.case,
        "moved": one.moved,
        "severity": json_number(one.comparison.severity),
        **one.comparison.to_dict(),
    }
