"""From options to a finished run folder."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lstm_export
from lstm_export.checkpoint import Description, read_checkpoint, read_description, write_checkpoint
from lstm_export.data.series import Series
from lstm_export.data.windows import window_targets
from lstm_export.data.write import write_table
from lstm_export.errors import DataError, LstmExportError, OptionError
from lstm_export.nn.forecaster import Forecaster
from lstm_export.nn.initialise import initialise
from lstm_export.training.batches import WindowBatches
from lstm_export.training.check import check
from lstm_export.training.config import differences, resolve, to_toml
from lstm_export.training.conformal import calibrate, coverage_on_test
from lstm_export.training.device import open_fabric, quiet_torch, threads
from lstm_export.training.evaluate import MODEL, prediction_columns, test_forecasts, test_metrics
from lstm_export.training.loop import Loop
from lstm_export.training.memory import kept_memory
from lstm_export.training.options import TrainOptions
from lstm_export.training.prepare import Prepared, prepare
from lstm_export.training.progress import Progress
from lstm_export.training.residuals import residuals_ahead
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

_COPIES = 6
"""Of the weights: they, their gradients, two moments, the average and the best."""
_HAS_SYSCONF = "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})


@dataclass(frozen=True)
class TrainResult:
    """A finished run."""

    path: Path
    description: Description
    series: Series
    notes: tuple[str, ...]
    """What a person must be told."""
    best_epoch: int
    was_finished: bool = False
    """Whether the run had been finished before, so that nothing was done."""


def train(
    options: TrainOptions,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> TrainResult:
    """Trains a forecaster into the run folder `out`.

    `resume` goes on with an unfinished run, to the same bytes as if it had never stopped; `force`
    replaces a run. torch's global generator and number of threads are as before afterwards.

    Raises OptionError, DataError, OutputError, CheckpointError (a damaged state), and
    KeyboardInterrupt once the state is saved; its text says how to go on.
    """
    check(options)
    found = standing(out, resume=resume, force=force)
    fabric = open_fabric(options)
    prepared = prepare(options)
    notes = list(prepared.series.notes)
    state = None
    if resume:
        state = _state_to_resume(out, found, prepared, notes)
        if found is Standing.FINISHED:
            notes.append(f"{out} is finished already: nothing was left to do")
            finished = read_checkpoint(out).description
            return _result(out, finished, prepared, notes, was_finished=True)
    if options.validation == 0:
        notes.append(
            "no validation part: all epochs are trained and the last weights are kept, and "
            "forecasts have no intervals"
        )
    if state is None:
        _refuse_too_large(prepared)
        begin(out, to_toml(prepared.options))
    try:
        write_metrics(out, state.position.history if state else ())
        description = _train(prepared, fabric, out, state, progress)
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
    return _result(out, description, prepared, notes)


def _refuse_too_large(prepared: Prepared) -> None:
    """Raises OptionError if the model and what training keeps beside it exceed the memory."""
    with torch.device("meta"), quiet_torch():
        parameters = sum(p.numel() for p in Forecaster(prepared.forecast).parameters())
    needed = parameters * 4 * _COPIES
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if _HAS_SYSCONF else needed
    if needed > available:
        spec = prepared.forecast.recurrent
        raise OptionError(
            f"--hidden-size {spec.hidden_size} with --num-layers {spec.num_layers} gives "
            f"{parameters:,} weights; training them takes {needed / 1e9:,.0f} GB, and this machine "
            f"has {available / 1e9:,.0f} GB"
        )


def _state_to_resume(
    out: Path, found: Standing, prepared: Prepared, notes: list[str]
) -> TrainingState | None:
    """The state to go on from. Raises OptionError or DataError if it is of another run."""
    if not (out / OPTIONS).exists():
        notes.append(f"{out} holds no run to resume: it starts anew")
        return None
    clear_leftovers(out)
    if changed := differences(resolve({}, out / OPTIONS), prepared.options):
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
    if before != prepared.origin.sha256:
        raise DataError(
            f"{prepared.options.data} has changed since {out} was begun: its sha256 was "
            f"{before[:12]}… and is {prepared.origin.sha256[:12]}…. Put the old file back, or "
            "train anew with --force or into another folder"
        )
    if state and state.position.circumstances.torch != torch.__version__:
        notes.append(
            f"begun with torch {state.position.circumstances.torch}, resumed with "
            f"{torch.__version__}: the weights may differ from an unbroken run's in the last bits"
        )
    return state


def _train(
    prepared: Prepared,
    fabric: Any,
    out: Path,
    state: TrainingState | None,
    progress: Progress | None,
) -> Description:
    options, forecast = prepared.options, prepared.forecast
    count = shards_for(options, forecast.recurrent.input_size, fabric.device)
    circumstances = (
        state.position.circumstances
        if state
        else Circumstances(
            prepared.origin.sha256, len(prepared.starts.train), torch.__version__, count
        )
    )
    gpus = [fabric.device] if fabric.device.type == "cuda" else []
    with torch.random.fork_rng(gpus), threads(1), kept_memory(), quiet_torch():
        torch.manual_seed(options.seed)
        model = Forecaster(forecast, options.dropout)
        initialise(model, options.init)
        model = fabric.to_device(model)
        inputs, targets, train_starts, validation_starts = (
            fabric.to_device(torch.from_numpy(array))
            for array in (
                prepared.inputs,
                prepared.targets,
                prepared.starts.train,
                prepared.starts.validation,
            )
        )
        # The last step alone has a cheaper way through the model.
        last_only = options.warm_up == options.context_length - 1
        warm_up = None if last_only else options.warm_up
        loop = Loop(
            model,
            WindowBatches(inputs, targets, train_starts, forecast.window, warm_up),
            WindowBatches(inputs, targets, validation_starts, forecast.window),
            options,
            circumstances,
            record=lambda record: append_metrics(out, record),
            save=lambda saved: saved.write(out),
            autocast=None if options.precision == "32-true" else fabric.autocast,
            progress=progress,
            state=state,
        )
        loop.run()
        return _finish(prepared, out, model, loop.history)


def _finish(
    prepared: Prepared, out: Path, model: Forecaster, history: list[EpochRecord]
) -> Description:
    """Tests the model and writes predictions and checkpoint, the description last of all."""
    series, starts, window = prepared.series, prepared.starts, prepared.forecast.window
    forecasts = test_forecasts(model, series, starts.test, prepared.season)
    columns = prediction_columns(forecasts, series, starts.test, window)
    write_table(out / PREDICTIONS, columns, force=True)
    intervals = calibrate(residuals_ahead(model, series, starts.validation))
    missed = window_targets(series, starts.test, window) - forecasts[MODEL]
    best = best_epoch(history)
    metrics: dict[str, Any] = {
        **test_metrics(forecasts, series, starts.test, window),
        "test_coverage": coverage_on_test(intervals, missed[:, 0], series.targets),
        "season": prepared.season,
        "windows": {name: len(getattr(starts, name)) for name in ("train", "validation", "test")},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "best_epoch": best,
        "epochs": len(history),
        "validation_loss": history[best - 1].validation_loss,
    }
    description = Description(
        forecast=prepared.forecast,
        data=prepared.origin,
        seed=prepared.options.seed,
        metrics=metrics,
        versions={
            "lstm_export": lstm_export.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        intervals=intervals,
    )
    weights = {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}
    write_checkpoint(out, description, weights)
    return read_description(out)


def _result(
    out: Path,
    description: Description,
    prepared: Prepared,
    notes: list[str],
    *,
    was_finished: bool = False,
) -> TrainResult:
    best = int(description.metrics["best_epoch"])
    return TrainResult(out, description, prepared.series, tuple(notes), best, was_finished)
