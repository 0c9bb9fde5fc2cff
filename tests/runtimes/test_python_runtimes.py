"""Runtimes that are Python packages: right everywhere, loud where they are not, faults planted."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import lstm_export
from lstm_export.bundle.read import open_bundle
from lstm_export.contract import Contract
from lstm_export.errors import MissingExtraError
from lstm_export.parity.matrix import Cell
from lstm_export.parity.runtimes import onnx_reference, opencv, openvino, openvino_default, tract
from lstm_export.parity.runtimes.interpreter import (
    Package,
    interpreter_of,
    open_package,
    package_status,
)
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import Runner, Status, Subject

ROOT = Path(__file__).resolve().parents[2]
SUNSPOTS = ROOT / "artifacts" / "sunspots" / "bundle"
BUNDLES = sorted((ROOT / "artifacts").glob("*/bundle"))
PYTHON = (
    *("onnx-reference", "openvino", "openvino-default", "onnxruntime-openvino", "opencv"),
    "tract",
)
REFUSED = {"opencv": "Node [Shape@ai.onnx]:(onnx_node!shape_1) parse error"}
"""What is said to the sunspots' `forecast.onnx`, a Scan over as many steps as a number asks."""
WORKER = """
import os, sys
sys.path.append({home!r})
from lstm_export.parity.runtimes import worker
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
{body}
worker.serve(load, sys.argv[1], sys.stdin.buffer, answers)
"""


def opener(
    name: str, body: str, python: str = sys.executable, **limits: float
) -> Callable[[Subject], Runner]:
    """An adapter whose worker runs `body`, which defines `load`."""
    code = WORKER.format(home=str(ROOT), body=body)

    def open_graph(subject: Subject) -> Runner:
        return Isolated(name, [python, "-P", "-c", code, str(subject.path)], **limits)

    return open_graph


def stand_in(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, open_graph: Callable[[Subject], Runner]
) -> None:
    """Makes a runtime's adapter another one, whether its package is installed or not."""
    monkeypatch.setattr(module, "open_graph", open_graph)
    monkeypatch.setattr(module, "status", lambda: Status(True, "planted"))


def told(cells: tuple[Cell, ...], runtime: str) -> dict[str, str]:
    """A message for each verdict that a runtime got."""
    return {cell.verdict: cell.message for cell in cells if cell.runtime == runtime}


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function from a target to a bundle of a padded batch in two directions."""

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(3, 6, batch_first=True, bidirectional=True)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            rows = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(self.rnn(rows)[0], batch_first=True)[0]

    folder = tmp_path_factory.mktemp("tagger")

    def make(target: str) -> Path:
        path = folder / target
        if not path.exists():
            torch.manual_seed(0)
            args = torch.randn(3, 7, 3), torch.tensor([4, 7, 2])
            lstm_export.export_bundle(Tagger().eval(), path, args=args, target=target)
        return path

    return make


@pytest.mark.parametrize("runtime", PYTHON)
@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.parent.name)
def test_the_portable_target_is_right_or_refused(
    need: Callable[[str], None], runtime: str, bundle: Path
) -> None:
    need(runtime)
    report = lstm_export.verify(bundle, runtimes=[runtime])
    cells = [cell for cell in report.matrix if cell.runtime == runtime]
    assert cells
    if runtime == "openvino-default" and any(cell.verdict == "wrong" for cell in cells):
        pytest.skip("this processor has bfloat16, which is judged by itself below")
    for cell in cells:
        if runtime == "tract" and cell.verdict == "wrong":
            # Its gates saturate at 1 - 5e-7, which a state that holds feels at every step, and
            # small probabilities once.
            assert cell.worst is not None
            bound = 1e-5 if "large" in cell.worst.case else 2e-6
            assert cell.worst.comparison.worst_error < bound
        elif cell.graph == "forecast.onnx" and bundle == SUNSPOTS and runtime in REFUSED:
            assert cell.verdict in ("within", "refused"), cell
        else:
            assert cell.verdict == "within", cell


@pytest.mark.parametrize("runtime", REFUSED)
def test_a_refusal_is_told_in_the_runtimes_own_words(
    need: Callable[[str], None], runtime: str
) -> None:
    need(runtime)
    cells = lstm_export.verify(SUNSPOTS, runtimes=[runtime]).matrix
    refused = told(tuple(cell for cell in cells if cell.graph == "forecast.onnx"), runtime)
    assert list(refused) == ["refused"]
    assert REFUSED[runtime] in refused["refused"]


@pytest.mark.parametrize("runtime", ["onnx-reference", "openvino", "onnxruntime-openvino"])
def test_a_runtime_that_ignores_sequence_lens_is_caught(
    need: Callable[[str], None], tagger: Callable[[str], Path], runtime: str
) -> None:
    need(runtime)
    report = lstm_export.verify(tagger("onnxruntime"), runtimes=["onnxruntime", runtime])
    assert not report.passed
    assert all(runtime in str(failure) for failure in report.failures)
    wrong = [cell for cell in report.matrix if cell.verdict == "wrong"]
    assert {cell.runtime for cell in wrong} == {runtime}
    assert "ragged lengths" in {cell.feature for cell in wrong}
    errors = [cell.worst.comparison.worst_error for cell in wrong if cell.worst is not None]
    assert max(error for error in errors if error is not None) > 0.1


@pytest.mark.parametrize(
    ("runtime", "words"),
    [("opencv", "Insufficient inputs for LSTM"), ("tract", "Non constant seq_len")],
)
def test_a_runtime_without_sequence_lens_says_so(
    need: Callable[[str], None], tagger: Callable[[str], Path], runtime: str, words: str
) -> None:
    need(runtime)
    report = lstm_export.verify(tagger("onnxruntime"), runtimes=[runtime])
    verdicts = told(report.matrix, runtime)
    assert list(verdicts) == ["refused"]
    assert words in verdicts["refused"]


def test_one_weight_changed_for_one_runtime_alone_is_caught(
    need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need("onnx-reference")
    opened = onnx_reference.open_graph

    def with_one_weight_changed(subject: Subject) -> Runner:
        model = onnx.load_from_string(subject.content)
        weight = next(one for one in model.graph.initializer if one.name.endswith("R"))
        values = onnx.numpy_helper.to_array(weight).copy()
        values.flat[0] += 1e-3
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        path = tmp_path / subject.graph
        onnx.save(model, path)
        return opened(replace(subject, path=path))

    runtimes = ["onnxruntime", "onnx-reference"]
    assert lstm_export.verify(SUNSPOTS, runtimes=runtimes).passed
    monkeypatch.setattr(onnx_reference, "open_graph", with_one_weight_changed)
    report = lstm_export.verify(SUNSPOTS, runtimes=runtimes)
    assert not report.passed
    assert {"onnx-reference"} == {c.runtime for c in report.matrix if c.verdict == "wrong"}
    assert {"within"} == set(told(report.matrix, "onnxruntime"))


HALF = """
import pathlib, tempfile
def load(model):
    import openvino
    from lstm_export.parity.runtimes import openvino as adapter
    core = openvino.Core()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "half.xml"
        openvino.save_model(core.read_model(model), path, compress_to_fp16=True)
        request = core.compile_model(core.read_model(path), "CPU").create_infer_request()
    names = [tensor.name for tensor in adapter.read_onnx(model).spec.outputs]
    def run(inputs):
        answers = request.infer(dict(inputs))
        return {name: answers[name] for name in names}
    return run
"""


def test_openvino_at_half_precision_is_caught_with_its_error(
    need: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    need("openvino-default")
    found = interpreter_of(openvino_default.PACKAGE)
    assert found is not None
    stand_in(monkeypatch, openvino_default, opener("openvino-default", HALF, found[0]))
    report = lstm_export.verify(SUNSPOTS, runtimes=["openvino", "openvino-default"])
    wrong = [cell for cell in report.matrix if cell.verdict == "wrong"]
    assert {cell.runtime for cell in wrong} == {"openvino-default"}
    assert {cell.graph for cell in wrong} >= {"model.onnx", "stream.onnx"}
    assert not report.passed
    for cell in wrong:
        assert cell.worst is not None
        assert cell.worst.comparison.worst_error > cell.worst.comparison.bound
        assert "error" in cell.message


def test_openvinos_own_precision_is_float32_or_caught(need: Callable[[str], None]) -> None:
    need("openvino-default")
    found = interpreter_of(openvino_default.PACKAGE)
    assert found is not None
    ask = "import openvino; print(openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'))"
    asked = subprocess.run([found[0], "-P", "-c", ask], capture_output=True, text=True, check=True)
    report = lstm_export.verify(SUNSPOTS, runtimes=["openvino", "openvino-default"])
    verdicts = {c.verdict for c in report.matrix if c.runtime == "openvino-default"}
    assert ("wrong" in verdicts) == ("BF16" in asked.stdout)
    assert "wrong" not in told(report.matrix, "openvino")


FAULTS = {
    "hung": "import time\ndef load(model):\n    return lambda inputs: time.sleep(600)",
    "crashed": "import ctypes\ndef load(model):\n    return lambda inputs: ctypes.string_at(0)",
}


@pytest.mark.parametrize("verdict", FAULTS)
def test_what_hangs_or_dies_is_told_and_the_others_are_judged(
    monkeypatch: pytest.MonkeyPatch, tagger: Callable[[str], Path], verdict: str
) -> None:
    planted = opener("tract", FAULTS[verdict], run_limit_s=0.2)
    stand_in(monkeypatch, tract, planted)
    report = lstm_export.verify(tagger("portable"), runtimes=["onnxruntime", "tract"])
    assert not report.passed
    words = {"hung": "no answer within 0.2 s", "crashed": "killed by SIGSEGV"}
    verdicts = told(report.matrix, "tract")
    assert set(verdicts) <= {verdict, "not asked"}
    assert words[verdict] in verdicts[verdict]
    assert all(words[verdict] in message for message in verdicts.values())
    assert set(told(report.matrix, "onnxruntime")) == {"within"}


NOISY = """
def load(model):
    os.write(1, b"a library greets its users\\n")
    print("so does another")
    return lambda inputs: {"n": inputs["n"] + 1, "flag": ~inputs["flag"], "none": inputs["none"]}
"""


def test_what_a_library_prints_is_no_answer_and_every_shape_comes_through() -> None:
    subject = Subject("model.onnx", b"", SUNSPOTS / "model.onnx", contract())
    runner = opener("noisy", NOISY)(subject)
    assert isinstance(runner, Isolated)
    inputs = {"n": np.array(4), "flag": np.array([True, False]), "none": np.zeros((0, 3), "f4")}
    got = runner(inputs)
    runner.close()
    assert got["n"] == 5
    assert got["n"].shape == ()
    assert got["flag"].tolist() == [False, True]
    assert got["none"].shape == (0, 3)


def contract() -> Contract:
    return open_bundle(SUNSPOTS).manifest.contract("model.onnx")


def test_an_interpreter_without_the_package_is_not_taken_for_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = Package("imaginary-runtime", ("numpy",), "by wishing")
    assert package.variable == "LSTM_EXPORT_IMAGINARY_RUNTIME_PYTHON"
    assert package_status(package) == Status(True, np.__version__, "by wishing")
    absent = replace(package, distributions=("a-package-that-is-not-there",))
    assert package_status(absent) == Status(False, "", "by wishing")
    monkeypatch.setenv(package.variable, "/no/such/python")
    assert not package_status(package).installed
    subject = Subject("model.onnx", b"", SUNSPOTS / "model.onnx", contract())
    with pytest.raises(MissingExtraError, match="verifying in imaginary-runtime needs numpy"):
        open_package(package, subject)


def test_another_interpreter_keeps_its_own_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # An environment that holds nothing but a package that is here too, in another version.
    monkeypatch.setenv("LSTM_EXPORT_IMAGINARY_RUNTIME_PYTHON", str(other_environment(tmp_path)))
    package = Package("imaginary-runtime", ("numpy",), "by wishing")
    assert package_status(package).version == "0.0.1"


def other_environment(folder: Path) -> Path:
    venv.create(folder / "other", with_pip=False)
    site = next((folder / "other").glob("lib/python*/site-packages"))
    (site / "numpy-0.0.1.dist-info").mkdir()
    (site / "numpy-0.0.1.dist-info" / "METADATA").write_text("Name: numpy\nVersion: 0.0.1\n")
    return folder / "other" / "bin" / "python"


@pytest.mark.parametrize(
    ("reason", "text", "expected"),
    [
        (
            openvino.reason,
            "Exception from src/inference/src/cpp/core.cpp:84:\nCheck 'false' failed at a.cpp:1:\n"
            "FrontEnd API failed with OpConversionFailure:\n-- Scan-18 with a message:\n"
            "scan_1_0 num_scan_outputs can't be negative\n\nSummary:\n",
            "scan_1_0 num_scan_outputs can't be negative",
        ),
        (
            opencv.reason,
            "OpenCV(5.0.0) /io/onnx_importer.cpp:1114: error: (-2:Unspecified error) in function "
            "'handleNode'\n> Node [Shape@ai.onnx]:(onnx_node!shape_1) parse error: OpenCV(5.0.0) "
            "/io/importer.cpp:2591: error: (-215:Assertion failed) !isDynamicShape in function",
            "Node [Shape@ai.onnx]:(onnx_node!shape_1) parse error: (-215:Assertion failed) "
            "!isDynamicShape in function",
        ),
        (
            tract.reason,
            "running pass declutter\n\nCaused by:\n    0: declutter node\n    1: No scan input\n\n"
            "Stack backtrace:\n   0: main\n",
            "running pass declutter: No scan input",
        ),
        (
            tract.reason,
            "Translating node\n\nCaused by:\n    Too early\n",
            "Translating node: Too early",
        ),
        (openvino.reason, "only a place:\n", "only a place:"),
        (opencv.reason, "", ""),
        (tract.reason, "", ""),
    ],
)
def test_of_a_long_message_the_telling_line_is_kept(
    reason: Callable[[str], str], text: str, expected: str
) -> None:
    assert reason(text) == expected
