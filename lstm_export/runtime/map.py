"""Results for sequences as they come: read ahead a little, run in batches on all cores.

Reading ahead goes by windows. While the results of one are taken, the next one runs; so at most
two are in memory, each of up to WINDOW batches for every core, or WINDOW_VALUES values. The first
windows are smaller, so that the cores have something to do soon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.buckets import ROWS, cut
from lstm_export.runtime.lanes import LANE_WORK, lanes_for, plan_of
from lstm_export.runtime.packing import UncleanError
from lstm_export.runtime.progress import Progress, checked_progress
from lstm_export.runtime.ragged import Rows

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array

T = TypeVar("T")
R = TypeVar("R")
WINDOW = 4
"""Batches for every core that are read ahead: enough to cut them by length."""
WINDOW_VALUES = 1 << 22
"""Values that are read ahead at most, but for one sequence that is longer: 16 MiB."""
_STEPS = 1 << 40  # however many steps there are, so that more cores pay


def mapped(
    rows: Rows[T, R],
    sequences: Iterable[object],
    *,
    batch_size: int | None,
    progress: Progress,
) -> Iterator[R]:
    """`ForecastModel.map`. What makes no sense is told now, not at the first result."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer | None):
        raise OptionError(f"batch_size must be an integer ≥ 1 or None, got {batch_size!r}")
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"batch_size must be an integer ≥ 1 or None, got {batch_size!r}")
    told = checked_progress(progress)
    try:
        source = iter(sequences)
    except TypeError:
        raise InputError(
            f"map: expected an iterable of sequences, got {type(sequences).__name__}"
        ) from None
    return _results(_Source(rows, source), rows, batch_size, told)


def _results(
    source: _Source,
    rows: Rows[T, R],
    batch_size: int | None,
    told: Callable[[int], object] | None,
) -> Iterator[R]:
    size = ROWS if batch_size is None else int(batch_size)
    lanes = lanes_for(rows.graphs, _STEPS, _STEPS)
    pool = ThreadPoolExecutor(lanes, "lstm-export-map")
    windows: deque[_Window[T, R]] = deque()
    done, ahead = 0, 1
    try:
        while True:
            while len(windows) < 2 and not source.ended:
                first = source.count
                items = source.read(size * lanes * ahead)
                ahead = min(2 * ahead, WINDOW)
                windows.append(_Window(rows, items, first, batch_size, lanes, pool))
            if not windows:
                break
            for result in windows.popleft().results():
                done += 1
                if told is not None:
                    told(done)
                yield result
        if source.error is not None:
            raise source.error
    finally:
        pool.shutdown(cancel_futures=True)
        close = getattr(told, "close", None)
        if close is not None:
            close()


class _Source:
    """The iterable, and the error at which it ended, if it did."""

    def __init__(self, rows: Rows[Any, Any], source: Iterator[object]) -> None:
        self._rows, self._source = rows, source
        self.count = 0
        self.ended = False
        self.error: Exception | None = None

    def read(self, most: int) -> list[Array]:
        """Up to `most` sequences, checked; they are ours, whatever the iterable does with its."""
        items: list[Array] = []
        values = 0
        while len(items) < most and values < WINDOW_VALUES:
            try:
                item = next(self._source)
            except StopIteration:
                self.ended = True
                break
            except Exception as error:
                error.add_note(f"raised by the iterable in place of its item {self.count}")
                self.ended, self.error = True, error
                break
            try:
                own = self._own(item)
            except InputError as error:
                self.ended, self.error = True, error
                break
            items.append(own)
            values += own.size
            self.count += 1
        return items

    def _own(self, item: object) -> Array:
        """A copy: who yields may well use its array again."""
        rows, name = self._rows, _name(self.count)
        if rows.fits(item):
            return item.copy()  # type: ignore[no-any-return, attr-defined]
        own = rows.checked(rows.read(item, name), name)
        return own.copy() if type(item) is np.ndarray and np.may_share_memory(own, item) else own


class _Window(Generic[T, R]):
    """Sequences that are being run, the first of them number `first` of all."""

    def __init__(
        self,
        rows: Rows[T, R],
        items: list[Array],
        first: int,
        batch_size: int | None,
        lanes: int,
        pool: ThreadPoolExecutor,
    ) -> None:
        graphs, check = rows.graphs, rows.checks
        self._rows, self._items, self._first = rows, items, first
        self._places: list[tuple[int, int]] = [(0, 0)] * len(items)
        self._batches: list[Future[T]] = []
        buckets = cut(
            [len(item) for item in items],
            work=graphs.work,
            width=rows.width,
            rows=batch_size,
            at_most=rows.most(items) if items else None,
            pads=rows.pads,
        )
        # Handing it to another thread would take longer.
        small = sum(map(len, items)) * graphs.work < LANE_WORK * lanes
        for number, bucket in enumerate(buckets):
            how = plan_of(graphs, lanes, len(bucket.positions), bucket.length)
            mine = [items[i] for i in bucket.positions]
            run = partial(rows.run, mine, how, check=check)
            self._batches.append(_done(run) if small else pool.submit(run))
            for row, position in enumerate(bucket.positions):
                self._places[position] = number, row

    def results(self) -> Iterator[R]:
        """In the order of the sequences, each as soon as it is there. Raises InputError."""
        rows = self._rows
        there: list[T | None] = [None] * len(self._batches)
        for position, (number, row) in enumerate(self._places):
            batch = there[number]
            if batch is None:
                try:
                    batch = self._batches[number].result()
                    there[number] = batch
                except UncleanError:
                    yield self._alone(position)
                    continue
            yield rows.one(batch, row)

    def _alone(self, position: int) -> R:
        """The result for one of a batch in which a value is refused, if that one is clean."""
        item = self._items[position]
        self._rows.checked(item, _name(self._first + position))
        how = self._rows.graphs.plan(1, len(item))
        return self._rows.one(self._rows.run([item], how, check=False), 0)


def _done(run: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    try:
        future.set_result(run())
    except Exception as error:
        future.set_exception(error)
    return future


def _name(number: int) -> str:
    return f"item {number}"
