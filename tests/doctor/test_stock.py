"""torch's own exporters, each in a process of its own; whatever that does is a result."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lstm_export.doctor.stock import Request, StockOutcome, export_apart
from lstm_export.doctor.stock_judge import judge_file, reason
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.tracing.eager_axes import varying_axes

MODEL = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)
    def forward(self, x):
        return self.rnn(x)[0]
class Loop(Net):
    def forward(self, x):
        h = x[:, 0] * 0
        for t in range(x.size(1)):
            h = h + x[:, t]
        return h
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "model.py"
    file.write_text(MODEL)
    return file


def test_the_legacy_exporter_on_a_plain_layer(model: Path) -> None:
    outcome = export_apart(Request(f"{model}:Net", "torch legacy", ("x=2,5,3",)))
    assert (outcome.verdict, outcome.detail) == ("right", "")
    assert outcome.nodes is not None
    assert 3 < outcome.nodes < 40


def test_the_legacy_exporter_bakes_the_length_of_a_loop(model: Path) -> None:
    outcome = export_apart(Request(f"{model}:Loop", "torch legacy", ("x=2,5,3",)))
    assert outcome.verdict == "bakes an axis"
    assert outcome.detail.startswith("at sequence_length 6: off by ")


# That both are right on a plain layer is seen by the command's own test.
@pytest.mark.slow
def test_torchs_exporter_bakes_an_axis_the_second_time(model: Path) -> None:
    again = export_apart(Request(f"{model}:Net", "torch dynamo", ("x=2,5,3",), rounds=2))
    assert again.verdict in ("bakes an axis", "refuses")


def program(tmp_path: Path, body: str) -> list[str]:
    file = tmp_path / "program.py"
    file.write_text(f"import json, os, sys, time\nasked, answered = sys.argv[1:]\n{body}")
    return [sys.executable, str(file)]


STAGE = "open(answered, 'w').write(json.dumps({'stage': 'exporting'}))\n"


@pytest.mark.parametrize(
    ("body", "verdict", "detail"),
    [
        (STAGE + "os.abort()", "crashes", "exporting: the process was ended by SIGABRT"),
        (STAGE + "sys.exit(3)", "crashes", "exporting: the process ended with 3"),
        ("raise ValueError('no')", "crashes", "starting: the process ended with 1: ValueError: no"),
        ("", "crashes", "starting: the process ended with 0"),
        ("open(answered, 'w').write('{')", "crashes", "starting: the process ended with 0"),
        (STAGE + "time.sleep(60)", "hangs", "exporting: no end after 1 s"),
    ],
)
def test_a_process_that_dies_or_never_ends(
    tmp_path: Path, body: str, verdict: str, detail: str
) -> None:
    request = Request("m.py:f", "torch dynamo", ())
    outcome = export_apart(request, timeout=1, program=program(tmp_path, body))
    assert outcome == StockOutcome("torch dynamo", verdict, detail)  # type: ignore[arg-type]


def test_what_the_process_answers_is_the_outcome(tmp_path: Path) -> None:
    body = (
        "request = json.load(open(asked))\n"
        "answer = {'verdict': 'right', 'detail': request['source'], 'nodes': 3, 'seconds': 0.5}\n"
        "open(answered, 'w').write(json.dumps(answer))\n"
    )
    request = Request("m.py:f", "torch dynamo", ("x=1",))
    outcome = export_apart(request, program=program(tmp_path, body))
    assert outcome == StockOutcome("torch dynamo", "right", "m.py:f", 3, 0.5)
    assert outcome.to_dict()["nodes"] == 3


class Scaled(nn.Module):
    """Something that an exporter could get wrong in every way."""

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def judged(exported: nn.Module, tmp_path: Path, axes: dict[int, str]) -> tuple[str, str]:
    """The verdict on `exported`'s file where Scaled() was asked for."""
    x, file = torch.arange(30.0).reshape(2, 5, 3), tmp_path / "m.onnx"
    torch.onnx.export(
        exported, (x,), file, dynamo=False, input_names=["x"], dynamic_axes={"x": axes}
    )
    module = Scaled()
    call = describe_call(module, (x,))
    verdict, detail, nodes = judge_file(module, call, varying_axes(module, call), file)
    assert nodes
    return verdict, detail


@pytest.mark.filterwarnings("ignore")
def test_the_judge_tells_files_apart(tmp_path: Path) -> None:
    free = {0: "batch", 1: "sequence_length", 2: "width"}
    assert judged(Scaled(), tmp_path, free) == ("right", "")
    verdict, detail = judged(Scaled(), tmp_path, {0: "batch", 2: "width"})
    assert verdict == "bakes an axis"
    assert detail.startswith("at sequence_length 6: InvalidArgument")
    verdict, detail = judged(Scaled(2.001), tmp_path, free)
    assert (verdict, detail[:21]) == ("wrong numbers", "at its own shape: off")


class Remembering(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        self.factor += 1
        return x * self.factor


@pytest.mark.filterwarnings("ignore")
def test_state_that_a_file_cannot_keep(tmp_path: Path) -> None:
    module, file, x = Remembering(), tmp_path / "m.onnx", torch.ones(2, 5, 3)
    torch.onnx.export(Scaled(), (x,), file, dynamo=False, input_names=["x"])
    call = describe_call(module, (x,))
    verdict, detail, _ = judge_file(module, call, varying_axes(module, call), file)
    assert verdict == "wrong numbers"
    assert "second call" in detail
    assert module.factor == 2.0


def test_a_reason_is_one_short_line() -> None:
    assert reason(ValueError("\x1b[31m====\nbad thing\nmore")) == "ValueError: bad thing"
    assert len(reason(ValueError("long " * 100))) < 230
    assert reason(KeyError()) == "KeyError: KeyError"


def test_axes_that_vary_in_eager_torch() -> None:
    class States(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            y: Tensor = self.rnn(x, h)[0]
            return y

    module = States()
    call = describe_call(module, (torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)))
    assert varying_axes(module, call) == {
        "sequence_length": ((0, 0),),
        "batch": ((0, 1), (1, 1)),
    }
    # Equal sizes that mean different things are told apart.
    call = describe_call(module, (torch.zeros(3, 3, 3), torch.zeros(1, 3, 4)))
    assert varying_axes(module, call) == {
        "sequence_length": ((0, 0),),
        "batch": ((0, 1), (1, 1)),
    }
