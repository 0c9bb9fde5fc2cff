"""A model in the form of each graph of its bundle: the module that the graph must equal."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from lstm_export.nn.forecaster import Forecaster, ForecasterStream, RawHead, add_back
from lstm_export.nn.sequence_model import RaggedSequenceModel, SequenceModel, SequenceStream


class WholeForecaster(nn.Module):
    """The forecaster as it is deployed: the head gives raw units at once."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model
        self.head = RawHead(model)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, sequence_length, features) to (batch, horizon, targets), both in raw units.

        sequence_length is at least `window.shortest`.
        """
        model, window = self.model, self.model.forecast.window
        lag = window.difference
        differences = x[:, lag:] - x[:, :-lag] if lag else x
        predicted: Tensor = self.head(model.last((differences - model.offset) / model.scale))
        if not lag:
            return predicted
        return add_back(predicted, model.targets_of(x[:, -lag:])[:, : window.horizon], lag)


class ForecasterFeedback(nn.Module):
    """The stream, fed its own forecasts: each one, beside the known features, is the next row."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        if not model.forecast.feeds_back:
            raise ValueError("a forecast of this model is no next row")
        self.stream = ForecasterStream(model)
        terms = model.forecast
        targets, known = ([c.name for c in some] for some in (terms.targets, terms.known))
        self.order = [[*targets, *known].index(column.name) for column in terms.features]

    def forward(self, x: Tensor, horizon: Tensor, future: Tensor | None = None) -> Tensor:
        """(batch, sequence_length, features) to (batch, horizon, targets), both in raw units.

        `future` (batch, horizon − 1 or more, known features) are the rows after x.
        """
        terms = self.stream.model.forecast
        lag, spec = terms.window.difference, terms.recurrent
        h = x.new_zeros(spec.num_layers, len(x), spec.state_size)
        state = [h]
        if spec.cell == "lstm":
            state.append(x.new_zeros(spec.num_layers, len(x), spec.hidden_size))
        if lag:
            state.append(x[:, :lag])
        output, *state = self.stream(x[:, lag:], *state)
        outputs = [output[:, -1]]
        while len(outputs) < int(horizon):
            row = outputs[-1]
            if future is not None:
                row = torch.cat([row, future[:, len(outputs) - 1, None]], dim=2)
            output, *state = self.stream(row[:, :, self.order], *state)
            outputs.append(output[:, -1])
        return torch.cat(outputs, dim=1)


class RaggedForecaster(nn.Module):
    """The forecaster on a padded batch: each sequence as if it were alone."""

    def __init__(self, model: Forecaster) -> None:
        super().__init__()
        self.model = model
        self.head = RawHead(model)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(batch, sequence_length, features) to (batch, horizon, targets), both in raw units.

        `lengths` (batch,) count the raw rows of each sequence, `window.shortest` or more.
        """
        model, window = self.model, self.model.forecast.window
        lag = window.difference
        differences = x[:, lag:] - x[:, :-lag] if lag else x
        z = (differences - model.offset) / model.scale
        packed = pack_padded_sequence(z, lengths - lag, batch_first=True, enforce_sorted=False)
        predicted: Tensor = self.head(model.last(packed))
        if not lag:
            return predicted
        steps = torch.arange(min(lag, window.horizon), device=x.device)
        places = ((lengths - lag).unsqueeze(1) + steps).unsqueeze(2)
        rows = torch.gather(x, 1, places.expand(-1, -1, x.shape[2]))
        return add_back(predicted, model.targets_of(rows), lag)


class WholeSequenceModel(nn.Module):
    """The model on sequences of one length."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.model(x)
        return answer


_FORECASTS = {
    "model.onnx": WholeForecaster,
    "stream.onnx": ForecasterStream,
    "forecast.onnx": ForecasterFeedback,
    "ragged.onnx": RaggedForecaster,
}
_SEQUENCES = {
    "model.onnx": WholeSequenceModel,
    "stream.onnx": SequenceStream,
    "ragged.onnx": RaggedSequenceModel,
}


def module_of(model: Forecaster | SequenceModel, graph: str) -> nn.Module:
    """`model` in the form of a graph, by file name, in eval mode."""
    if isinstance(model, SequenceModel):
        return _SEQUENCES[graph](model).eval()
    form: nn.Module = _FORECASTS[graph](model)
    return form.eval()
