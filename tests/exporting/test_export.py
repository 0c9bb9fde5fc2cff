"""`export_onnx`: what is asked for, what is reported, and what is left behind."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import lstm_export as lx
from lstm_export.errors import ExportError, OptionError, OutputError, ParityError
from lstm_export.exporting.report import ExportReport


class Head(nn.Module):
    """A recurrent layer, a state if one is given, and a linear layer on the last step."""

    def __init__(self, after: Callable[[Tensor], Tensor] = lambda y: y[:, -1]) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 8, num_layers=2, batch_first=True, dropout=0.5)
        self.head = nn.Linear(8, 2)
        self.after = after

    def forward(self, x: Tensor, state: Any = None) -> Tensor:
        return self.head(self.after(self.rnn(x, state)[0]))


def example(batch: int = 2, length: int = 5) -> Tensor:
    return torch.randn(batch, length, 3)


def axes(report: ExportReport) -> dict[str, list[str | int | None]]:
    return {
        tensor.name: [axis.name or axis.size for axis in tensor.axes]
        for tensor in (*report.inputs, *report.outputs)
    }


def test_names_come_from_forward_and_equal_axes_share_them(tmp_path: Path) -> None:
    state = (torch.randn(2, 2, 8), torch.randn(2, 2, 8))
    report = lx.export_onnx(Head(), (example(), state), tmp_path / "m.onnx")
    assert axes(report) == {
        "x": ["batch", "sequence_length", 3],
        "state_0": [2, "batch", 8],
        "state_1": [2, "batch", 8],
        "output": ["batch", 2],
    }
    [layer] = report.layers
    assert (layer.path, layer.cell, layer.num_layers) == ("rnn", "lstm", 2)
    assert "2 × LSTM" in layer.lowered


def test_names_may_be_given(tmp_path: Path) -> None:
    report = lx.export_onnx(
        Head(),
        example(),
        tmp_path / "m.onnx",
        input_names=["readings"],
        output_names=["score"],
        dynamic_axes={"readings": {0: "rows", 1: "time"}, "score": {0: "rows"}},
    )
    assert axes(report) == {"readings": ["rows", "time", 3], "score": ["rows", 2]}


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_the_example_may_have_any_size(batch: int, length: int, tmp_path: Path) -> None:
    report = lx.export_onnx(Head(), example(batch, length), tmp_path / "m.onnx")
    assert axes(report) == {"x": ["batch", "sequence_length", 3], "output": ["batch", 2]}


def test_axes_that_are_not_asked_for_stay_as_they_are(tmp_path: Path) -> None:
    state = (torch.randn(2, 2, 8), torch.randn(2, 2, 8))
    report = lx.export_onnx(
        Head(), (example(), state), tmp_path / "m.onnx", dynamic_axes={"x": {0: "batch"}}
    )
    assert axes(report)["x"] == ["batch", 5, 3]
    assert axes(report)["state_0"] == [2, "batch", 8]  # it has to equal one that was asked for
    assert report.inputs[0].axes[1].reason == "dynamic_axes does not name it"


def test_an_axis_that_cannot_be_dynamic_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ExportError, match=r"axis 2 of x, which came out static: rnn \(LSTM\) takes 3"
    ):
        lx.export_onnx(Head(), example(), tmp_path / "m.onnx", dynamic_axes={"x": [0, 1, 2]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dynamic_axes": {"y": [0]}}, "'y', which is neither input nor output"),
        ({"dynamic_axes": {"x": [3]}}, "has axis 3, but x has 3 axes"),
        ({"target": "tensorrt"}, "expected 'portable' or 'onnxruntime'"),
        ({"opset_version": 16}, "from 17 to 23, got 16"),
        ({"ir_version": 2}, "ir_version must be"),
        ({"input_names": ["a", "b"]}, "2 names, but there are 1 inputs"),
        ({"output_names": ["x"]}, "an input and an output"),
        ({"atol": -1.0}, "atol"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        lx.export_onnx(Head(), example(), tmp_path / "m.onnx", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opset", range(17, 24))
def test_every_opset_loads_and_gives_the_same(opset: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    report = lx.export_onnx(
        Head(), example(), tmp_path / "m.onnx", opset_version=opset, ir_version=9
    )
    model = onnx.load(tmp_path / "m.onnx")
    assert (model.opset_import[0].version, model.ir_version) == (opset, 9)
    assert (report.opset_version, report.ir_version) == (opset, 9)


def test_external_data_lies_beside_the_file(tmp_path: Path) -> None:
    module = nn.LSTM(64, 64)
    report = lx.export_onnx(module, torch.randn(5, 2, 64), tmp_path / "m.onnx", external_data=True)
    assert report.external_data == str(tmp_path / "m.onnx.data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert report.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    got = lx.load(tmp_path / "m.onnx")(torch.ones(3, 4, 64).numpy())
    expected = module(torch.ones(3, 4, 64))[0].detach().numpy()
    assert abs(got["output_0"] - expected).max() < 1e-5


def test_the_report_is_plain_values_for_machines(tmp_path: Path) -> None:
    report = lx.export_onnx(Head(), (example(), None), tmp_path / "m.onnx")
    body = json.loads(json.dumps(report.to_dict()))
    assert body["verification"]["passed"]
    length = body["inputs"][0]["axes"][1]
    assert (length["name"], length["dynamic"], length["size"]) == ("sequence_length", True, None)
    assert body["inputs"][0]["axes"][2]["reason"] == "rnn (LSTM) takes 3 features"
    assert body["nodes"] == len(onnx.load(tmp_path / "m.onnx").graph.node)
    assert body["bytes"] == (tmp_path / "m.onnx").stat().st_size
    assert "rnn: LSTM 3 → 8, 2 layers" in str(report)


def test_states_of_one_layer_beside_packed_sequences_keep_their_shape(tmp_path: Path) -> None:
    class Packs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(3, 4)

        def forward(self, x: Tensor, state: Any, lengths: Tensor) -> tuple[Tensor, Tensor]:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths)
            y, (h, _) = self.rnn(packed, state)
            return nn.utils.rnn.pad_packed_sequence(y)[0], h

    state = (torch.randn(1, 2, 4), torch.randn(1, 2, 4))
    args = (torch.randn(5, 2, 3), state, torch.tensor([5, 3]))
    report = lx.export_onnx(Packs(), args, tmp_path / "m.onnx")
    assert axes(report)["state_0"] == [1, "batch", 4]
    assert "1 layers and directions" in report.inputs[1].axes[0].reason


def test_limits_that_the_module_sets_itself_are_reported(tmp_path: Path) -> None:
    class Short(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.rnn = nn.Conv1d(3, 3, 4), nn.GRU(3, 4, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            if x.size(1) > 100:
                raise ValueError("at most 100 steps")
            return self.rnn(self.convolution(x.transpose(1, 2)).transpose(1, 2))[0]

    report = lx.export_onnx(Short(), example(), tmp_path / "m.onnx")
    length = report.inputs[0].axes[1]
    assert (length.name, length.shortest, length.longest) == ("sequence_length", 4, 100)
    assert axes(report)["output"] == ["batch", "sequence_length - 3", 4]


def test_training_mode_and_float64_are_said(tmp_path: Path) -> None:
    module = Head().double().train()
    report = lx.export_onnx(module, example().double(), tmp_path / "m.onnx")
    assert any("eval mode" in note for note in report.notes)
    assert any("float32" in note for note in report.notes)
    assert module.training
    assert module.rnn.training
    assert all(parameter.dtype == torch.float64 for parameter in module.parameters())
    assert [tensor.dtype for tensor in report.inputs] == ["float32"]


def fingerprint(module: nn.Module) -> dict[str, Any]:
    return {
        "forward": type(module).forward,
        "own": sorted(vars(module)),
        "hooks": list(module._forward_hooks.values()),
        "tensors": [
            (name, id(value), value.data_ptr(), value.requires_grad, value.detach().clone())
            for name, value in (*module.named_parameters(), *module.named_buffers())
        ],
        "modes": [child.training for child in module.modules()],
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    values = zip(one.pop("tensors"), other.pop("tensors"), strict=True)
    return one == other and all(a[:4] == b[:4] and torch.equal(a[4], b[4]) for a, b in values)


@pytest.mark.parametrize("fails", [False, True])
def test_the_module_comes_back_exactly_as_it_was(fails: bool, tmp_path: Path) -> None:
    module = Head(lambda y: y[: int(y.size(0)), -1] if fails else y[:, -1]).train()
    module.rnn.eval()
    module.head.bias.requires_grad_(False)
    module.register_forward_hook(lambda *_: None)
    before, forward = fingerprint(module), nn.LSTM.forward
    random = torch.random.get_rng_state()
    if fails:
        with pytest.raises(ExportError):
            lx.export_onnx(module, example(), tmp_path / "m.onnx")
    else:
        x = example()
        random = torch.random.get_rng_state()
        lx.export_onnx(module, x, tmp_path / "m.onnx")
        assert torch.equal(torch.random.get_rng_state(), random)
    assert same(before, fingerprint(module))
    assert nn.LSTM.forward is forward
    assert (tmp_path / "m.onnx").exists() is not fails


def test_numbers_that_are_wrong_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstm_export.exporting import gates

    monkeypatch.setitem(gates.ONNX_GATES, "lstm", (0, 1, 2, 3))
    with pytest.raises(ParityError, match="output is wrong"):
        lx.export_onnx(Head(), example(), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    lx.export_onnx(Head(), example(), path)
    before = path.read_bytes()
    with pytest.raises(ExportError, match="refuses its own example"):
        lx.export_onnx(Head(), torch.randn(2, 5, 4), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("place", ["missing/m.onnx", "."])
def test_a_place_that_cannot_be_written_is_refused_first(place: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        lx.export_onnx(Head(), example(), tmp_path / place)


def test_the_same_module_gives_the_same_bytes(tmp_path: Path) -> None:
    module = Head()
    for name in ("a", "b"):
        lx.export_onnx(module, example(), tmp_path / name)
        lx.export_onnx(nn.GRU(3, 4), torch.randn(5, 2, 3), tmp_path / "between")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert b"test_export" not in (tmp_path / "a").read_bytes()


def test_threads_export_at_once_and_disturb_nobody(tmp_path: Path) -> None:
    torch.manual_seed(0)
    modules, failures = [Head() for _ in range(3)], []
    bystander = nn.LSTM(3, 8, batch_first=True)
    x = example(4, 9)
    expected = bystander(x)[0].detach()
    done = threading.Event()

    def export(index: int) -> None:
        try:
            lx.export_onnx(modules[index], example(), tmp_path / f"{index}.onnx")
        except Exception as error:
            failures.append(error)

    def run() -> None:
        while not done.is_set():
            # Not to the last bit, which depends on where in memory a tensor lies.
            if not torch.allclose(bystander(x)[0], expected, rtol=0, atol=1e-6):
                failures.append(AssertionError("another module of the class was disturbed"))

    threads = [threading.Thread(target=export, args=(index,)) for index in range(3)]
    watcher = threading.Thread(target=run)
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    assert failures == []
    for index, module in enumerate(modules):
        session = onnxruntime.InferenceSession(tmp_path / f"{index}.onnx")
        got = session.run(None, {"x": x.numpy()})[0]
        assert abs(got - module.eval()(x).detach().numpy()).max() < 1e-5


@pytest.mark.parametrize(
    "args",
    [
        (torch.tensor([1, 2]), "sideways"),
        (torch.tensor([2, 1]), 0.5),
    ],
)
def test_other_arguments_are_built_in_and_said(args: tuple[Any, ...], tmp_path: Path) -> None:
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.rnn = nn.Embedding(3, 4), nn.GRU(4, 4)

        def forward(self, tokens: Tensor, how: Any) -> Tensor:
            y = self.rnn(self.embedding(tokens))[0]
            return y * how if isinstance(how, float) else y

    report = lx.export_onnx(Weighted(), args, tmp_path / "m.onnx")
    assert report.constants == {"how": repr(args[1])}
    assert axes(report)["tokens"] == ["sequence_length"]


def test_fixed_tolerances_replace_the_rule(tmp_path: Path) -> None:
    report = lx.export_onnx(Head(), example(), tmp_path / "m.onnx", atol=1e-4)
    assert report.verification is not None
    assert "0.0001" in report.verification.rule
    with pytest.raises(ParityError):
        lx.export_onnx(Head(), example(), tmp_path / "n.onnx", atol=0.0, rtol=0.0)


def test_verification_can_be_left_out(tmp_path: Path) -> None:
    report = lx.export_onnx(Head(), example(), tmp_path / "m.onnx", verify=False)
    assert report.verification is None
    assert any("not verified" in note for note in report.notes)
