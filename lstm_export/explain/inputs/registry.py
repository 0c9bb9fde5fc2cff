"""The tasks that can be explained: each with the function that reads its data."""

from __future__ import annotations

from collections.abc import Callable

from lstm_export.contract import Task
from lstm_export.errors import OptionError
from lstm_export.explain.inputs.choice import Choice
from lstm_export.explain.inputs.forecast import forecast_subject
from lstm_export.explain.inputs.module import module_subject
from lstm_export.explain.inputs.sequences import sequences_subject
from lstm_export.explain.source import Source
from lstm_export.explain.subject import Subject

SUBJECTS: dict[Task, Callable[[Source, str, Choice], Subject]] = {
    "forecast": forecast_subject,
    "classify": sequences_subject,
    "regress": sequences_subject,
    "tag": sequences_subject,
    "module": module_subject,
}


def read_subject(source: Source, data: str, choice: Choice) -> Subject:
    """The data as the model takes it. Raises what reading the data of its task raises."""
    if choice.text is not None and source.contract.sequences is None:
        raise OptionError("--text is for models that read texts")
    return SUBJECTS[source.contract.task](source, data, choice)
