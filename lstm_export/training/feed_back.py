"""A one-step model that goes on from its own forecasts, from many windows at once.

It is what the runtime does (`ForecastModel.forecast`), in torch: a model of one direction carries
its state on from step to step, one of two reads the last `window.history` rows again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstm_export.data.windows import Rows
from lstm_export.nn.forecaster import Forecaster, ForecasterStream


def feed_back(
    model: Forecaster, values: Tensor, starts: Rows, steps: Rows
) -> Iterator[tuple[Rows, npt.NDArray[np.float64]]]:
    """Forecasts 1, 2, … steps ahead, each made from those before it.

    `values` (rows, features), float32, lies where the model does. For each step come the rows
    that are forecast, from those of the windows at `starts` of which `steps` (both (windows,))
    wants so many, and the forecasts, (rows, targets), in raw units. Features that the model does
    not predict are taken from `values`, of rows before the one that is forecast. The caller says
    that no gradient is needed.
    """
    terms = model.forecast
    positions = list(terms.target_positions)
    windows = values.unfold(0, terms.window.history, 1).transpose(1, 2)
    rows, step = starts + terms.window.history, 1
    x = windows[_index(starts, values)]
    state = _Carried(model, x) if terms.causal else _Sliding(model, x)
    while True:
        yield rows, state.forecast.cpu().double().numpy()
        (going_on,) = np.nonzero(steps > step)
        if not len(going_on):
            return
        rows, steps, step = rows[going_on] + 1, steps[going_on], step + 1
        kept = _index(going_on, values)
        ahead = values[_index(rows - 1, values)]
        ahead[:, positions] = state.forecast[kept]
        state.advance(kept, ahead)


class _Carried:
    """Layers that carry their state on."""

    def __init__(self, model: Forecaster, x: Tensor) -> None:
        spec, lag = model.forecast.recurrent, model.forecast.window.difference
        self._stream = ForecasterStream(model)
        h = x.new_zeros(spec.num_layers, len(x), spec.state_size)
        c = (x.new_zeros(spec.num_layers, len(x), spec.hidden_size),) if spec.cell == "lstm" else ()
        self._recurrent = 1 + len(c)
        self._run(x[:, lag:], (h, *c, *((x[:, :lag],) if lag else ())))

    def advance(self, kept: Tensor, rows: Tensor) -> None:
        """One step on with `rows` (kept, features), of the windows `kept` alone."""
        state = [
            tensor[:, kept] if i < self._recurrent else tensor[kept]
            for i, tensor in enumerate(self._state)
        ]
        self._run(rows.unsqueeze(1), state)

    def _run(self, x: Tensor, state: tuple[Tensor, ...] | list[Tensor]) -> None:
        output, *self._state = self._stream(x, *state)
        self.forecast: Tensor = output[:, -1, 0]


class _Sliding:
    """A window that moves on by a row."""

    def __init__(self, model: Forecaster, x: Tensor) -> None:
        self._model, self._x = model, x
        self.forecast: Tensor = model(x)[:, 0]

    def advance(self, kept: Tensor, rows: Tensor) -> None:
        """One step on with `rows` (kept, features), of the windows `kept` alone."""
        self._x = torch.cat([self._x[kept, 1:], rows.unsqueeze(1)], dim=1)
        self.forecast = self._model(self._x)[:, 0]


def _index(places: npt.NDArray[np.int64] | npt.NDArray[np.intp], like: Tensor) -> Tensor:
    return torch.from_numpy(places.astype(np.int64)).to(like.device)
