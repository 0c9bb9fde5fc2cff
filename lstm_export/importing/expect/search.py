"""Alternatives one by one, then two at once: which of them give what the file expects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from lstm_export.errors import CheckpointError, InputError, OptionError
from lstm_export.importing.expect.alternatives.activations import told
from lstm_export.importing.expect.alternatives.alternative import Alternative
from lstm_export.importing.expect.alternatives.registry import FAMILIES
from lstm_export.importing.expect.alternatives.rescaled import rescaled
from lstm_export.importing.expect.case import Case, case_of
from lstm_export.importing.expect.evaluate import Evaluator
from lstm_export.importing.expect.fitting import reshapes
from lstm_export.importing.expect.judge import judged
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.layers.text import to_text

MOST_PAIRS = 600
"""Pairs that are computed."""
MOST_BOUND = 2500
"""Pairs that are looked at, most of them of another shape than the file's outputs."""
_PROMISING = 8
"""Single alternatives that come nearest, each tried with all others before any other pair."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One or two alternatives at once: `text` reads back as the layers of `case`.

    `ratio` is the error in units of its bound: at most 1 where it fits, infinite where the shapes
    are others or the arrays are refused.
    """

    alternatives: tuple[Alternative, ...]
    text: str
    case: Case
    ratio: float

    @property
    def sentence(self) -> str:
        return "; and ".join(each.sentence for each in self.alternatives)


@dataclass(slots=True)
class Search:
    """What was tried. `cut` is true where the budget ended before the list did."""

    start: Case
    evaluator: Evaluator
    atol: float | None = None
    tried: list[Tried] = field(default_factory=list)
    families: dict[str, int] = field(default_factory=dict)
    cut: bool = False
    _seen: set[str] = field(default_factory=set)

    def fits(self) -> list[Tried]:
        """What agrees on the sequences looked at: of one alternative, else of two, else of three
        where the outputs themselves tell of one."""
        self._seen.add(to_text(self.start.layers))
        singles = self._singles(self.start)
        for more in (self._rescaled, self._behind_told, self._pairs):
            if (fitting := _fitting(singles)) or self.evaluator.exhausted:
                return fitting
            fitting = _fitting(list(more(singles)))
            if fitting:
                return fitting
        return []

    def _singles(self, case: Case, *before: Alternative) -> list[Tried]:
        return [
            found
            for family, others in FAMILIES.items()
            for other in others(case)
            if other.place not in [each.place for each in before]
            and (found := self._try((*before, other), family, case)) is not None
        ]

    def _behind_told(self, singles: list[Tried]) -> Iterator[Tried]:
        """One and two more beside an activation that the outputs look like: the sums of a softmax,
        say."""
        for name, values in self.start.expected.outputs.items():
            for one in singles:
                end = one.alternatives[0]
                op = one.case.layers.steps[-1].op
                if end.place == f"end {name}" and told(op, values):
                    found = self._singles(one.case, end)
                    yield from found
                    if not _fitting(found):
                        yield from self._pairs(found)
                    return

    def _rescaled(self, singles: list[Tried]) -> Iterator[Tried]:
        """What was understood, and each single alternative, with its outputs scaled."""
        before = [((), self.start), *((one.alternatives, one.case) for one in singles)]
        for alternatives, case in before:
            if not self._shapes_fit(case):
                continue
            try:
                line = rescaled(case, *self.evaluator.run(case))
            except InputError:
                continue
            if line is not None:
                found = self._try((*alternatives, line), "a factor and an offset", case)
                if found is not None:
                    yield found

    def _pairs(self, singles: list[Tried]) -> Iterator[Tried]:
        """Two alternatives with different places, the promising ones first, up to one with which
        something fits."""
        order = sorted(range(len(singles)), key=lambda i: singles[i].ratio)
        finite = [i for i in order if np.isfinite(singles[i].ratio)]
        first = finite[:_PROMISING]
        rest = [i for i in range(len(singles)) if i not in first]
        computed = looked = 0
        fitting = False
        for index in (*first, *rest):
            if fitting:
                return
            one = singles[index]
            for family, others in FAMILIES.items():
                for other in others(one.case):
                    if other.place in [each.place for each in one.alternatives]:
                        continue
                    if self.evaluator.exhausted or computed >= MOST_PAIRS or looked >= MOST_BOUND:
                        self.cut = True
                        return
                    looked += 1
                    found = self._try((*one.alternatives, other), family, one.case)
                    if found is not None:
                        computed += bool(np.isfinite(found.ratio))
                        fitting = fitting or found.ratio <= 1
                        yield found

    def _try(
        self, alternatives: tuple[Alternative, ...], family: str, before: Case | None = None
    ) -> Tried | None:
        """None for what does not fit the tensors, says nothing new, or comes after the end of the
        budget."""
        last = alternatives[-1]
        if self.evaluator.exhausted:
            self.cut = True
            return None
        text = to_text(last.layers)
        if text in self._seen:
            return None
        self._seen.add(text)
        added = {**(before.added if before else {}), **last.added}
        try:
            layers = parse(text)
            case = case_of(layers, self.start.weights, self.start.expected, added)
        except (CheckpointError, OptionError, InputError):
            return None
        self.families[family] = self.families.get(family, 0) + 1
        found = Tried(alternatives, text, case, self._ratio(case))
        self.tried.append(found)
        return found

    def _shapes_fit(self, case: Case) -> bool:
        shapes = {name: case.output_shape(name) for name in case.expected.outputs}
        return all(
            shape is None or reshapes(shape, case.expected.outputs[name].shape)
            for name, shape in shapes.items()
        )

    def _ratio(self, case: Case) -> float:
        if not self._shapes_fit(case):
            return float("inf")
        try:
            with np.errstate(all="ignore"):
                outputs, expected = self.evaluator.run(case)
        except InputError:
            return float("inf")
        return max(each.ratio for each in judged(outputs, expected, atol=self.atol))


def _fitting(tried: list[Tried]) -> list[Tried]:
    """Likely ones first, as they were tried: below its bound an error tells nothing more."""
    return [each for each in tried if each.ratio <= 1]
