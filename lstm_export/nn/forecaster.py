"""The forecaster: front end → recurrent → head, with every preprocessing step inside.

In raw units, for K = `window.difference` and an input x of shape
(batch, sequence_length, input_size)::

    d[t] = x[t] − x[t−K]                       (d = x where K is 0)
    z[t] = (d[t] − offset) / scale
    p    = head(recurrent(z)) · target_scale + target_offset
    x̂[t+h] = p[h] + x̂[t+h−K]                   where x̂ is x up to t

Both modules below are traced as they stand, so what is trained, exported and verified is one
set of equations.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils.rnn import PackedSequence

from lstm_export.contract import Forecast, Recurrent
from lstm_export.nn.trainable import Trainable

_LAST_STEP = 3
"""Dimensions of targets that follow a window's last step alone."""


class Forecaster(Trainable):
    """Raw rows in, the next `horizon` rows of the targets out.

    The state_dict holds `recurrent.*` and `head.*`; scaling is part of the contract, not of the
    weights.
    """

    offset: Tensor
    scale: Tensor
    target_offset: Tensor
    target_scale: Tensor

    def __init__(self, forecast: Forecast, dropout: float = 0.0) -> None:
        super().__init__()
        spec = forecast.recurrent
        self.forecast = forecast
        self.recurrent = recurrent_layers(spec, dropout)
        self.dropout = nn.Dropout(dropout)
        width = spec.state_size * spec.num_directions
        self.head = nn.Linear(width, forecast.window.horizon * len(forecast.targets))
        for name, values in (
            ("offset", forecast.input_scaling.offset),
            ("scale", forecast.input_scaling.scale),
            ("target_offset", forecast.target_scaling.offset),
            ("target_scale", forecast.target_scaling.scale),
        ):
            self.register_buffer(name, torch.tensor(values), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, sequence_length, features) in raw units to (batch, horizon, targets).

        sequence_length is at least `window.shortest`.
        """
        lag = self.forecast.window.difference
        differences = x[:, lag:] - x[:, :-lag] if lag else x
        predicted = self.unscale(self.scaled((differences - self.offset) / self.scale))
        if not lag:
            return predicted
        known = self.targets_of(x[:, -lag:])[:, : self.forecast.window.horizon]
        return add_back(predicted, known, lag)

    def scaled(self, z: Tensor | PackedSequence) -> Tensor:
        """The trained part: (batch, context_length, features) to (batch, horizon, targets).

        Both sides are differenced and scaled. Packed sequences may differ in length.
        """
        return self.predict_from(self.last(z))

    def last(self, z: Tensor | PackedSequence) -> Tensor:
        """What the layers hold at the end of each sequence: (batch, width)."""
        _, state = self.recurrent(z)
        hidden: Tensor = state[0] if isinstance(state, tuple) else state
        if self.forecast.recurrent.bidirectional:
            return torch.cat([hidden[-2], hidden[-1]], dim=-1)
        return hidden[-1]

    def scaled_steps(self, z: Tensor, steps: int) -> Tensor:
        """What `scaled` would say after each of the last `steps` steps, of causal models only.

        (batch, context_length, features) to (batch, steps, horizon, targets). Training learns from
        all of them; the last is `scaled`.
        """
        y, _ = self.recurrent(z)
        return self.predict_from(y[:, -steps:])

    def loss(self, z: Tensor, truth: Tensor) -> Tensor:
        """The mean squared error of z (batch, context_length, features), all scaled.

        `truth` is (batch, horizon, targets) after the last step, or (batch, steps, horizon,
        targets) after each of the last `steps`.
        """
        last = truth.dim() == _LAST_STEP
        predicted = self.scaled(z) if last else self.scaled_steps(z, truth.shape[1])
        return mse_loss(predicted.float(), truth)

    def predict_from(self, features: Tensor) -> Tensor:
        """The head: (..., width) to (..., horizon, targets), scaled."""
        horizon, targets = self.forecast.window.horizon, len(self.forecast.targets)
        flat: Tensor = self.head(self.dropout(features))
        return torch.unflatten(flat, -1, (horizon, targets))

    def unscale(self, predicted: Tensor) -> Tensor:
        """Scaled differences of the targets in raw units."""
        return predicted * self.target_scale + self.target_offset

    def targets_of(self, x: Tensor) -> Tensor:
        """The target columns, on the last axis, of raw rows."""
        positions = self.forecast.target_positions
        if positions == tuple(range(len(self.forecast.features))):
            return x
        return torch.stack([x[..., position] for position in positions], dim=-1)


class ForecasterStream(nn.Module):
    """The same forecaster as a state machine: a forecast for every step, state in and out.

    Inputs are `x` (batch, sequence_length, features), `initial_h`, for an LSTM `initial_c`, and
    with differencing `initial_rows` (batch, K, features), the K raw rows before x. Outputs are
    `output` (batch, sequence_length, horizon, targets) and the matching `final_*`.
    """

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        if not model.forecast.causal:
            raise ValueError("a model of two directions needs the whole sequence: it cannot stream")
        self.model = model
        self.head = RawHead(model)

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        forecast = self.model.forecast
        lag = forecast.window.difference
        carried, rows = (state[:-1], state[-1]) if lag else (state, None)
        seen = x if rows is None else torch.cat([rows, x], dim=1)
        differences = x if rows is None else x - seen[:, :-lag]
        z = (differences - self.model.offset) / self.model.scale
        initial = carried if forecast.recurrent.cell == "lstm" else carried[0]
        y, final = self.model.recurrent(z, initial)
        predicted = self.head(y)
        final = final if isinstance(final, tuple) else (final,)
        if rows is None:
            return (predicted, *final)
        known = self._known(self.model.targets_of(seen))
        return (add_back(predicted, known, lag), *final, seen[:, -lag:])

    def _known(self, seen: Tensor) -> Tensor:
        """For each step t the raw targets at t+1−K, t+2−K, …: (batch, length, ≤ K, targets)."""
        lag = self.model.forecast.window.difference
        count = min(self.model.forecast.window.horizon, lag)
        # Slices from both ends: a length computed in the graph would cost nodes of its own.
        steps = [seen[:, 1 + h : h + 1 - lag if h + 1 < lag else None] for h in range(count)]
        return torch.stack(steps, dim=2) if count > 1 else steps[0].unsqueeze(2)


class RawHead(nn.Module):
    """The head and the scaling of its targets as one linear map, in raw units.

    W·scale and b·scale + offset are computed in float64.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.horizon = model.forecast.window.horizon
        self.targets = len(model.forecast.targets)
        scale, offset = (
            of.detach().double().repeat(self.horizon)
            for of in (model.target_scale, model.target_offset)
        )
        dtype = model.head.weight.dtype
        weight = model.head.weight.detach().double() * scale.unsqueeze(1)
        bias = model.head.bias.detach().double() * scale + offset
        self.register_buffer("weight", weight.to(dtype), persistent=False)
        self.register_buffer("bias", bias.to(dtype), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """(..., width) to (..., horizon, targets)."""
        if self.horizon == 1 and features.ndim == 3:
            # Without the shape arithmetic that unflattening a sequence would leave in a graph.
            return nn.functional.linear(features.unsqueeze(2), self.weight, self.bias)
        flat = nn.functional.linear(features, self.weight, self.bias)
        return torch.unflatten(flat, -1, (self.horizon, self.targets))


def recurrent_layers(spec: Recurrent, dropout: float) -> nn.RNNBase:
    """The torch layers for `spec`, batch first; dropout acts between layers."""
    cells: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
    projection = {"proj_size": spec.proj_size} if spec.proj_size else {}
    return cells[spec.cell](
        spec.input_size,
        spec.hidden_size,
        spec.num_layers,
        batch_first=True,
        bidirectional=spec.bidirectional,
        dropout=dropout if spec.num_layers > 1 else 0.0,
        **projection,
    )


def add_back(predicted: Tensor, known: Tensor, lag: int) -> Tensor:
    """Undoes differencing along the horizon: x̂[h] = predicted[h] + x̂[h−K].

    `predicted` is (..., horizon, targets); `known` (..., min(horizon, K), targets) holds the last
    K known values, oldest first, as far as the horizon reaches.
    """
    horizon = predicted.shape[-2]
    if horizon <= lag:
        return predicted + known
    # Steps that lie K apart build on each other: one row of the grid per round, summed downwards.
    rounds = -(-horizon // lag)
    padded = nn.functional.pad(predicted, (0, 0, 0, rounds * lag - horizon))
    grid = torch.unflatten(padded, -2, (rounds, lag)).cumsum(dim=-3) + known.unsqueeze(-3)
    return grid.flatten(-3, -2)[..., :horizon, :]
