"""The tasks that can be explained: each with the function that reads its data."""

from __future__ import annotations

from collections.abc import Callable

from lstm_export.errors import OptionError
from lstm_export.explain.inputs.choice import Choice
from lstm_export.explain.inputs.forecast import forecast_subject
from lstm_export.explain.inputs.module import module_subject
from lstm_export.explain.source import Source
from lstm_export.explain.subject import Subject

SUBJECTS: dict[str, Callable[[Source, str, Choice], Subject]] = {
    "forecast": forecast_subject,
    "module": module_subject,
}


def read_subject(source: Source, data: str, choice: Choice) -> Subject:
    """The data as the model takes it. Raises OptionError for a task that is not known here, and
    what reading the data raises."""
    task = source.contract.task
    if task not in SUBJECTS:
        known = ", ".join(SUBJECTS)
        raise OptionError(f"{source.where}: explain takes bundles of {known}, not yet of {task}")
    return SUBJECTS[task](source, data, choice)
