"""How far the forecasts of one part of the data missed, for every step ahead."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from lstm_export.contract import Forecast
from lstm_export.data.series import Series
from lstm_export.data.windows import Rows, window_targets
from lstm_export.nn.forecaster import Forecaster
from lstm_export.training.evaluate import evaluation_batch, predict
from lstm_export.training.feed_back import feed_back

MOST_STEPS = 128
"""Steps ahead to which a one-step model is fed back."""
MOST_WINDOWS, LEAST_WINDOWS = 1000, 200
"""Windows from which it is fed back: the most, and what costs do not go below."""
_ROWS = 1 << 20
"""Rows through the layers that feeding back may cost."""

Residuals = npt.NDArray[np.float64]


def residuals_ahead(model: Forecaster, series: Series, starts: Rows) -> list[Residuals]:
    """truth − forecast in raw units, (windows, targets) for each step ahead.

    `starts` are all windows of one part, ascending; no row of another part's future is read. A
    model that is not fed back gives the steps of its `horizon`. One that is gives every step that
    at least half of the windows reach before part or segment ends, up to MOST_STEPS, and of very
    many windows evenly spaced ones are taken.
    """
    terms = model.forecast
    if not len(starts):
        return []
    if not terms.feeds_back or terms.window.horizon > 1:
        truth = window_targets(series, starts, terms.window)
        missed = truth - predict(model, series.values, starts)
        return list(missed.transpose(1, 0, 2))
    left = steps_left(starts)
    chosen = _evenly(len(starts), _affordable(terms, _reached_by_half(left)))
    starts, left = starts[chosen], left[chosen]
    steps = _reached_by_half(left)
    wanted = np.minimum(left, steps)
    pieces: list[list[Residuals]] = [[] for _ in range(steps)]
    size = evaluation_batch(model.forecast)
    values = torch.from_numpy(series.values.astype(np.float32)).to(model.offset.device)
    with torch.no_grad():
        for first in range(0, len(starts), size):
            batch = slice(first, first + size)
            ahead = feed_back(model, values, starts[batch], wanted[batch])
            for piece, (rows, forecast) in zip(pieces, ahead, strict=False):
                piece.append(series.target_values[rows] - forecast)
    return [np.concatenate(piece) for piece in pieces]


def steps_left(starts: Rows) -> Rows:
    """For one-step windows, all of one part: how many steps each may go on within its part.

    The truth of a window's next step is that of its right neighbour's first. Where part or
    segment ends the run of neighbours does, too: the next segment's first window starts a whole
    history later.
    """
    last = np.flatnonzero(np.append(np.diff(starts) != 1, True))
    places = np.arange(len(starts))
    return np.asarray(last[np.searchsorted(last, places)] - places + 1)


def _reached_by_half(left: Rows) -> int:
    return min(int(np.sort(left)[len(left) // 2]), MOST_STEPS)


def _affordable(terms: Forecast, steps: int) -> int:
    """How many windows to go on from: a model of two directions reads its window at each step."""
    history = terms.window.history
    rows = history + steps if terms.causal else history * steps
    return min(MOST_WINDOWS, max(LEAST_WINDOWS, _ROWS // rows))


def _evenly(count: int, most: int) -> Rows:
    """The positions of at most `most` of `count` things, evenly spaced, first and last among."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(np.int64)
