"""One step of a stream, and many steps ahead, beside what one would write by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.bench.field import OURS, TORCH, Field
from lstm_export.bench.graph_layers import recurrent_layers
from lstm_export.bench.inputs import Feeds, feeds_for
from lstm_export.bench.limit import recurrent_flops
from lstm_export.bench.plain_session import plain_runner
from lstm_export.bench.subject import Subject
from lstm_export.bench.torch_cells import cell_step
from lstm_export.bench.torch_models import TorchModel
from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import Forecast

DICTS = "stream graph, run with dicts"
CELLS = "torch cells (recurrent layers alone)"
_INITIAL, _FINAL = "initial_", "final_"


class ByHand:
    """A stream graph run step by step, its state handed on; `run` takes feeds, gives outputs."""

    def __init__(self, run: Callable[[Feeds], Any], outputs: tuple[str, ...], start: Feeds) -> None:
        self._run, self._outputs, self._state = run, outputs, dict(start)

    def remember(self, rows: Any) -> None:
        """The raw rows before the first, for a model on differences."""
        self._state[_INITIAL + "rows"] = rows

    def step(self, x: Feeds) -> Any:
        """The first output; the state goes on."""
        results = dict(zip(self._outputs, self._run({**x, **self._state}), strict=True))
        for name, value in results.items():
            if name.startswith(_FINAL):
                self._state[_INITIAL + name.removeprefix(_FINAL)] = value
        return next(iter(results.values()))


def stream_field(subject: Subject, model: Any, torch: TorchModel | str, batch: int) -> Field:
    """One step of `batch` series, after as many as the model needs before it says anything."""
    graph = subject.graphs[LAYOUT.stream]
    field = Field("stream", batch, 1, recurrent_flops(graph, batch, 1))
    feeds = feeds_for(subject, LAYOUT.stream, batch, 1)
    step, start = _parted(feeds)
    stream = model.stream(batch)
    row = {name: value[:, 0] for name, value in step.items()}
    only = next(iter(row.values())) if len(row) == 1 else row
    for _ in range(subject.terms.window.difference if subject.terms else 0):
        stream.step(only)
    field.enter(OURS, lambda: stream.step(only))
    plain = plain_runner(subject.content(LAYOUT.stream), str(subject.files[LAYOUT.stream]))
    dicts = ByHand(plain, _names(subject), start)
    field.enter(DICTS, lambda: dicts.step(step))
    if isinstance(torch, str):
        field.missing.update({TORCH: torch, CELLS: torch})
        return field
    by_cells = cell_step(recurrent_layers(graph), batch)
    if isinstance(by_cells, str):
        field.missing[CELLS] = by_cells
    else:
        field.enter_torch(CELLS, by_cells)
    run = torch_stream(torch)
    if isinstance(run, str):
        field.missing[TORCH] = run
    else:
        live = ByHand(run, _names(subject), _tensors(start))
        tensors = _tensors(step)
        field.enter_torch(_named(torch), lambda: live.step(tensors))
    return field


def forecast_field(
    subject: Subject, model: Any, torch: TorchModel | str, batch: int, horizon: int
) -> Field:
    """A forecast of `horizon` steps, further than the model was trained for, from one history."""
    terms = subject.terms
    assert terms is not None
    history = terms.window.history
    x = feeds_for(subject, LAYOUT.model, batch, history)["x"]
    steps = history + horizon - 1
    field = Field("forecast", batch, horizon, recurrent_flops(subject.model, batch, steps))
    ours = model.forecast(x, horizon=horizon)
    field.enter(OURS, lambda: model.forecast(x, horizon=horizon))
    plain = plain_runner(subject.content(LAYOUT.stream), str(subject.files[LAYOUT.stream]))
    _, start = _parted(feeds_for(subject, LAYOUT.stream, batch, 1))
    names, per_step = _names(subject), "stream graph, one run per step"

    def by_hand() -> Any:
        return _fed_back(ByHand(plain, names, start), terms, x, horizon, np.concatenate)

    field.enter(per_step, by_hand)
    field.compare(per_step, by_hand(), ours)
    run = torch_stream(torch)
    if isinstance(run, str):
        field.missing[TORCH] = run
        return field
    import torch as library

    tensor, first = library.from_numpy(x), _tensors(start)

    def loop() -> Any:
        return _fed_back(ByHand(run, names, first), terms, tensor, horizon, library.cat)

    field.enter_torch(f"{_named(torch)} loop", loop)
    return field


def torch_stream(torch: TorchModel | str) -> Callable[[Any], Any] | str:
    """A run's model in torch, fed and answering as its stream graph does; or why there is none."""
    if isinstance(torch, str):
        return torch
    from lstm_export.nn.forecaster import Forecaster
    from lstm_export.nn.forms import module_of
    from lstm_export.nn.sequence_model import SequenceModel

    if not isinstance(torch.module, Forecaster | SequenceModel):
        return "only the model of a run is known to stream as a whole in torch"
    module: Any = module_of(torch.module, LAYOUT.stream)
    return lambda feeds: module(*feeds.values())


def _fed_back(stream: ByHand, terms: Forecast, x: Any, horizon: int, join: Any) -> Any:
    lag = terms.window.difference
    if lag:
        stream.remember(x[:, :lag])
    outputs = [stream.step({"x": x[:, lag:]})[:, -1]]
    while len(outputs) < horizon:
        outputs.append(stream.step({"x": outputs[-1]})[:, -1])
    return join(outputs, 1)


def _parted(feeds: Feeds) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]:
    """Data and starting state, which is zeros."""
    data = {name: value for name, value in feeds.items() if not name.startswith(_INITIAL)}
    state = {name: np.zeros_like(v) for name, v in feeds.items() if name.startswith(_INITIAL)}
    return data, state


def _names(subject: Subject) -> tuple[str, ...]:
    return tuple(spec.name for spec in subject.spec(LAYOUT.stream).outputs)


def _tensors(feeds: Feeds) -> dict[str, Any]:
    import torch

    return {name: torch.from_numpy(value) for name, value in feeds.items()}


def _named(torch: TorchModel | str) -> str:
    what = "" if isinstance(torch, str) else torch.what
    return f"{TORCH} ({what})" if what else TORCH
