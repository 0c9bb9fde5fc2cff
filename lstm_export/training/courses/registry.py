"""The tasks that a model can be trained for, by name."""

from __future__ import annotations

from collections.abc import Callable

from lstm_export.training.courses.course import Course
from lstm_export.training.courses.forecast import ForecastCourse
from lstm_export.training.courses.sequences import SequenceCourse
from lstm_export.training.options import TrainOptions

COURSES: dict[str, Callable[[TrainOptions], Course]] = {
    "forecast": ForecastCourse,
    "classify": SequenceCourse,
    "regress": SequenceCourse,
    "tag": SequenceCourse,
}
