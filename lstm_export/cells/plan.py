"""Which runs a comparison is made of: every cell with every seed, on data that is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast, get_args

from lstm_export.data.embedded import known
from lstm_export.errors import OptionError
from lstm_export.training.check import check
from lstm_export.training.config import read_toml, resolve
from lstm_export.training.options import TrainCell, TrainOptions

CELLS: tuple[TrainCell, ...] = ("rnn", "gru", "lstm")
SEEDS, SEEDS_OF_A_SWEEP = 5, 3
BUDGET = 1000
"""Steps of the optimiser that each run has, where nobody says how long to train."""
SWEPT = "recall"
"""The data set whose T `--steps` sweeps."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a comparison."""

    cell: TrainCell
    seed: int
    steps: int | None
    """T of `recall:T`; None where it is not swept."""

    @property
    def name(self) -> str:
        """What its folder is called."""
        place = "" if self.steps is None else f"T{self.steps}-"
        return f"{place}{self.cell}-seed{self.seed}"

    def __str__(self) -> str:
        place = "" if self.steps is None else f", T = {self.steps}"
        return f"{self.cell}{place}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The options that all runs share, and what differs between them."""

    options: TrainOptions
    """Its cell and its seed are of no meaning."""
    cells: tuple[TrainCell, ...]
    seeds: tuple[int, ...]
    steps: tuple[int, ...] = ()
    """Values of T in `recall:T`; empty: the data as it is."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """The hidden size of each cell, where they differ."""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Every run, those of one T together."""
        return tuple(
            Trial(cell, seed, steps)
            for steps in self.steps or (None,)
            for seed in self.seeds
            for cell in self.cells
        )

    def of(self, trial: Trial) -> TrainOptions:
        """What `trial` is trained with."""
        size = self.sizes.get(trial.cell, self.options.hidden_size)
        options = replace(self.options, cell=trial.cell, seed=trial.seed, hidden_size=size)
        if trial.steps is not None:
            options = replace(options, data=f"{SWEPT}:{trial.steps}")
        if options.init == "chrono" and options.recurrent_cell == "rnn":
            options = replace(options, init="default")
        return options

    @property
    def notes(self) -> tuple[str, ...]:
        """Where not quite everything is the same."""
        found = []
        if self.sizes:
            sizes = ", ".join(f"{cell} {size}" for cell, size in self.sizes.items())
            found.append(f"hidden sizes, for about as many parameters: {sizes}")
        plain = [cell for cell in self.cells if cell.startswith("rnn")]
        if self.options.init == "chrono" and plain:
            found.append(
                f"{plain[0]} has no gates that --init chrono could set: it begins as by default"
            )
        return tuple(found)


def plan_of(
    flags: Mapping[str, Any],
    config: Path | None = None,
    *,
    cells: Sequence[str] = CELLS,
    seeds: int | None = None,
    steps: Sequence[int] = (),
) -> Plan:
    """The comparison of `cells` with `seeds` seeds each, from the seed of the options on.

    `flags` and `config` are as for `lstm-export train`. Raises OptionError for what makes no sense,
    before anything is trained.
    """
    for name, given in (("cells", cells), ("steps", steps)):
        if repeated := [one for i, one in enumerate(given) if one in given[:i]]:
            raise OptionError(f"--{name} names {repeated[0]} twice")
    allowed = get_args(TrainCell)
    if strange := [cell for cell in cells if cell not in allowed]:
        raise OptionError(f"--cells are of {', '.join(allowed)}, got {strange[0]!r}")
    if not cells:
        raise OptionError(f"--cells names no cell; there are {', '.join(allowed)}")
    if seeds is None:
        seeds = SEEDS_OF_A_SWEEP if steps else SEEDS
    if seeds < 1:
        raise OptionError(f"--seeds must be at least 1, got {seeds}")
    stored = {} if config is None else read_toml(config)
    budget = {name: flags.get(name, stored.get(name)) for name in ("epochs", "max_steps")}
    if all(value is None for value in budget.values()):
        flags = {**flags, "max_steps": BUDGET}
    options = resolve(flags, config)
    if steps and options.data != SWEPT:
        raise OptionError(
            f"--steps sweeps T of the data set {SWEPT}, and the data is {options.data}: leave out "
            f"one of them, or name {SWEPT}"
        )
    for count in steps:
        known(f"{SWEPT}:{count}")
    plan = Plan(
        options,
        cast(tuple[TrainCell, ...], tuple(cells)),
        tuple(range(options.seed, options.seed + seeds)),
        tuple(steps),
    )
    for trial in plan.trials:
        check(plan.of(trial))
    return plan
