"""Which runtimes a verification is about, and which of them have to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lstm_export.errors import MissingExtraError, OptionError
from lstm_export.parity.runtimes.registry import Status, names, status

ALL = "all"
FROM_WEIGHTS = ("oracle", "torch")
"""These compute from a run's weights, and are asked with a run alone."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """`names` are installed; `required` are those of them that may not refuse; `absent` says of the
    others how to get them."""

    names: tuple[str, ...]
    required: frozenset[str]
    absent: dict[str, str]
    found: dict[str, Status]

    def versions(self) -> dict[str, str]:
        """The versions of the runtimes, by name."""
        return {name: one.version for name, one in self.found.items() if one.version}


def choose(runtimes: Sequence[str], *, live: bool) -> Chosen:
    """The runtimes of those names, where "all" stands for everything that is installed.

    `live` tells whether there is a run for those that compute from weights. Raises OptionError for
    an unknown name, and for none.
    """
    if isinstance(runtimes, str) or not runtimes:
        raise OptionError(f"runtimes: expected a list of at least one name, got {runtimes!r}")
    named = tuple(dict.fromkeys(name for name in runtimes if name != ALL))
    if ALL not in runtimes:
        found = {name: status(name) for name in named}
        for name, one in found.items():
            if not one.installed and name != "torch":
                raise OptionError(f"the runtime {name} is not installed: {one.how_to_get}")
            if not one.installed:
                raise MissingExtraError("torch", "train", "verifying against a run")
        return Chosen(named, frozenset(named), {}, found)
    every = [name for name in names() if live or name not in FROM_WEIGHTS or name in named]
    found = {name: status(name) for name in every}
    present = tuple(name for name in every if found[name].installed)
    absent = {name: found[name].how_to_get for name in every if not found[name].installed}
    if missing := [name for name in named if name in absent]:
        raise OptionError(f"the runtime {missing[0]} is not installed: {absent[missing[0]]}")
    return Chosen(present, frozenset((*named, "onnxruntime")), absent, found)
