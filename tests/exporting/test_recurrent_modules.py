"""Every kind of recurrent layer, exported once at one shape and run at others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import onnx
import pytest
import torch
from torch import Tensor, nn

from lstm_export.exporting.report import ExportReport
from lstm_export.exporting.target import Target

CELLS = {
    "LSTM": (nn.LSTM, {}),
    "GRU": (nn.GRU, {}),
    "RNN tanh": (nn.RNN, {}),
    "RNN relu": (nn.RNN, {"nonlinearity": "relu"}),
    "LSTM projected": (nn.LSTM, {"proj_size": 3}),
}
STATES = ("none", "given", "learned", "zeros", "unbatched")
RETURNS = ("all", "y", "h", "last step")


@dataclass(frozen=True)
class Case:
    """One cell of the matrix; what is cheap to vary alternates over it rather than multiplying."""

    cell: str
    num_layers: int
    bidirectional: bool
    state: str
    number: int
    targets: tuple[Target, ...]

    @property
    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"num_layers": self.num_layers, **CELLS[self.cell][1]}
        if self.bidirectional:
            options["bidirectional"] = True
        if self.number % 3 == 1:
            options["bias"] = False
        if self.batch_first:
            options["batch_first"] = True
        if self.number % 11 % 5 == 2 and self.num_layers > 1:
            options["dropout"] = 0.3
        return options

    @property
    def batch_first(self) -> bool:
        return self.number % 2 == 0

    @property
    def returns(self) -> str:
        return RETURNS[self.number % 7 % 4]

    def __str__(self) -> str:
        directions = "both ways" if self.bidirectional else "one way"
        targets = " and ".join(self.targets)
        return f"{self.cell}, {self.num_layers}, {directions}, {self.state}, {targets}"


TARGETS: tuple[Target, ...] = get_args(Target)


def _targets(cell: str, num_layers: int, bidirectional: bool, state: str) -> tuple[Target, ...]:
    """Both for one layer, from one trace; for two layers one or the other.

    Of more than two layers 20 stacks: any two choices together, but not each state for each cell,
    which all have at one layer.
    """
    if num_layers == 1:
        return TARGETS
    place = [*CELLS].index(cell) + 2 * bidirectional + num_layers
    if num_layers == 2:
        return (TARGETS[(place + STATES.index(state)) % 2],)
    return (TARGETS[(place + num_layers + bidirectional) % 2],) * (state == STATES[place % 5])


CASES = [
    Case(*values, number, targets)
    for number, values in enumerate(itertools.product(CELLS, (1, 2, 3, 4), (False, True), STATES))
    if (targets := _targets(*values))
]


class Stack(nn.Module):
    """A recurrent stack with one way to come by its state and one thing to give."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        self.layers = CELLS[case.cell][0](4, 6, **case.options)
        rows = case.num_layers * (2 if case.bidirectional else 1)
        widths = [case.options.get("proj_size", 6), 6][: 2 if "LSTM" in case.cell else 1]
        self.sizes = [(rows, width) for width in widths]
        self.learned = nn.ParameterList(torch.randn(rows, 1, width) for width in widths)

    def forward(self, x: Tensor, state: Any = None) -> Any:
        batch = x.size(0 if self.case.batch_first else 1)
        if self.case.state == "learned":
            state = [value.expand(-1, batch, -1).contiguous() for value in self.learned]
        elif self.case.state == "zeros":
            state = [torch.zeros(rows, batch, width) for rows, width in self.sizes]
        if isinstance(state, list):
            state = tuple(state) if len(state) == 2 else state[0]
        y, final = self.layers(x, state)
        h = final[0] if isinstance(final, tuple) else final
        if self.case.returns == "last step":
            return y[-1] if x.dim() == 2 or not self.case.batch_first else y[:, -1]
        return {"all": (y, final), "y": y, "h": h}[self.case.returns]


def example(module: Stack) -> tuple[Any, ...]:
    case = module.case
    if case.state == "unbatched":
        return (torch.randn(5, 4),)
    x = torch.randn(2, 5, 4) if case.batch_first else torch.randn(5, 2, 4)
    if case.state != "given":
        return (x,)
    state = [torch.randn(rows, 2, width) for rows, width in module.sizes]
    return x, tuple(state) if len(state) == 2 else state[0]


# torch warns that a projection runs on its default implementation, which is of no concern here.
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_batch_and_any_length_give_torchs_numbers(
    case: Case,
    export_for_each: Callable[..., dict[Path, ExportReport]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    torch.manual_seed(case.number)
    module = Stack(case).eval()
    for path, report in export_for_each(module, example(module), case.targets).items():
        assert capfd.readouterr() == ("", "")
        check(case, report, path)


def check(case: Case, report: ExportReport, path: Path) -> None:
    """The file was verified, has the axes that it should, and operators for its target."""
    verification = report.verification
    assert verification is not None
    assert verification.passed
    assert not verification.refused
    for name in ("batch", "sequence_length")[case.state == "unbatched" :]:
        assert len(set(verification.sizes[name])) >= 3, name

    x, y = report.inputs[0], report.outputs[0]
    time = "sequence_length"
    axes = (time,) if case.state == "unbatched" else (time, "batch")
    order = axes[::-1] if case.batch_first else axes
    assert tuple(axis.name for axis in x.axes) == (*order, None)
    if case.returns in ("all", "y"):
        assert tuple(axis.name for axis in y.axes) == (*order, None)
    elif case.state != "unbatched":
        assert "batch" in [axis.name for axis in y.axes]

    operators = onnx.load(path).graph.node
    fused = [node for node in operators if node.op_type in ("LSTM", "GRU", "RNN")]
    scans = [node for node in operators if node.op_type == "Scan"]
    assert len(fused) + len(scans) == case.num_layers
    assert all("sequence_lens" not in node.input for node in fused)
    plain = case.state in ("none", "zeros") and "projected" not in case.cell
    if report.target == "onnxruntime" and case.returns == "last step" and plain:
        # One node less than with a linear layer on the last step.
        assert report.nodes <= 5 + 3 * (case.num_layers - 1), report.operators
