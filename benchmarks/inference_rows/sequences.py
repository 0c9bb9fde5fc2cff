"""Whole sequences: one call of the public API beside torch, the stock graph and OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch

import lstm_export
from inference_rows.models import Config, module_bundle
from inference_rows.row import OURS, Row
from lstm_export.bench.interleave import Contender, take_turns
from lstm_export.bench.limit import measured_peak, recurrent_flops
from lstm_export.bench.onnx_bytes import identity_graph
from lstm_export.bench.openvino_side import NAME as OPENVINO
from lstm_export.bench.openvino_side import openvino_runner
from lstm_export.bench.plain_session import plain_runner
from lstm_export.bench.stock_graph import stock_graph
from lstm_export.bench.torch_side import inference, torch_contenders
from lstm_export.bundle.onnx_file import read_onnx

STOCK, IDENTITY, OWN = "stock graph, run", "identity graph, run", "own graph, run"
SINGLE = (Config(1, 20, 1, 1, 1), Config(1, 20, 1, 1, 4))
LONG = (Config(1, 50, 2, 1, 100),)
WIDE = (Config(8, 128, 2, 1, 100),)
TWO_DIRECTIONS = (Config(32, 256, 2, 1, 200, bidirectional=True),)
BATCHES = (Config(8, 128, 2, 64, 100), Config(1, 50, 2, 32, 100))
LARGE = (Config(64, 512, 2, 32, 50),)


def sequence_row(name: str, config: Config, folder: Path, seconds: float) -> Row:
    """Times one configuration; the bounds are those of the row's name."""
    path, module = module_bundle(config, folder)
    x = np.random.default_rng(0).normal(size=(config.batch, config.length, config.input_size))
    x = x.astype(np.float32)
    feeds, tensor = {"x": x}, torch.from_numpy(x)
    model = lstm_export.load(path)
    file = path / "model.onnx"
    plain, stock = plain_runner(file.read_bytes(), str(file)), stock_graph(module, (tensor,))
    stock_run = plain_runner(stock, "the stock graph")
    identity = onnxruntime.InferenceSession(
        identity_graph(3), _one_thread(), providers=["CPUExecutionProvider"]
    )
    row = Row(name, str(config))
    answers = {
        OURS: np.asarray(model(x)),
        STOCK: stock_run(feeds)[0],
        OWN: plain(feeds)[0],
    }
    eager, left_out = torch_contenders("torch", lambda: module(tensor))
    row.missing |= left_out
    contenders = [
        Contender(OURS, lambda: model(x)),
        *eager,
        Contender(STOCK, lambda: stock_run(feeds)),
        Contender(OWN, lambda: plain(feeds)),
    ]
    if config in SINGLE:
        contenders.append(Contender(IDENTITY, lambda: identity.run(None, feeds)))
    try:
        openvino = openvino_runner(file.read_bytes())
        answers[OPENVINO] = next(iter(openvino(feeds).values()))  # type: ignore[attr-defined]
        contenders.append(Contender(OPENVINO, lambda: openvino(feeds)))
    except ImportError:
        row.missing[OPENVINO] = "not installed: pip install openvino"
    with torch.inference_mode():
        expected = module(tensor).numpy()
    for who, answer in answers.items():
        np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-4, err_msg=who)
    with inference():
        row.times = take_turns(contenders, seconds=seconds)
    flops = recurrent_flops(read_onnx(file), config.batch, config.length)
    row.floor = measured_peak().floor(flops)
    _bounds(row, config)
    return row


def _bounds(row: Row, config: Config) -> None:
    torch_names = [name for name in row.times if name.startswith("torch")]
    if config in SINGLE:
        row.at_least(6.0, *torch_names)
        row.at_least(2.0, STOCK)
        row.at_most_above(5e-6, IDENTITY)
    elif config in LONG:
        row.at_least(2.5, *torch_names)
        row.at_least(3.3, OPENVINO)
    elif config in WIDE:
        row.at_least(1.4, *torch_names)
        row.at_least(1.2, OPENVINO)
    elif config in TWO_DIRECTIONS:
        row.at_least(1.05, *torch_names)
        row.at_least(1.05, OPENVINO)
    elif config in BATCHES:
        row.at_least(1.0, *torch_names, OPENVINO)
    else:
        row.at_least(0.75, *torch_names, OPENVINO)


def _one_thread() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return options
