"""The tables against the runtimes that are installed: a row that no longer holds fails here.

onnxruntime and the onnx package's ReferenceEvaluator always are; OpenVINO, OpenCV and tract are
asked where they can be imported. What would end the process is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from lstm_export.doctor.runtimes import diagnose_graph

Feed = dict[str, np.ndarray]
Run = Callable[[Feed], np.ndarray]
SHAPES = [(2, 5), (1, 1), (4, 9)]


def with_onnxruntime(path: Path) -> Run:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(["y"], feed)[0]


def with_reference(path: Path) -> Run:
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(str(path))
    return lambda feed: session.run(["y"], feed)[0]


def with_openvino(path: Path) -> Run:
    openvino = pytest.importorskip("openvino")
    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda feed: model(feed)[0]


def with_opencv(path: Path) -> Run:
    cv2 = pytest.importorskip("cv2")
    net = cv2.dnn.readNetFromONNX(str(path))

    def run(feed: Feed) -> np.ndarray:
        for name, value in feed.items():
            net.setInput(value, name)
        return np.array(net.forward("y"))

    return run


def with_tract(path: Path) -> Run:
    tract = pytest.importorskip("tract")
    model = tract.onnx().load(str(path)).into_model().into_runnable()
    order = [spec.name for spec in onnx.load(path).graph.input]
    return lambda feed: model.run([feed[name] for name in order])[0].to_numpy()


RUNTIMES: dict[str, Callable[[Path], Run]] = {
    "onnxruntime": with_onnxruntime,
    "onnx-reference": with_reference,
    "openvino": with_openvino,
    "opencv": with_opencv,
    "tract": with_tract,
}
GRAPHS: dict[str, dict[str, Any]] = {
    "portable": {},
    "lengths": {"lengths": True},
    "reverse": {"direction": "reverse"},
    "two directions, states fed": {"directions": 2, "states": "inputs"},
    "two directions": {"directions": 2},
    "two directions, zeros joined": {"directions": 2, "states": "joined"},
    "zeros sliced": {"states": "sliced"},
    "GRU": {"op_type": "GRU", "linear_before_reset": 1},
    "GRU backward": {"op_type": "GRU", "direction": "reverse"},
    "GRU without state": {"op_type": "GRU", "states": "none"},
    "GRU with one output": {"op_type": "GRU", "outputs": 1},
    "RNN": {"op_type": "RNN"},
    "RNN with ReLU": {"op_type": "RNN", "activations": ["Relu"]},
    "one output": {"outputs": 1},
    "no bias": {"bias": False},
    "clip": {"clip": 0.2},
    "coupled gates": {"input_forget": 1},
    "peephole": {"peephole": True},
    "ReLU": {"activations": ["Sigmoid", "Relu", "Relu"]},
    "output without a shape": {"shape": False},
    "zeros without a type": {"value": False},
    "float64": {"dtype": np.float64, "states": "none"},
    "layout 1": {"layout": 1, "states": "none"},
}


def outcome(run: Callable[[Path], Run], path: Path, reference: Run | None) -> str:
    try:
        model = run(path)
        answers = [model(feed) for feed in feeds(path)]
    except pytest.skip.Exception:
        raise
    except Exception:  # each runtime has refusals of its own kind
        return "refuses"
    if reference is None:
        return "silently wrong"
    expected = [reference(feed) for feed in feeds(path)]
    same = all(
        np.shape(got) == want.shape and np.abs(got - want).max() < 1e-5
        for got, want in zip(answers, expected, strict=True)
    )
    return "right" if same else "silently wrong"


def feeds(path: Path) -> list[Feed]:
    rng = np.random.default_rng(0)
    result = []
    for batch, length in SHAPES:
        feed = {}
        for spec in onnx.load(path).graph.input:
            named = {"batch": batch, "sequence_length": length}
            sizes = [named.get(d.dim_param, d.dim_value) for d in spec.type.tensor_type.shape.dim]
            dtype = onnx.helper.tensor_dtype_to_np_dtype(spec.type.tensor_type.elem_type)
            if spec.name == "lengths":
                feed[spec.name] = np.array([length, *rng.integers(1, length + 1, batch - 1)], dtype)
            else:
                feed[spec.name] = rng.normal(size=sizes).astype(dtype)
        result.append(feed)
    return result


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("graph", GRAPHS)
def test_a_row_holds(
    recurrent: Callable[..., onnx.ModelProto], tmp_path: Path, runtime: str, graph: str
) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(recurrent(**GRAPHS[graph]), path)
    findings = diagnose_graph(path, [runtime])
    expected = {one.consequence for one in findings if one.blocks}
    if "crashes" in expected:
        return
    judged = outcome(with_onnxruntime, path, None) != "refuses"
    reference = with_onnxruntime(path) if judged else None
    if reference is None and not expected and runtime != "onnxruntime":
        return  # nothing is claimed, and nothing to judge by
    got = outcome(RUNTIMES[runtime], path, reference)
    assert got in (expected or {"right"}), findings
