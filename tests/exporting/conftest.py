"""A module as an ONNX graph of which every axis is open, beside the module itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental import _config as shape_settings

from lstm_export.compare.result import TensorComparison
from lstm_export.compare.tensors import compare_outputs
from lstm_export.exporting.capture.loops import loop_capture
from lstm_export.exporting.capture.packed import packed_capture
from lstm_export.exporting.capture.recurrent import recurrent_capture
from lstm_export.exporting.export import export_onnx
from lstm_export.exporting.exported import Exported, Ready, finished
from lstm_export.exporting.exported import exported as exported_graph
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.recurrent import lower_recurrent
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.report import ExportReport
from lstm_export.exporting.rolling.roll import roll_loops
from lstm_export.exporting.target import Target
from lstm_export.exporting.translate import translate
from lstm_export.exporting.unchanged.quiet import no_chatter, no_warnings


class Graph:
    """What was exported, as onnxruntime runs it."""

    def __init__(self, module: nn.Module, content: bytes) -> None:
        self.module, self.content = module, content
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.outputs = {value.name: value.shape for value in self.session.get_outputs()}

    @property
    def operators(self) -> list[str]:
        return [node.op_type for node in onnx.load_from_string(self.content).graph.node]

    def run(self, *inputs: Tensor) -> dict[str, Any]:
        names = [value.name for value in self.session.get_inputs()]
        feeds = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return dict(zip(self.outputs, self.session.run(None, feeds), strict=True))

    def compare(self, *inputs: Tensor) -> dict[str, TensorComparison]:
        """Each output beside the module's, by the parity rule."""
        got = self.run(*inputs)
        wide = [value.double() if value.is_floating_point() else value for value in inputs]
        with torch.no_grad():
            usual = arrays(got, self.module(*inputs))
            exact = arrays(got, self.module.double()(*wide))
        self.module.float()
        return {result.name: result for result in compare_outputs(got, exact, usual)}

    def check(self, *inputs: Tensor, about: str = "") -> None:
        """The graph's answers are the module's."""
        found = self.compare(*inputs).values()
        wrong = [f"{result.name}: {result.reason}" for result in found if not result.passed]
        assert not wrong, (about, wrong)


class Flat(nn.Module):
    """A module called with tensors in a row, whatever its signature."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Tensor) -> Any:
        return self.module(*inputs)


def arrays(names: Iterable[str], outputs: Any) -> dict[str, Any]:
    tensors = outputs if isinstance(outputs, tuple) else (outputs,)
    return {name: value.numpy() for name, value in zip(names, tensors, strict=True)}


def translated(module: nn.Module, inputs: tuple[Tensor, ...], trim: bool) -> ir.Model:
    """The graph before lowering, which no target has a part in."""
    module.eval().requires_grad_(False)
    axes = tuple(dict.fromkeys(range(value.dim()), torch.export.Dim.AUTO) for value in inputs)
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with no_warnings(), no_chatter(), torch.no_grad():
        with (
            recurrent_capture(module),
            packed_capture(trim=trim),
            loop_capture(module),
            oblivious,
        ):
            recorded = torch.export.export(
                Flat(module).eval(), inputs, dynamic_shapes=(axes,), strict=False
            )
            program = roll_loops(recorded)
        outputs = program.graph_signature.user_outputs
        return translate(
            program,
            input_names=[f"input_{i}" for i in range(len(inputs))],
            output_names=[f"output_{i}" for i in range(len(outputs))],
        )


def lowered(model: ir.Model, target: Target) -> bytes:
    model = model.clone()
    lower_recurrent(model, target)
    tidy(model)
    model.ir_version = 8
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString()
    return content


@pytest.fixture(scope="session")
def exported() -> Callable[..., Graph]:
    """A function from a module and examples of its inputs to its graph."""

    def export(
        module: nn.Module, *inputs: Tensor, target: Target = "portable", trim: bool = True
    ) -> Graph:
        return Graph(module, lowered(translated(module, inputs, trim), target))

    return export


@pytest.fixture(scope="session")
def exported_for_all() -> Callable[..., dict[Target, Graph]]:
    """The same for every target, from one trace."""

    def export(module: nn.Module, *inputs: Tensor) -> dict[Target, Graph]:
        model = translated(module, inputs, True)
        return {target: Graph(module, lowered(model, target)) for target in get_args(Target)}

    return export


@pytest.fixture
def export_for_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., dict[Path, ExportReport]]:
    """A function from a module, its arguments and targets to a file and its report for each.

    `export_onnx` writes and verifies every file; they come from one trace, which no target has a
    part in and which is most of what an export costs.
    """
    known: list[Exported] = []

    def once(state: Ready, args: Any, kwargs: Any, options: GraphOptions) -> Exported:
        if not known:
            known.append(exported_graph(state, args, kwargs, options))
            return known[0]
        model = known[0].translated.clone()
        loops = finished(model, known[0].contract, options)
        return replace(known[0], model=model, loops=loops)

    def export(
        module: nn.Module, args: tuple[Any, ...], targets: Iterable[Target]
    ) -> dict[Path, ExportReport]:
        known.clear()
        paths = {target: tmp_path / f"{target}.onnx" for target in targets}
        return {path: export_onnx(module, args, path, target=one) for one, path in paths.items()}

    monkeypatch.setattr(sys.modules[export_onnx.__module__], "exported", once)
    return export


@pytest.fixture(scope="session")
def ragged() -> Callable[..., list[Tensor]]:
    """A function from sizes and lengths to x (batch, time, 4), NaN in its padding, and lengths."""

    def draw(batch: int, time: int, lengths: list[int], *, nan: bool = True) -> list[Tensor]:
        x = torch.randn(batch, time, 4, generator=torch.Generator().manual_seed(time))
        if nan:
            x[torch.arange(time) >= torch.tensor(lengths)[:, None]] = float("nan")
        return [x, torch.tensor(lengths)]

    return draw
