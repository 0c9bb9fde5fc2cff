"""onnxruntime once for each execution provider that it has."""

from __future__ import annotations

import json
from typing import Any

import onnxruntime
import pytest

from lstm_export.cli.main import run
from lstm_export.errors import OptionError
from lstm_export.parity.chosen import choose
from lstm_export.parity.runtimes.providers import Provider
from lstm_export.parity.runtimes.registry import RUNTIMES, names, status
from lstm_export.parity.verify import verify

FAKE = [
    *("CANNExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider"),
    *("AzureExecutionProvider", "CPUExecutionProvider"),
]


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """An onnxruntime that says it had these."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: FAKE)


@pytest.mark.usefixtures("many")
def test_each_provider_is_a_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    own = list(RUNTIMES)
    place = own.index("onnxruntime") + 1
    # OpenVINO's is a runtime already; Azure's sends the inputs away.
    added = ["onnxruntime-cann", "onnxruntime-cuda"]
    assert list(names()) == [*own[:place], *added, *own[place:]]
    chosen = choose(["all"], live=False)
    assert set(added) <= set(chosen.names)
    assert chosen.versions()["onnxruntime-cuda"] == onnxruntime.__version__
    assert chosen.required == {"onnxruntime"}
    assert run(["runtimes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runtimes"]["onnxruntime-cuda"]["installed"]


@pytest.mark.usefixtures("many")
def test_a_provider_that_is_not_taken_is_refused_and_not_the_cpu(made: Any) -> None:
    report = verify(made("gru").bundle, runtimes=["onnxruntime", "onnxruntime-cann"])
    cells = [cell for cell in report.matrix if cell.runtime == "onnxruntime-cann"]
    assert {cell.verdict for cell in cells} == {"refused"}
    assert "CANNExecutionProvider was not taken" in cells[0].message
    assert not report.passed


def test_a_provider_computes(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = Provider("CPUExecutionProvider")
    assert cpu.runtime == "onnxruntime-cpu"
    # The one that is always there, as if it was another.
    monkeypatch.setattr("lstm_export.parity.runtimes.providers._LEFT_OUT", ())
    report = verify(made("gru").bundle, runtimes=["onnxruntime-cpu"])
    assert report.passed
    assert {cell.verdict for cell in report.matrix} == {"within"}


def test_a_provider_that_is_not_there() -> None:
    found = status("onnxruntime-dnnl")
    assert not found.installed
    assert found.how_to_get.startswith("a package of onnxruntime with DnnlExecutionProvider; this")
    assert "onnxruntime-dnnl" not in names()
    with pytest.raises(OptionError, match="onnxruntime-dnnl is not installed: a package of"):
        choose(["onnxruntime-dnnl"], live=False)
    with pytest.raises(OptionError, match="there is no runtime 'onnxruntime-imaginary'"):
        choose(["onnxruntime-imaginary"], live=False)
