"""From options to a finished run folder."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lstm_export
from lstm_export.checkpoint import Description, read_checkpoint, read_description, write_checkpoint
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.data.series import Series
from lstm_export.data.write import write_table
from lstm_export.errors import DataError, LstmExportError, OptionError
from lstm_export.nn.trainable import Trainable
from lstm_export.training.check import check
from lstm_export.training.config import differences, resolve, to_toml
from lstm_export.training.courses.course import Course
from lstm_export.training.courses.forecast import ForecastCourse
from lstm_export.training.courses.registry import COURSES
from lstm_export.training.courses.sequences import SequenceCourse
from lstm_export.training.device import open_fabric, quiet_torch, threads
from lstm_export.training.loop import Loop
from lstm_export.training.memory import kept_memory
from lstm_export.training.options import TrainOptions
from lstm_export.training.progress import Progress
from lstm_export.training.run_folder import (
    OPTIONS,
    PREDICTIONS,
    Standing,
    append_metrics,
    begin,
    clear_leftovers,
    restore,
    settle,
    standing,
    write_metrics,
)
from lstm_export.training.schedule import EpochRecord, best_epoch
from lstm_export.training.shards import shards_for
from lstm_export.training.state import STATE, Circumstances, TrainingState, read_state
from lstm_export.training.written_out import in_torch, written_out

_COPIES = 6
"""Of the weights: they, their gradients, two moments, the average and the best."""
_HAS_SYSCONF = "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})


@dataclass(frozen=True)
class TrainResult:
    """A finished run."""

    path: Path
    description: Description
    course: Course
    notes: tuple[str, ...]
    """What a person must be told."""
    was_finished: bool = False
    """Whether the run had been finished before, so that nothing was done."""
    seconds: float | None = None
    """How long its loop took on this machine; None where it was not run through in one go."""

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights were kept."""
        return int(self.description.metrics["best_epoch"])

    @property
    def series(self) -> Series:
        """What a forecaster was trained on. Raises OptionError for a run of another task."""
        if not isinstance(self.course, ForecastCourse):
            raise OptionError(f"{self.path} does not forecast a series: its task is another")
        return self.course.series

    @property
    def tested(self) -> SequenceSet:
        """The test part of a run that answers sequences. Raises OptionError for a forecaster."""
        if not isinstance(self.course, SequenceCourse):
            raise OptionError(f"{self.path} forecasts a series: it has no sequences")
        return self.course.tested


def train(
    options: TrainOptions,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> TrainResult:
    """Trains a model for the task of `options` into the run folder `out`.

    `resume` goes on with an unfinished run, to the same bytes as if it had never stopped; `force`
    replaces a run. torch's global generator and number of threads are as before afterwards.

    Raises OptionError, DataError, OutputError, CheckpointError (a damaged state), and
    KeyboardInterrupt once the state is saved; its text says how to go on.
    """
    check(options)
    found = standing(out, resume=resume, force=force)
    fabric = open_fabric(options)
    course = COURSES[options.task](options)
    notes = list(course.notes)
    state = None
    if resume:
        state = _state_to_resume(out, found, course, notes)
        if found is Standing.FINISHED:
            notes.append(f"{out} is finished already: nothing was left to do")
            finished = read_checkpoint(out).description
            notes += finished.metrics.get("baseline_notes", ())
            return TrainResult(out, finished, course, tuple(notes), was_finished=True)
    if state is None:
        _refuse_too_large(course)
        begin(out, to_toml(course.options))
    try:
        write_metrics(out, state.position.history if state else ())
        description, seconds = _train(course, fabric, out, state, progress)
        settle(out)
    except LstmExportError as error:
        if restore(out):
            error.args = (f"{error}. The run that was there before is back",)
        raise
    except KeyboardInterrupt:
        if not (out / STATE).exists():
            raise
        raise KeyboardInterrupt(
            f"stopped, and saved in {out}; go on with: lstm-export train --out {out} --resume"
        ) from None
    notes += description.metrics.get("baseline_notes", ())
    unbroken = seconds if state is None else None
    return TrainResult(out, description, course, tuple(notes), seconds=unbroken)


def _refuse_too_large(course: Course) -> None:
    """Raises OptionError if the model and what training keeps beside it exceed the memory."""
    with torch.device("meta"), quiet_torch():
        parameters = sum(p.numel() for p in course.build().parameters())
    needed = parameters * 4 * _COPIES
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if _HAS_SYSCONF else needed
    if needed > available:
        spec = course.recurrent
        raise OptionError(
            f"--hidden-size {spec.hidden_size} with --num-layers {spec.num_layers} gives "
            f"{parameters:,} weights; training them takes {needed / 1e9:,.0f} GB, and this machine "
            f"has {available / 1e9:,.0f} GB"
        )


def _state_to_resume(
    out: Path, found: Standing, course: Course, notes: list[str]
) -> TrainingState | None:
    """The state to go on from. Raises OptionError or DataError if it is of another run."""
    if not (out / OPTIONS).exists():
        notes.append(f"{out} holds no run to resume: it starts anew")
        return None
    clear_leftovers(out)
    if changed := differences(resolve({}, out / OPTIONS), course.options):
        raise OptionError(
            f"{out} cannot be resumed with other options: {'; '.join(changed)}. Leave them out, or "
            "train anew with --force or into another folder"
        )
    state = None if found is Standing.FINISHED else read_state(out)
    if found is Standing.FINISHED:
        before = read_description(out).data.sha256
    elif state:
        before = state.position.circumstances.data_sha256
    else:
        notes.append(f"{out} was stopped before its first state was saved: it starts anew")
        return None
    if before != course.origin.sha256:
        raise DataError(
            f"{course.options.data} has changed since {out} was begun: its sha256 was "
            f"{before[:12]}… and is {course.origin.sha256[:12]}…. Put the old file back, or "
            "train anew with --force or into another folder"
        )
    if state and state.position.circumstances.torch != torch.__version__:
        notes.append(
            f"begun with torch {state.position.circumstances.torch}, resumed with "
            f"{torch.__version__}: the weights may differ from an unbroken run's in the last bits"
        )
    return state


def _train(
    course: Course,
    fabric: Any,
    out: Path,
    state: TrainingState | None,
    progress: Progress | None,
) -> tuple[Description, float]:
    """What was trained, and the seconds that the loop took."""
    options = course.options
    shards = shards_for(options, course.steps, course.recurrent, fabric.device)
    circumstances = (
        state.position.circumstances
        if state
        else Circumstances(course.origin.sha256, course.count, torch.__version__, shards)
    )
    gpus = [fabric.device] if fabric.device.type == "cuda" else []
    with torch.random.fork_rng(gpus), threads(1), kept_memory(), quiet_torch():
        torch.manual_seed(options.seed)
        model = course.build()
        course.initialise(model)
        if options.by_equations:
            model = written_out(model)
        model = fabric.to_device(model)
        train, validation = course.batches(lambda array: fabric.to_device(torch.from_numpy(array)))
        loop = Loop(
            model,
            train,
            validation,
            course.evaluation_batch,
            options,
            circumstances,
            record=lambda record: append_metrics(out, record),
            save=lambda saved: saved.write(out),
            autocast=None if options.precision == "32-true" else fabric.autocast,
            progress=progress,
            state=state,
        )
        loop.run()
        if options.by_equations:
            model = in_torch(model)
        return _finish(course, out, model, loop.history), loop.seconds


def _finish(
    course: Course, out: Path, model: Trainable, history: Sequence[EpochRecord]
) -> Description:
    """Tests the model and writes predictions and checkpoint, the description last of all."""
    outcome = course.finish(model, history)
    write_table(out / PREDICTIONS, outcome.predictions, force=True)
    best = best_epoch(history)
    metrics: dict[str, Any] = {
        **outcome.description.metrics,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "best_epoch": best,
        "epochs": len(history),
        "validation_loss": history[best - 1].validation_loss,
    }
    versions = {
        "lstm_export": lstm_export.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    description = dataclasses.replace(outcome.description, metrics=metrics, versions=versions)
    weights = {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}
    write_checkpoint(out, description, weights)
    return read_description(out)
