"""Results for sequences as they come: read ahead a little, run in batches on all cores.

Reading ahead goes by windows. While the results of one are taken, the next one runs; so at most
two are in memory, each of up to WINDOW batches for every core, or WINDOW_VALUES values.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from lstm_export.errors import InputError, OptionError
from lstm_export.runtime.buckets import ROWS, cut
from lstm_export.runtime.feed import as_array
from lstm_export.runtime.lanes import lanes_for, plan_of
from lstm_export.runtime.progress import Progress, checked_progress

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.ragged import ForecastRows

WINDOW = 4
"""Batches for every core that are read ahead: enough to cut them by length."""
WINDOW_VALUES = 1 << 22
"""Values that are read ahead at most, but for one sequence that is longer: 16 MiB."""
_STEPS = 1 << 40  # however many steps there are, so that more cores pay


def mapped(
    rows: ForecastRows,
    sequences: Iterable[object],
    *,
    batch_size: int | None,
    progress: Progress,
) -> Iterator[Array]:
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
    rows: ForecastRows,
    batch_size: int | None,
    told: Callable[[int], object] | None,
) -> Iterator[Array]:
    size = ROWS if batch_size is None else int(batch_size)
    lanes = lanes_for(rows.graphs, _STEPS, _STEPS)
    pool = ThreadPoolExecutor(lanes, "lstm-export-map")
    windows: deque[_Window] = deque()
    done = 0
    try:
        while True:
            while len(windows) < 2 and not source.ended:
                items = source.read(size * lanes * WINDOW)
                windows.append(_Window(rows, items, batch_size, lanes, pool))
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

    def __init__(self, rows: ForecastRows, source: Iterator[object]) -> None:
        self._rows, self._source = rows, source
        self._count = 0
        self.ended = False
        self.error: Exception | None = None

    def read(self, most: int) -> list[Array]:
        """Up to `most` sequences, checked; they are ours, whatever the iterable does with its."""
        items: list[Array] = []
        values, feed = 0, self._rows.feed
        while len(items) < most and values < WINDOW_VALUES:
            try:
                item = next(self._source)
            except StopIteration:
                self.ended = True
                break
            except Exception as error:
                error.add_note(f"raised by the iterable in place of its item {self._count}")
                self.ended, self.error = True, error
                break
            name = f"item {self._count}"
            try:
                array = feed.sequence(as_array(item, name), name)
                own = feed.checked(array, name)
            except InputError as error:
                self.ended, self.error = True, error
                break
            items.append(own.copy() if np.may_share_memory(own, array) else own)
            values += own.size
            self._count += 1
        return items


class _Window:
    """Sequences that are being run."""

    def __init__(
        self,
        rows: ForecastRows,
        items: list[Array],
        batch_size: int | None,
        lanes: int,
        pool: ThreadPoolExecutor,
    ) -> None:
        graphs = rows.graphs
        buckets = cut(
            [len(item) for item in items],
            work=graphs.work,
            width=rows.width,
            rows=batch_size,
            pads=rows.pads,
        )
        self._places: list[tuple[Future[Array], int]] = [None] * len(items)  # type: ignore[list-item]
        for bucket in buckets:
            how = plan_of(graphs, lanes, len(bucket.positions), bucket.length)
            mine = [items[i] for i in bucket.positions]
            future = pool.submit(rows.run, mine, how, check=False)
            for row, position in enumerate(bucket.positions):
                self._places[position] = future, row

    def results(self) -> Iterator[Array]:
        """In the order of the sequences, each as soon as it is there."""
        for future, row in self._places:
            yield future.result()[row]
