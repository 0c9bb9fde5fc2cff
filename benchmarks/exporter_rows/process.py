"""One export by lstm_export or Keras in a process of its own, for exporters.py.

Called with the paths of a request and of an answer, as lstm_export.doctor.stock_process is. Keras
builds the model of the row's name from its own layers, exports it with model.export and is compared
with its own predictions; that half needs neither torch nor anything of this package but NumPy.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Answer = Callable[..., None]
SHAPES = [(1, 1), (2, 5), (2, 9), (4, 5)]
"""The first is the one that Keras traces on torch."""
CLOSE = 1e-5


def main(asked: str, answered: str) -> None:
    request = json.loads(Path(asked).read_text(encoding="utf-8"))

    def tell(**answer: Any) -> None:
        Path(answered).write_text(json.dumps(answer), encoding="utf-8")

    tell(stage="importing")
    (ours if request["exporter"] == "lstm_export" else keras_export)(request, tell)


def ours(request: dict[str, Any], tell: Answer) -> None:
    """The file is verified by export_onnx itself, and judged as everybody's is."""
    import torch

    from lstm_export.doctor.stock_judge import judge_file, reason
    from lstm_export.errors import ExportError
    from lstm_export.exporting.export import export_onnx
    from lstm_export.exporting.source.example_inputs import example_arguments
    from lstm_export.exporting.source.factory import load_factory
    from lstm_export.exporting.tracing.call import describe_call
    from lstm_export.exporting.tracing.eager_axes import varying_axes

    torch.manual_seed(0)
    module = load_factory(request["source"]).eval()
    args, kwargs = example_arguments(module, request["example_shapes"])
    call = describe_call(module, args, kwargs)
    with tempfile.TemporaryDirectory() as folder:
        seconds, file = 0.0, Path(folder) / "model.onnx"
        for _ in range(request["rounds"]):
            tell(stage="exporting")
            start = time.perf_counter()
            try:
                export_onnx(module, args, file, kwargs=kwargs)
            except ExportError as error:
                tell(verdict="refuses", detail=reason(error).rstrip(":"))
                return
            seconds = time.perf_counter() - start
        tell(stage="running its file")
        verdict, detail, nodes = judge_file(module, call, varying_axes(module, call), file)
    tell(verdict=verdict, detail=detail, nodes=nodes, seconds=round(seconds, 2))


def keras_export(request: dict[str, Any], tell: Answer) -> None:
    import keras
    import onnxruntime

    from lstm_export.bundle.onnx_file import read_onnx

    name = request["source"].rpartition(":")[2]
    layers = keras.layers
    x = keras.Input((None,), dtype="int32") if name == "attention" else keras.Input((None, 3))
    rows: dict[str, Callable[[], Any]] = {
        "lstm": lambda: layers.LSTM(8, return_sequences=True)(x),
        "gru": lambda: layers.GRU(8, return_sequences=True)(x),
        "rnn_tanh": lambda: layers.SimpleRNN(8, return_sequences=True)(x),
        "rnn_relu": lambda: layers.SimpleRNN(8, return_sequences=True, activation="relu")(x),
        "stacked": lambda: layers.LSTM(8, return_sequences=True)(
            layers.LSTM(8, return_sequences=True)(x)
        ),
        "bidirectional": lambda: layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x),
        "last_step": lambda: layers.Dense(1)(layers.LSTM(8)(x)),
        "attention": lambda: _attention(keras, x),
        "max_pool": lambda: layers.GRU(8, return_sequences=True)(
            layers.MaxPooling1D(2)(layers.Conv1D(6, 3, padding="same", activation="relu")(x))
        ),
    }
    keras.utils.set_random_seed(0)
    model = keras.Model(x, rows[name]())

    def fed(batch: int, length: int) -> np.ndarray:
        rng = np.random.default_rng(batch * 100 + length)
        if name == "attention":
            return rng.integers(0, 50, (batch, length)).astype(np.int32)
        return rng.normal(size=(batch, length, 3)).astype(np.float32)

    def predicted(values: np.ndarray) -> np.ndarray:
        return np.asarray(keras.ops.convert_to_numpy(model(values)))

    predicted(fed(2, 5))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        tell(stage="exporting")
        start = time.perf_counter()
        try:
            model.export(str(file), format="onnx", verbose=False)
        except Exception as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or [""]
            tell(verdict="refuses", detail=f"{type(error).__name__}: {lines[0][:200]}")
            return
        seconds = round(time.perf_counter() - start, 2)
        tell(stage="running its file")
        graph = read_onnx(file).graph
        nodes = sum(len(one.nodes) for one in (graph, *graph.subgraphs()))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(str(file), options)
        verdict, detail, ran = "right", "", False
        for batch, length in SHAPES:
            if name == "max_pool" and length < 2:
                continue
            values = fed(batch, length)
            want = predicted(values)
            try:
                (got,) = session.run(None, {session.get_inputs()[0].name: values})
            except Exception as error:
                detail = str(error).splitlines()[0][:200]
                verdict = "bakes an axis" if ran else "unrunnable"
            else:
                if got.shape != want.shape:
                    detail = f"a shape of {got.shape}, not {want.shape}"
                elif (far := float(np.abs(got - want).max())) > CLOSE:
                    detail = f"off by {far:.2g}, without a word"
                else:
                    ran = True
                    continue
                verdict = "bakes an axis" if ran else "wrong numbers"
            detail = f"at batch {batch}, length {length}: {detail}"
            break
    tell(verdict=verdict, detail=detail, nodes=nodes, seconds=seconds)


def _attention(keras: Any, tokens: Any) -> Any:
    layers = keras.layers
    embedded = layers.Embedding(50, 6)(tokens)
    y = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(embedded)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(layers.Activation("tanh")(y)))
    return layers.Dense(4)(keras.ops.sum(weights * y, axis=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
