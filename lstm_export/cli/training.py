"""What the commands that train have in common: names of columns, progress, the extra they need."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lstm_export.cli.console import say
from lstm_export.errors import MissingExtraError

if TYPE_CHECKING:
    from lstm_export.training.progress import Progress


def column_names(given: list[str] | None) -> list[str] | None:
    """The names in options of one or several, `a,b`; a comma in a name is quoted as in CSV."""
    import csv

    if not given:
        return None
    return [name.strip() for row in csv.reader(given, skipinitialspace=True) for name in row]


def training_progress() -> Progress:
    """A bar on a terminal, a line now and then elsewhere."""
    from lstm_export.training.progress import BarProgress, PlainProgress

    if not sys.stderr.isatty():
        return PlainProgress(say)
    from rich.console import Console

    return BarProgress(Console(stderr=True))


def need_training() -> None:
    """Raises MissingExtraError where a package is missing without which nothing is trained."""
    from importlib.util import find_spec

    for package in ("torch", "lightning_fabric", "safetensors", "tomli_w"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "train", "training")
