"""Steps of a stream, and many steps ahead, beside what one would write by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import lstm_export
from inference_rows.models import Cells, Config, forecaster_bundle
from inference_rows.row import OURS, Row
from lstm_export.bench.interleave import Contender, take_turns
from lstm_export.bench.limit import measured_peak, recurrent_flops
from lstm_export.bench.plain_session import plain_runner
from lstm_export.bench.torch_side import inference, torch_contenders
from lstm_export.bundle.onnx_file import read_onnx

STREAMS = (Config(1, 20, 1, 1, 1), Config(1, 50, 2, 1, 1))
AHEAD = (Config(1, 64, 1, 1, 100),)
HORIZON = 100
_STATE = ("initial_h", "initial_c")


class DictStream:
    """stream.onnx run with dicts, the state handed from one to the next."""

    def __init__(self, path: Path, config: Config, threads: int | None) -> None:
        file = path / "stream.onnx"
        self._run = plain_runner(file.read_bytes(), str(file), threads)
        self._shape = (config.num_layers, 1, config.hidden_size)
        self.reset()

    def reset(self) -> None:
        self._h, self._c = np.zeros((2, *self._shape), np.float32)

    def step(self, x: np.ndarray) -> np.ndarray:
        """(1, steps, features) to (1, steps, 1, targets)."""
        y, self._h, self._c = self._run({"x": x, "initial_h": self._h, "initial_c": self._c})
        return y


def stream_row(name: str, config: Config, folder: Path, seconds: float) -> Row:
    """One step of a stream."""
    path, forecaster = forecaster_bundle(config, folder)
    row = Row(name, f"{config.sizes.replace('-', ',')} one step")
    model = lstm_export.load(path)
    ours, cells = model.stream(), Cells(forecaster).eval()
    x = np.full((config.input_size,), 0.3, np.float32)
    chunk, tensor = x[None, None], torch.from_numpy(x)[None]
    plain = {f"dict run, {n or 'default'}": DictStream(path, config, n) for n in (None, 1)}
    with torch.inference_mode():
        for _ in range(3):  # three steps agree, the state with them
            expected = cells(tensor).numpy()[0]
            for answer in (ours.step(x), *(one.step(chunk)[0, 0] for one in plain.values())):
                np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-5)
    eager, left_out = torch_contenders("LSTMCell", lambda: cells(tensor))
    row.missing |= left_out
    contenders = [
        Contender(OURS, lambda: ours.step(x)),
        *eager,
        *(Contender(who, lambda one=one: one.step(chunk)) for who, one in plain.items()),
    ]
    with inference():
        row.times = take_turns(contenders, seconds=seconds)
    row.floor = measured_peak().floor(recurrent_flops(read_onnx(path / "stream.onnx"), 1, 1))
    row.at_least(3.0, *(who for who in row.times if who.startswith("LSTMCell")))
    row.at_least(1.5, *plain)
    return row


def ahead_row(name: str, config: Config, folder: Path, seconds: float) -> Row:
    """A forecast of 100 steps from a history of `config.length`."""
    path, forecaster = forecaster_bundle(config, folder)
    row = Row(name, f"{config.sizes.replace('-', ',')} {HORIZON} ahead of {config.length}")
    model = lstm_export.load(path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, config.length, config.input_size)).astype(np.float32)
    tensor = torch.from_numpy(x)
    dicts = {f"run per step, {n or 'default'}": DictStream(path, config, n) for n in (None, 1)}
    cells = Cells(forecaster).eval()
    whole, slow_whole = torch_contenders("torch loop", lambda: torch_loop(forecaster, tensor))
    by_cell, slow_cells = torch_contenders(
        "LSTMCell loop", lambda: cell_loop(forecaster, cells, tensor)
    )
    row.missing |= slow_whole | slow_cells
    contenders = [
        Contender(OURS, lambda: model.forecast(x, horizon=HORIZON)),
        *whole,
        *by_cell,
        *(Contender(who, lambda one=one: _ahead(one, x)) for who, one in dicts.items()),
    ]
    with inference():
        answers = {one.name: np.asarray(one.call()) for one in contenders}
    for who, answer in answers.items():
        np.testing.assert_allclose(answer, answers[OURS], rtol=1e-3, atol=1e-4, err_msg=who)
    with inference():
        row.times = take_turns(contenders, seconds=seconds)
    flops = recurrent_flops(read_onnx(path / "model.onnx"), 1, config.length + HORIZON - 1)
    row.floor = measured_peak().floor(flops)
    row.at_least(8.0, *(who for who in row.times if "loop" in who))
    row.at_least(1.3, *dicts)
    return row


def torch_loop(forecaster: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """nn.LSTM over the history, then one step of it for each that follows."""
    outputs, state, carried = [], None, x
    for _ in range(HORIZON):
        y, state = forecaster.recurrent((carried - forecaster.offset) / forecaster.scale, state)
        carried = forecaster.unscale(forecaster.predict_from(y[:, -1]))
        outputs.append(carried)
    return torch.cat(outputs, dim=1)


def cell_loop(forecaster: torch.nn.Module, cells: Cells, x: torch.Tensor) -> torch.Tensor:
    """nn.LSTM over the history, then nn.LSTMCell from its state."""
    y, (h, c) = forecaster.recurrent((x - forecaster.offset) / forecaster.scale)
    cells.state = [(h[k], c[k]) for k in range(len(h))]
    outputs = [forecaster.unscale(forecaster.predict_from(y[:, -1]))]
    while len(outputs) < HORIZON:
        outputs.append(cells(outputs[-1][:, 0]))
    return torch.cat(outputs, dim=1)


def _ahead(one: DictStream, x: np.ndarray) -> np.ndarray:
    one.reset()
    outputs = [one.step(x)[:, -1]]
    while len(outputs) < HORIZON:
        outputs.append(one.step(outputs[-1])[:, -1])
    return np.concatenate(outputs, axis=1)
