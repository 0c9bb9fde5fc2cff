"""What came of comparing: data, and the one message where numbers disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_export.errors import ParityError
from lstm_export.importing.expect.judge import OutputAgreement


@dataclass(frozen=True, slots=True)
class Fit:
    """Other layers that give what the file expects, or come nearest to it.

    `sentence` says what is different; `text` is the layer string to copy. `ratio` is the error in
    units of its bound.
    """

    sentence: str
    text: str
    ratio: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {"sentence": self.sentence, "layers": self.text, "error_over_bound": self.ratio}


@dataclass(frozen=True, slots=True)
class Agreement:
    """The understood layers beside a user's outputs.

    Where they do not agree, `fits` are other layers that do, the simplest first, `more` counts
    those beyond them; `nearest` is the best of what was tried where none fits. `tried` counts
    alternatives by family, and `cut` says that time ended the search before its list. `remarks`
    are what the errors themselves tell.
    """

    source: str
    passed: bool
    outputs: tuple[OutputAgreement, ...]
    notes: tuple[str, ...] = ()
    fits: tuple[Fit, ...] = ()
    more: int = 0
    nearest: Fit | None = None
    tried: tuple[tuple[str, int], ...] = ()
    cut: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line on the outputs that agree, or do not."""
        parts = [f"{each.name}: {_said(each)}" for each in self.outputs if not each.passed]
        if self.passed:
            parts = [
                f"{each.name}: error {each.error:.3g}, allowed {each.bound:.3g} ({each.rule})"
                for each in self.outputs
            ]
        return "; ".join(parts)

    @property
    def said(self) -> tuple[str, ...]:
        """What a report says of outputs that agree."""
        return (f"{self.source} agrees: {self.summary}", *self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "source": self.source,
            "passed": self.passed,
            "outputs": [each.to_dict() for each in self.outputs],
            "notes": list(self.notes),
            "fits": [each.to_dict() for each in self.fits],
            "more_fits": self.more,
            "nearest": self.nearest.to_dict() if self.nearest else None,
            "tried": dict(self.tried),
            "cut": self.cut,
            "remarks": list(self.remarks),
        }


def require_agreement(agreement: Agreement) -> None:
    """Raises ParityError, with what fits instead, unless the numbers agree."""
    if not agreement.passed:
        raise ParityError(message(agreement))


def message(agreement: Agreement) -> str:
    """Why the numbers disagree, as far as it was found, and what to do."""
    lines = [f"{agreement.source} does not agree with what was understood.", agreement.summary]
    lines += list(agreement.remarks)
    if agreement.fits:
        lines += _fitting(agreement)
    elif agreement.tried:
        lines += _nothing(agreement)
    lines += [f"note: {note}" for note in agreement.notes]
    return "\n  ".join(lines)


def _fitting(agreement: Agreement) -> list[str]:
    fits = agreement.fits
    if len(fits) == 1:
        return [f"This fits: {fits[0].sentence}. Use", f'--layers "{_quoted(fits[0].text)}"']
    more = f", and {agreement.more} more" if agreement.more else ""
    lines = [f"These fit, and these data cannot tell them apart{more}:"]
    for fit in fits:
        lines += [f"- {fit.sentence}", f'  --layers "{_quoted(fit.text)}"']
    return [*lines, "Choose by what the original program does, or give more varied data."]


def _nothing(agreement: Agreement) -> list[str]:
    count = sum(number for _, number in agreement.tried)
    families = ", ".join(name for name, _ in agreement.tried)
    lines = [f"None of {count} alternatives fits, alone or together ({families})."]
    if agreement.cut:
        lines.append("Not every pair was tried: fewer or shorter sequences leave time for more.")
    nearest = agreement.nearest
    own = max((each.ratio for each in agreement.outputs), default=np.inf)
    if nearest is not None and nearest.ratio < own:
        lines += [
            f"Nearest, at {nearest.ratio:.3g} times the error allowed: {nearest.sentence}:",
            f'--layers "{_quoted(nearest.text)}"',
        ]
    elif np.isfinite(own):
        lines.append(f"Nearest is what was understood, at {own:.3g} times the error allowed.")
    if np.isfinite(own) and all(e.error <= 0.01 * e.largest for e in agreement.outputs):
        lines.append(
            "So near, the function is probably right: were the outputs made with these weights, in "
            "float32, and from the same inputs? A tolerance can be given."
        )
    else:
        lines.append(
            "Were the outputs made with these weights, in eval mode, from these very inputs "
            "(scaled in the same way)? If so, describe the function with --layers."
        )
    return lines


def _said(each: OutputAgreement) -> str:
    if each.reason:
        return each.reason
    return (
        f"error {each.error:.3g} at {list(each.place)} (expected {each.expected:.7g}, got "
        f"{each.got:.7g}), allowed {each.bound:.3g} ({each.rule})"
    )


def _quoted(text: str) -> str:
    """For a shell, between double quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
