"""A module named on the command line, and an example of its arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from lstm_export.errors import OptionError
from lstm_export.exporting.source.example_inputs import example_arguments
from lstm_export.exporting.source.factory import load_factory
from lstm_export.exporting.source.guessed_inputs import guess_arguments


@dataclass(frozen=True, slots=True)
class Example:
    """A module in eval mode and one call of it. `lines` say what it is called with, and whether
    that was `guessed`.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    lines: tuple[str, ...]
    guessed: bool


def load_example(
    source: str, shapes: Sequence[str], options: Mapping[str, Any] | None = None
) -> Example:
    """The module that `source`, as model.py:name, gives, called with `options`; its code is run.

    Without `shapes` its example is guessed from its first layers. Raises OptionError or ExportError
    where one of the three makes no sense, OptionError where no example can be guessed.
    """
    return with_example(source, load_factory(source, options).eval(), shapes)


def with_example(source: str, module: nn.Module, shapes: Sequence[str]) -> Example:
    """`module`, which `source` is for people, and its example, from `shapes` or guessed.

    Raises OptionError as `load_example` does.
    """
    if shapes:
        args, kwargs = example_arguments(module, shapes)
        return Example(module, args, kwargs, tuple(shapes), guessed=False)
    guess = guess_arguments(module)
    if guess is None:
        raise OptionError(
            f"{source}: no input could be guessed that {type(module).__name__} takes; give an "
            "example of each, as --example-shape x=2,5,3"
        )
    (args, kwargs), lines = guess
    return Example(module, args, kwargs, tuple(lines), guessed=True)
