"""Whether options make sense, alone and beside each other; all that do not are named at once."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterator
from typing import Literal

from lstm_export.errors import OptionError
from lstm_export.training.options import TrainOptions

_AT_LEAST = {
    "horizon": 1,
    "context_length": 1,
    "hidden_size": 1,
    "num_layers": 1,
    "batch_size": 1,
    "epochs": 1,
    "max_steps": 1,
    "season": 1,
    "warm_up": 0,
    "difference": 0,
    "proj_size": 0,
    "patience": 0,
    "seed": 0,
    "vocabulary_size": 1,
    "embedding_size": 1,
}
_NOT_NEGATIVE = ("weight_decay", "clip_norm", "clip_value", "input_noise")
_FRACTIONS = ("validation", "test", "dropout", "ema")
_OF_FORECASTS = ("difference", "season", "context_length", "horizon", "warm_up")
_OF_SEQUENCES = (
    *("text", "level", "lowercase", "vocabulary_size", "test_data", "embedding_size", "pooling"),
    "class_weights",
)
_OF_TEXTS = ("level", "lowercase", "vocabulary_size", "embedding_size")
_DEFAULTS = TrainOptions(data="")
_LARGEST_SEED = 2**63 - 1
_SHORTEST_CHRONO = 3


def flag(name: str) -> str:
    """An option as it is written on the command line."""
    return "--" + name.replace("_", "-")


def check(options: TrainOptions) -> None:
    """Raises OptionError naming every option that makes no sense."""
    problems = [*_choices(options), *_ranges(options)]
    if not problems:  # combinations of impossible values say nothing more
        problems = [*_task(options), *_columns(options), *_model(options), *_training(options)]
    if problems:
        raise OptionError("; ".join(problems))


def _choices(options: TrainOptions) -> Iterator[str]:
    for name, kind in typing.get_type_hints(TrainOptions).items():
        if typing.get_origin(kind) is Literal and getattr(options, name) not in kind.__args__:
            known = ", ".join(kind.__args__)
            yield f"{flag(name)} must be one of {known}, got {getattr(options, name)!r}"


def _ranges(options: TrainOptions) -> Iterator[str]:
    for name, least in _AT_LEAST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            yield f"{flag(name)} must be at least {least}, got {value}"
    if options.seed > _LARGEST_SEED:
        yield f"--seed must be below 2^63, got {options.seed}"
    for name in _NOT_NEGATIVE:
        value = getattr(options, name)
        if not 0 <= value < math.inf:
            yield f"{flag(name)} must be a number, at least 0, got {value}"
    for name in _FRACTIONS:
        value = getattr(options, name)
        if not 0 <= value < 1:
            yield f"{flag(name)} must be at least 0 and below 1, got {value}"
    if not 0 < options.lr < math.inf:
        yield f"--lr must be a number above 0, got {options.lr}"


def _task(options: TrainOptions) -> Iterator[str]:
    """What only another task knows, and was asked for all the same."""
    task = options.task
    for name in _OF_SEQUENCES if task == "forecast" else _OF_FORECASTS:
        if getattr(options, name) != getattr(_DEFAULTS, name):
            yield f"{flag(name)} is of no use with --task {task}"
    if task == "forecast":
        return
    if options.text is None:
        for name in _OF_TEXTS:
            if getattr(options, name) != getattr(_DEFAULTS, name):
                yield f"{flag(name)} is for texts: name their column with --text"
    elif options.features or options.input_noise:
        name = "features" if options.features else "input_noise"
        yield f"{flag(name)} is for columns of numbers, and --text {options.text} is read instead"
    if task == "tag" and options.level == "character":
        yield "--level character cannot go with --task tag, whose labels are those of words"
    if task == "tag" and options.pooling != "last":
        yield f"--pooling {options.pooling} cannot go with --task tag, which answers every step"
    if task == "regress" and options.class_weights != "none":
        yield "--class-weights is for labels, and --task regress has numbers"
    if task != "regress" and len(options.target) > 1:
        yield f"--task {task} answers one column, got --target {', '.join(options.target)}"


def _columns(options: TrainOptions) -> Iterator[str]:
    for name in ("target", "features"):
        names = getattr(options, name)
        if repeated := sorted({n for n in names if names.count(n) > 1}):
            yield f"{flag(name)} names {repeated[0]!r} twice"
    features = options.features
    if "all" in features and len(features) > 1:
        yield "--features is either all or a list of columns, got both"
    missing = [name for name in options.target if name not in features]
    if options.difference and features and features != ("all",) and missing:
        yield (
            f"--difference {options.difference} needs every --target among --features, since a "
            f"forecast is added to the target's last known values: {missing[0]!r} is not"
        )


def _model(options: TrainOptions) -> Iterator[str]:
    if options.proj_size and options.cell != "lstm":  # the equations are without, too
        yield f"--proj-size {options.proj_size} needs --cell lstm, got --cell {options.cell}"
    elif options.proj_size >= options.hidden_size:
        yield (f"--proj-size {options.proj_size} must be below --hidden-size {options.hidden_size}")
    if options.init == "chrono" and options.recurrent_cell == "rnn":
        yield f"--init chrono sets the biases of gates, and --cell {options.cell} has none"
    if options.init == "chrono" and options.context_length < _SHORTEST_CHRONO:
        yield (
            f"--init chrono needs --context-length {_SHORTEST_CHRONO} or more, "
            f"got {options.context_length}"
        )


def _training(options: TrainOptions) -> Iterator[str]:
    if options.test == 0 and options.test_data is None:
        yield "--test must be above 0: a model is judged on rows that it was not trained on"
    last_step_only = options.context_length - 1
    if options.warm_up is not None and options.warm_up > last_step_only:
        yield (
            f"--warm-up {options.warm_up} leaves no step to learn from: it must be below "
            f"--context-length {options.context_length}"
        )
    elif options.bidirectional and options.warm_up not in (None, last_step_only):
        yield (
            f"--warm-up {options.warm_up} cannot go with --bidirectional, which sees what the "
            f"earlier steps are to predict: leave it out, or give {last_step_only}"
        )
    if options.validation + options.test >= 1:
        yield (
            f"--validation {options.validation} and --test {options.test} leave no rows to train "
            "on: their sum must be below 1"
        )
    if options.schedule == "plateau" and options.validation == 0:
        yield "--schedule plateau follows the validation loss, and --validation 0 leaves none"
