"""`lstm-export bench BUNDLE`."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json, say, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lstm_export.bench.limit import Peak
    from lstm_export.bench.result import BenchResult, Measurement
    from lstm_export.bench.tune import TuneResult


def bench(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle, or an ONNX file.")],
    batch: Annotated[
        str | None, typer.Option("--batch", metavar="SIZES", help="As 1,32. Default: 1,32.")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option("--length", metavar="SIZES", help="As 10,100. Default: the model's own."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option("--horizon", help="Steps ahead of a forecast. Default: 24.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="For each measurement. Default: 3.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="RUN", help="The torch model: a run, or model.py:name."),
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Find the settings that suit this machine; keep them.")
    ] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Forget what --tune kept.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.json", help="Write everything here.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Time a bundle beside plain onnxruntime, torch and OpenVINO, as far as they are installed.

    Contenders take turns. Times are medians; a ratio is the median over neighbouring turns of a
    contender's time to ours, above 1 where ours is faster; intervals hold with 95 %. Torch is
    timed at one thread and at all. The code of a model.py that --against names is run.

    With --json, and in --out: path, kind, measurements (use, batch, length, timings, flops,
    missing, floor, times_the_floor), notes, peak (of this machine), processor, versions. A timing:
    name, seconds and ratio (value, low, high, confidence, count), difference (from our answer).
    Times are in seconds.
    With --tune: path, machine, kept, file, classes (shape_class, batch, length, settings, gain,
    tried). With --forget: path, file, forgotten.
    """
    from lstm_export.errors import OptionError

    _refuse_mixture(tune=tune, forget=forget, against=against, horizon=horizon)
    if forget:
        named = [("--batch", batch), ("--length", length), ("--seconds", seconds), ("--out", out)]
        for option, value in named:
            if value is not None:
                raise OptionError(f"{option} makes no sense with --forget, which measures nothing")
        _forget(bundle, json=json)
        return
    _check_out(out, bundle, force=force)
    batches, lengths = _sizes("--batch", batch), _sizes("--length", length)
    with _progress() as watch:
        result = _measured(
            bundle, batches, lengths, horizon, seconds, against, tune=tune, watch=watch
        )
    if out is not None:
        from json import dumps

        from lstm_export.files import write_atomic

        text = dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        write_atomic(out, text + "\n")
        say(f"wrote {out}")
    if json:
        emit_json(result.to_dict())
    else:
        emit("\n".join(_lines(result)))


def _measured(
    bundle: Path,
    batches: tuple[int, ...],
    lengths: tuple[int, ...],
    horizon: int | None,
    seconds: float | None,
    against: str | None,
    *,
    tune: bool,
    watch: Callable[[float], object] | None,
) -> BenchResult | TuneResult:
    if tune:
        from lstm_export.bench.tune import SECONDS, tune_model

        time = SECONDS if seconds is None else seconds
        return tune_model(bundle, batches=batches, lengths=lengths, seconds=time, watch=watch)
    from lstm_export.bench.measure import BATCHES, HORIZON, SECONDS, measure

    # What the exporter's own code warns of would stand in the midst of the progress.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    return measure(
        bundle,
        batches=batches or BATCHES,
        lengths=lengths,
        horizon=HORIZON if horizon is None else horizon,
        seconds=SECONDS if seconds is None else seconds,
        against=against,
        watch=watch,
    )


def _forget(bundle: Path, *, json: bool) -> None:
    from lstm_export.bench.tuned_cache import forget

    file, forgotten = forget(bundle)
    if json:
        emit_json({"path": str(bundle), "file": file, "forgotten": forgotten})
    else:
        emit(f"removed {file}" if forgotten else f"nothing was kept for {bundle}")


def _refuse_mixture(*, tune: bool, forget: bool, against: str | None, horizon: int | None) -> None:
    from lstm_export.errors import OptionError

    if tune and forget:
        raise OptionError("--tune and --forget together make no sense: choose one")
    for option, value in (("--against", against), ("--horizon", horizon)):
        if value is not None and (tune or forget):
            other = "--tune" if tune else "--forget"
            raise OptionError(f"{option} makes no sense with {other}: leave one of them out")


def _check_out(out: Path | None, bundle: Path, *, force: bool) -> None:
    from lstm_export.files import refuse_existing, refuse_within

    if out is not None:
        refuse_within(out, bundle, "into which only export writes")
        refuse_existing(out, force=force)


def _sizes(option: str, text: str | None) -> tuple[int, ...]:
    from lstm_export.errors import OptionError

    if text is None:
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise OptionError(
            f"{option} {text}: expected integers separated by commas, such as 1,32"
        ) from None


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[float], object] | None]:
    """A line on stderr that is rewritten, where stderr is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return

    def show(part: float) -> None:
        with contextlib.suppress(OSError):
            print(f"\rmeasuring {part:4.0%} ", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        with contextlib.suppress(OSError):
            print("\r" + " " * 20 + "\r", end="", file=sys.stderr, flush=True)


def _lines(result: BenchResult | TuneResult) -> Iterator[str]:
    from lstm_export.bench.result import BenchResult

    if not isinstance(result, BenchResult):
        yield from _tuned_lines(result)
        return
    peak = result.peak
    yield f"{result.path}: {result.kind}"
    yield (
        f"{result.processor}: {peak.flops_one_thread / 1e9:.0f} GFLOP/s on one thread, "
        f"{peak.flops_all_threads / 1e9:.0f} on {peak.threads}; a run that does nothing takes "
        f"{_time(peak.call)}"
    )
    for measurement in result.measurements:
        yield ""
        yield from _measurement_lines(measurement, peak)
    yield from (f"note: {note}" for note in result.notes)


def _tuned_lines(result: TuneResult) -> Iterator[str]:
    from lstm_export.bench.tune import RULE, words

    for one in result.classes:
        verdict = "the rule; nothing is faster beyond noise"
        if one.settings != RULE:
            gain = one.gain
            times = f"{gain.value:.2f} times as fast as the rule, {gain.low:.2f} to {gain.high:.2f}"
            verdict = f"{words(one.settings)} ({times})"
        yield f"batch {one.batch}, length {one.length}: {verdict}"
    yield f"kept in {result.file}, for {result.machine}"


def _measurement_lines(found: Measurement, peak: Peak) -> Iterator[str]:
    steps = {"sequences": f"length {found.length}", "stream": "one step"}
    what = steps.get(found.use, f"{found.length} steps ahead")
    rows = []
    for timing in found.timings:
        seconds, ratio = timing.seconds, timing.ratio
        rows.append(
            [
                timing.name,
                _time(seconds.value),
                f"{_time(seconds.low)} to {_time(seconds.high)}",
                "" if ratio is None else f"{ratio.value:.2f}",
                "" if ratio is None else f"{ratio.low:.2f} to {ratio.high:.2f}",
                "" if timing.difference is None else f"{timing.difference:.0e}",
            ]
        )
    header = [f"{found.use}, batch {found.batch}, {what}", "time", "", "÷ ours", "", "differs by"]
    yield table(header, rows)
    rounds = found.ours.seconds.count
    yield (
        f"limit of this machine {_time(peak.floor(found.flops))}; ours takes "
        f"{found.times_the_floor(peak):.1f} times that; {rounds} rounds"
    )
    for name, reason in found.missing.items():
        yield f"missing: {name}: {reason}"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
