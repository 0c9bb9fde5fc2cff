"""A module named on the command line, with its weights and an example of its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lstm_export.errors import OptionError
from lstm_export.exporting.source.example_inputs import example_arguments
from lstm_export.exporting.source.factory import load_factory
from lstm_export.exporting.source.guessed_inputs import guess_arguments
from lstm_export.exporting.source.weights_file import load_weights


@dataclass(frozen=True, slots=True)
class Example:
    """A module and one call of it; `notes` say what was not given but guessed."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    notes: tuple[str, ...]


def load_example(source: str, weights: Path | None, shapes: Sequence[str]) -> Example:
    """The module that `source`, as model.py:name, gives, in eval mode.

    Without `weights` it has those that its code gave it, without `shapes` its example is guessed.
    Raises OptionError, ExportError or CheckpointError where one of the three makes no sense.
    """
    module = load_factory(source).eval()
    notes = []
    if weights is None:
        notes.append("no --weights: the module has the weights that its code gave it")
    else:
        load_weights(module, weights)
    if shapes:
        args, kwargs = example_arguments(module, shapes)
    else:
        guessed = guess_arguments(module)
        if guessed is None:
            raise OptionError(
                f"cannot guess what {type(module).__name__} is called with: give its inputs, as "
                "--example-shape x=2,5,3"
            )
        (args, kwargs), lines = guessed
        notes.append(f"no --example-shape: guessed {' '.join(lines)}")
    return Example(module, args, kwargs, tuple(notes))
