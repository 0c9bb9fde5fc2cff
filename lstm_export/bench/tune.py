"""Settings that suit a model on this machine better than the rule, found by trying.

For each class of shapes all candidates and the rule take turns; then the fastest meets the rule
alone, in turns anew. The first heat chooses, the second decides: of a dozen equal candidates one
looks faster by chance, and it would not do so twice. It is taken only if the near end of the
interval says that it is faster, so what is kept is never slower than the rule beyond noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lstm_export.bench.inputs import default_length, feeds_for
from lstm_export.bench.interleave import Contender, Watch, take_turns
from lstm_export.bench.limit import cores
from lstm_export.bench.statistics import Estimate, paired_ratio
from lstm_export.bench.subject import Subject, open_subject
from lstm_export.bench.tuned_cache import check_writable, file_for, keep
from lstm_export.bundle.layout import LAYOUT
from lstm_export.errors import OptionError
from lstm_export.runtime.load import load
from lstm_export.runtime.settings import Settings
from lstm_export.runtime.tuned import machine, shape_class

BATCHES = (1, 8, 32, 128)
SECONDS = 6.0
"""For each shape: two thirds to choose, one to decide."""
GAIN = 1.02
"""What the near end of the interval must reach: less is not worth an exception from the rule."""
SHARDED_FROM = 16
"""Rows from which splitting a batch is tried."""
RULE = Settings()

Turns = Callable[..., Mapping[str, Sequence[float]]]


@dataclass(frozen=True, slots=True)
class TunedClass:
    """One class of shapes, measured at (batch, length)."""

    shape_class: str
    batch: int
    length: int
    settings: Settings
    """What is kept; all None where the rule was not beaten."""
    gain: Estimate
    """The rule's time ÷ that of the best candidate, in the second heat."""
    tried: Mapping[str, float]
    """Median seconds in the first heat."""


@dataclass(frozen=True, slots=True)
class TuneResult:
    """What was found on one machine."""

    path: str
    machine: str
    file: str
    classes: tuple[TunedClass, ...]

    @property
    def kept(self) -> int:
        """Classes for which something beats the rule."""
        return sum(one.settings != RULE for one in self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; times in seconds."""
        return {**asdict(self), "kept": self.kept}


def tune_model(
    path: Path,
    *,
    batches: Sequence[int] = (),
    lengths: Sequence[int] = (),
    seconds: float = SECONDS,
    watch: Watch | None = None,
    turns: Turns = take_turns,
) -> TuneResult:
    """Finds settings for the model at `path` and keeps them in the user's cache.

    `seconds` go into each shape: batches × lengths (default: 1, 8, 32 and 128 rows of the model's
    own length). Raises OptionError for sizes that the model does not take, OutputError if the cache
    cannot be written; nothing is measured then.
    """
    if not 0 < seconds < float("inf"):
        raise OptionError(f"--seconds must be a number above 0, got {seconds:g}")
    subject = open_subject(path)
    shapes = shapes_of(subject, batches, lengths)
    file = file_for(path)
    check_writable(file)
    found = []
    for done, (batch, length) in enumerate(shapes):
        inner = _part(watch, done, len(shapes))
        found.append(_tuned_class(subject, batch, length, seconds, inner, turns))
    measured = {one.shape_class: {"gain": asdict(one.gain)} for one in found}
    keep(file, {one.shape_class: one.settings for one in found}, measured)
    return TuneResult(str(path), machine(), str(file), tuple(found))


def shapes_of(
    subject: Subject, batches: Sequence[int], lengths: Sequence[int]
) -> list[tuple[int, int]]:
    """One shape for each class. Raises OptionError for shapes that the model does not take."""
    found: dict[str, tuple[int, int]] = {}
    for batch in batches or BATCHES:
        for length in lengths or (default_length(subject),):
            for option, size in (("--batch", batch), ("--length", length)):
                if size < 1:
                    raise OptionError(f"{option} must be an integer ≥ 1, got {size}")
            name = shape_class(batch, length)
            if (batches or lengths) and name in found:
                one, other = found[name], (batch, length)
                raise OptionError(
                    f"(batch, length) {one} and {other} are of one class, {name}: name one of them"
                )
            feeds_for(subject, LAYOUT.model, batch, length)
            found[name] = (batch, length)
    return list(found.values())


def candidates(batch: int) -> list[Settings]:
    """Settings to try for `batch` rows, without the rule."""
    counts = sorted({1, 2, cores(), 0} - ({2} if cores() < 2 else set()))
    found = [Settings(intra_op_num_threads=count, shards=1) for count in counts]
    found += [
        Settings(intra_op_num_threads=count, shards=1, spinning=False)
        for count in counts
        if count != 1
    ]
    if batch >= SHARDED_FROM:
        found += [Settings(intra_op_num_threads=1, shards=count) for count in range(2, cores() + 1)]
    if batch == 1:
        found.append(Settings(preallocate=False))
    return found


def words(settings: Settings) -> str:
    """Settings as people say them."""
    parts = []
    if settings.intra_op_num_threads is not None:
        count = settings.intra_op_num_threads
        threads = "threads as onnxruntime chooses" if count == 0 else f"{count} threads"
        parts.append("1 thread" if count == 1 else threads)
    if settings.shards not in (None, 1):
        parts.append(f"{settings.shards} shards")
    if settings.spinning is not None:
        parts.append("spinning" if settings.spinning else "not spinning")
    if settings.preallocate is not None:
        parts.append("preallocated" if settings.preallocate else "not preallocated")
    return ", ".join(parts) or "the rule"


def _tuned_class(
    subject: Subject, batch: int, length: int, seconds: float, watch: Watch | None, turns: Turns
) -> TunedClass:
    feeds = feeds_for(subject, LAYOUT.model, batch, length)
    given: Any = next(iter(feeds.values())) if len(feeds) == 1 else feeds

    def contender(settings: Settings) -> Contender:
        model = load(subject.path, settings=settings)
        return Contender(words(settings), lambda: model(given))

    tried = {words(settings): settings for settings in (RULE, *candidates(batch))}
    entrants = {name: contender(settings) for name, settings in tried.items()}
    heat = turns(list(entrants.values()), seconds=seconds * 2 / 3, watch=_first(watch))
    times = {name: median(of) for name, of in heat.items()}
    rule = words(RULE)
    best = min((name for name in times if name != rule), key=lambda name: times[name])
    final = turns([entrants[rule], entrants[best]], seconds=seconds / 3, watch=_second(watch))
    gain = paired_ratio(final[rule], final[best])
    settings = tried[best] if gain.low >= GAIN else RULE
    return TunedClass(shape_class(batch, length), batch, length, settings, gain, times)


def _part(watch: Watch | None, done: int, total: int) -> Watch | None:
    return None if watch is None else lambda part: watch((done + part) / total)


def _first(watch: Watch | None) -> Watch | None:
    return None if watch is None else lambda part: watch(part * 2 / 3)


def _second(watch: Watch | None) -> Watch | None:
    return None if watch is None else lambda part: watch((2 + part) / 3)
