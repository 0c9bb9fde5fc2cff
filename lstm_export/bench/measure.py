"""A bundle or an ONNX file, timed side by side with what else could run it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lstm_export.bench.field import OURS, Field
from lstm_export.bench.inputs import default_length, feeds_for
from lstm_export.bench.interleave import Clock, Watch, take_turns
from lstm_export.bench.limit import measured_peak
from lstm_export.bench.result import BenchResult, Measurement, Timing, versions
from lstm_export.bench.sequence_field import sequence_field
from lstm_export.bench.statistics import median_estimate, paired_ratio
from lstm_export.bench.stream_field import forecast_field, stream_field
from lstm_export.bench.subject import Subject, open_subject
from lstm_export.bench.torch_models import TorchModel, torch_model
from lstm_export.bundle.layout import LAYOUT
from lstm_export.errors import LstmExportError, OptionError
from lstm_export.runtime.load import load
from lstm_export.runtime.tuned import processor

BATCHES = (1, 32)
HORIZON = 24
SECONDS = 3.0

AGREES = 1e-3
"""Relative difference up to which two answers are of one model; parity is judged by `verify`."""

Opening = Callable[[], Field]


def measure(
    path: Path,
    *,
    batches: Sequence[int] = BATCHES,
    lengths: Sequence[int] = (),
    horizon: int = HORIZON,
    seconds: float = SECONDS,
    against: str | None = None,
    watch: Watch | None = None,
    clock: Clock | None = None,
) -> BenchResult:
    """Times the model at `path` at every batch and length (default: its own), for `seconds` each.

    Where it streams, one step of each batch as well; where it feeds back, a forecast of `horizon`
    steps. `against` is the model in torch: a run folder or file.py:name. `watch` hears which part
    is done. Raises OptionError for sizes that the model does not take, and what opening it raises.
    """
    _check(batches, lengths, horizon, seconds)
    subject = open_subject(path)
    torch = torch_model(subject, against)
    shapes = [(b, n) for b in batches for n in lengths or (default_length(subject),)]
    for batch, length in shapes:  # a size that the model refuses is told before anything is timed
        feeds_for(subject, LAYOUT.model, batch, length)
    model = load(path)
    openings = list(_openings(subject, model, torch, batches, lengths, horizon))
    found, notes = list[Measurement](), list[str]()
    measured_peak()
    for done, opening in enumerate(openings):
        inner = _part(watch, done, len(openings))
        try:
            field = opening()
        except LstmExportError as error:
            notes.append(f"not measured: {error}")
            continue
        with _inference(torch):
            found.append(timed(field, seconds=seconds, watch=inner, clock=clock))
        notes += _disagreements(found[-1])
    peak = measured_peak()
    return BenchResult(
        str(path), subject.kind, tuple(found), tuple(notes), peak, processor(), versions()
    )


def timed(
    field: Field,
    *,
    seconds: float,
    watch: Watch | None = None,
    clock: Clock | None = None,
) -> Measurement:
    """The contenders of `field` in turns."""
    clocked: dict[str, Any] = {} if clock is None else {"clock": clock}
    times = take_turns(field.contenders, seconds=seconds, watch=watch, **clocked)
    timings = tuple(
        Timing(
            name,
            median_estimate(of),
            None if name == OURS else paired_ratio(of, times[OURS]),
            field.differences.get(name),
        )
        for name, of in times.items()
    )
    return Measurement(field.use, field.batch, field.length, timings, field.flops, field.missing)


def _disagreements(found: Measurement) -> Iterator[str]:
    for timing in found.timings:
        if timing.difference is not None and not timing.difference < AGREES:
            yield (
                f"{found.use}, batch {found.batch}: {timing.name} answers differently, by "
                f"{timing.difference:.0e} of the largest value: another model, or other weights"
            )


def _openings(
    subject: Subject,
    model: Any,
    torch: TorchModel | str,
    batches: Sequence[int],
    lengths: Sequence[int],
    horizon: int,
) -> Iterator[Opening]:
    terms = subject.terms
    streams = LAYOUT.stream in subject.graphs and hasattr(model, "stream")
    for batch in batches:
        for length in lengths or (default_length(subject),):
            yield lambda batch=batch, length=length: sequence_field(  # type: ignore[misc]
                subject, model, torch, batch, length
            )
        if streams:
            yield lambda batch=batch: stream_field(subject, model, torch, batch)  # type: ignore[misc]
        feeds_back = terms is not None and terms.feeds_back and terms.window.horizon == 1
        if streams and feeds_back:
            yield lambda batch=batch: forecast_field(  # type: ignore[misc]
                subject, model, torch, batch, horizon
            )


def _check(batches: Sequence[int], lengths: Sequence[int], horizon: int, seconds: float) -> None:
    named = [("--batch", batches), ("--length", lengths), ("--horizon", (horizon,))]
    for option, values in named:
        for value in values:
            if value < 1:
                raise OptionError(f"{option} must be an integer ≥ 1, got {value}")
        if len(set(values)) < len(values):
            raise OptionError(f"{option} names a size twice: {', '.join(map(str, values))}")
    if not 0 < seconds < float("inf"):
        raise OptionError(f"--seconds must be a number above 0, got {seconds:g}")


def _part(watch: Watch | None, done: int, total: int) -> Watch | None:
    return None if watch is None else lambda part: watch((done + part) / total)


def _inference(torch: TorchModel | str) -> contextlib.AbstractContextManager[None]:
    if isinstance(torch, str):
        return contextlib.nullcontext()
    from lstm_export.bench.torch_side import inference

    return inference()
