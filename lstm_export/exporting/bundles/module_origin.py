"""Where a module that is to become a bundle comes from, beyond its own code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lstm_export.bundle.manifest import WeightsOrigin
from lstm_export.exporting.verify.judge import Judge


@dataclass(frozen=True, slots=True)
class ModuleOrigin:
    """`name` is for people; `kind` is "module" for somebody's code, "checkpoint" for weights that
    were taken for layers, "torchscript" or "program" for a function that was converted.

    `notes` go before the export's own, and what `found` gives in the end behind them; a `judge`
    takes the place of the module in float64.
    """

    name: str
    kind: str = "module"
    weights: WeightsOrigin | None = None
    notes: tuple[str, ...] = ()
    judge: Judge | None = None
    found: Callable[[], tuple[str, ...]] = tuple
