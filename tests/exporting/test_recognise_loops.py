"""Time loops around cells: layers, heads, directions, states; what becomes of the whole loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental import _config as shape_settings
from torch.nn import functional as F

from lstm_export.exporting.capture.loops import loop_capture
from lstm_export.exporting.capture.recurrent import recurrent_capture
from lstm_export.exporting.graph.tidy import tidy
from lstm_export.exporting.lowering.recognise.scans import recognise_cells
from lstm_export.exporting.lowering.recurrent import lower_recurrent
from lstm_export.exporting.rolling.roll import roll_loops
from lstm_export.exporting.target import Target
from lstm_export.exporting.translate import translate

SHAPES = [(1, 1), (4, 9), (3, 40)]
sig, tanh = torch.sigmoid, torch.tanh
Example = tuple[int | str, ...]


class Loop(nn.Module):
    """A time loop; `inputs` are the shapes that it takes, `operators` what it becomes."""

    inputs: tuple[Example, ...] = (("B", "T", 4),)
    operators: tuple[str, ...] = ()

    def zeros(self, x: Tensor, *sizes: int) -> Tensor:
        return x.new_zeros(x.shape[0], *(sizes or (6,)))


class Stacked(Loop):
    operators = ("LSTM", "LSTM")

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTMCell(4, 6), nn.LSTMCell(6, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Any:
        h, c, g, d = (self.zeros(x) for _ in range(4))
        outputs = []
        for t in range(x.size(1)):
            h, c = self.first(x[:, t], (h, c))
            g, d = self.second(h, (g, d))
            outputs.append(torch.softmax(self.head(torch.relu(g)), dim=1))
        return torch.stack(outputs, dim=1), h, d


class ListOfCells(Loop):
    operators = ("GRU", "GRU", "GRU")

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([nn.GRUCell(4, 6), nn.GRUCell(6, 6), nn.GRUCell(6, 6)])

    def forward(self, x: Tensor) -> Any:
        h = [self.zeros(x) for _ in self.cells]
        outputs = []
        for x_t in x.unbind(1):
            below = x_t
            for i, cell in enumerate(self.cells):
                h[i] = cell(below, h[i])
                below = F.dropout(h[i], 0.3, self.training)
            outputs.append(below.unsqueeze(1))
        return torch.cat(outputs, 1)


class LayersInOneTensor(Loop):
    operators = ("LSTM", "LSTM")

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(4, 6), nn.LSTMCell(6, 6)])

    def forward(self, x: Tensor) -> Any:
        h = c = x.new_zeros(2, x.size(0), 6)
        for t in range(x.size(1)):
            below, hs, cs = x[:, t], [], []
            for layer, cell in enumerate(self.cells):
                below, c_t = cell(below, (h[layer], c[layer]))
                hs.append(below)
                cs.append(c_t)
            h, c = torch.stack(hs), torch.stack(cs)
        return h[-1], c


class TwoKinds(Loop):
    """An LSTM whose projected h, added to the input, feeds a GRU; all three side by side."""

    operators = ("LSTM", "GRU")

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru, self.narrow = nn.LSTMCell(4, 6), nn.GRUCell(4, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Any:
        h, c, g = (self.zeros(x) for _ in range(3))
        outputs = []
        for t in range(x.size(1)):
            h, c = self.lstm(x[:, t], (h, c))
            g = self.gru(self.narrow(h) + x[:, t], g)
            outputs.append(torch.cat([g, h, x[:, t]], -1))
        return torch.stack(outputs, 1), c


class TwoDirections(Loop):
    operators = ("GRU", "GRU")

    def __init__(self) -> None:
        super().__init__()
        self.forwards, self.backwards = nn.GRUCell(4, 6), nn.GRUCell(4, 6)

    def forward(self, x: Tensor) -> Any:
        h = g = self.zeros(x)
        there, back = [], []
        for t in range(x.size(1)):
            h = self.forwards(x[:, t], h)
            there.append(h)
        for t in reversed(range(x.size(1))):
            g = self.backwards(x[:, t], g)
            back.append(g)
        return torch.cat([torch.stack(there, 1), torch.stack(back[::-1], 1)], -1), g


class GivenStates(Loop):
    inputs = (("B", "T", 4), ("B", 6), ("B", 6))
    operators = ("LSTM",)

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTMCell(4, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Any:
        before = []
        for t in range(x.size(1)):
            before.append(self.head(h))  # of the state that the step starts from
            h, c = self.cell(x[:, t], (h, c))
        return torch.stack(before, 1), h, c


class LearnedState(Loop):
    operators = ("GRU",)

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.start = nn.GRUCell(4, 6), nn.Parameter(torch.randn(1, 6))

    def forward(self, x: Tensor) -> Any:
        h = self.start.expand(x.size(0), -1)
        for t in range(x.size(1)):
            h = self.cell(x[:, t], h)
        return h


class OneStateOfTwo(Loop):
    inputs = (("B", "T", 4), ("B", 6))
    operators = ("LSTM",)

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 6)

    def forward(self, x: Tensor, c: Tensor) -> Any:
        h = torch.zeros_like(c)
        for t in range(x.size(1)):
            h, c = self.cell(x[:, t], (h, c))
        return h


class ProjectedBefore(Loop):
    """The input's product with all gates' weights before the loop: it goes back into W."""

    operators = ("GRU",)

    def __init__(self) -> None:
        super().__init__()
        self.x2h, self.h2h = nn.Linear(4, 18), nn.Linear(6, 18, bias=False)

    def forward(self, x: Tensor) -> Any:
        projected, h, outputs = self.x2h(x), self.zeros(x), []
        for t in range(x.size(1)):
            x_r, x_z, x_n = projected[:, t].chunk(3, -1)
            h_r, h_z, h_n = self.h2h(h).chunk(3, -1)
            r, z = sig(x_r + h_r), sig(x_z + h_z)
            h = (1 - z) * tanh(x_n + r * h_n) + z * h
            outputs.append(h)
        return torch.stack(outputs, 1)


class Columns(Loop):
    """Samples as columns, as lectures have it: W · x."""

    operators = ("LSTM",)

    def __init__(self) -> None:
        super().__init__()
        self.W = nn.ParameterList([nn.Parameter(torch.randn(6, 10) * 0.4) for _ in range(4)])
        self.b = nn.ParameterList([nn.Parameter(torch.randn(6, 1)) for _ in range(4)])

    def forward(self, x: Tensor) -> Any:
        x = x.permute(1, 2, 0)
        h = c = torch.zeros(6, x.size(2), dtype=x.dtype)
        outputs = []
        for x_t in x:
            both = torch.cat([h, x_t], dim=0)
            f, i, o, g = (W @ both + b for W, b in zip(self.W, self.b, strict=True))
            c = sig(f) * c + sig(i) * tanh(g)
            h = sig(o) * tanh(c)
            outputs.append(h)
        return torch.stack(outputs)


class Unbatched(Loop):
    inputs = (("T", 4),)
    operators = ("RNN",)

    def __init__(self) -> None:
        super().__init__()
        self.W, self.U = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(6, 6) * 0.4)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Any:
        h, outputs = x.new_zeros(6), []
        for x_t in x:
            h = tanh(self.W @ x_t + self.U @ h)
            outputs.append(self.head(h))
        return torch.stack(outputs), h


class KeptAxis(Loop):
    """x[:, t : t + 1]: the step's tensors have a time axis of their own, of size 1."""

    operators = ("RNN",)

    def __init__(self) -> None:
        super().__init__()
        self.i2h, self.h2h = nn.Linear(4, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Any:
        h, outputs = self.zeros(x, 1, 6), []
        for t in range(x.size(1)):
            h = tanh(self.i2h(x[:, t : t + 1, :]) + self.h2h(h))
            outputs.append(h)
        return torch.cat(outputs, 1)


class Words(Loop):
    inputs = (("B", "T", "word"),)
    operators = ("GRU",)

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cell, self.head = nn.Embedding(11, 4), nn.GRUCell(4, 6), nn.Linear(6, 11)

    def forward(self, x: Tensor) -> Any:
        h, outputs = torch.zeros(x.size(0), 6, dtype=self.head.weight.dtype), []
        for t in range(x.size(1)):
            h = self.cell(self.embed(x[:, t]), h)
            outputs.append(F.log_softmax(self.head(h), dim=1))
        return torch.stack(outputs, 1)


class Frames(Loop):
    """A small CNN per frame: time joins the batch for it."""

    inputs = (("B", "T", 1, 8, 8),)
    operators = ("Conv", "MaxPool", "LSTM")

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.cell = nn.LSTMCell(32, 6)

    def forward(self, x: Tensor) -> Any:
        h, c, outputs = self.zeros(x), self.zeros(x), []
        for t in range(x.size(1)):
            h, c = self.cell(self.cnn(x[:, t]).flatten(1), (h, c))
            outputs.append(h)
        return torch.stack(outputs, 1)


class Context(Loop):
    """A decoder that sees the encoder's last state at every step."""

    operators = ("LSTM", "LSTM")

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.cell = nn.LSTM(4, 6, batch_first=True), nn.LSTMCell(10, 6)
        self.start = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Any:
        _, (last, _) = self.encoder(x)
        h, outputs = tanh(self.start(last[-1])), []
        c = torch.zeros_like(h)
        for t in range(x.size(1)):
            h, c = self.cell(torch.cat([x[:, t], last[-1]], 1), (h, c))
            outputs.append(h)
        return torch.stack(outputs, 1)


class Gathered(Loop):
    """Sums and maxima over the loop, and the input of the step before."""

    operators = ("GRU",)

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 6)

    def forward(self, x: Tensor) -> Any:
        h, total, most, last = self.zeros(x), self.zeros(x), self.zeros(x) - 1, self.zeros(x, 4)
        sums = []
        for t in range(x.size(1)):
            h = self.cell(x[:, t] - last, h)
            total = total + h
            most = torch.maximum(most, h)
            last = x[:, t]
            sums.append(total * 2)
        return torch.stack(sums, 1), total / x.size(1), most


class ScaledInput(Loop):
    """Folding the scaling into W would lose four digits."""

    operators = ("LSTM",)

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 6)

    def forward(self, x: Tensor) -> Any:
        x, h, c = x + 1e5, self.zeros(x), self.zeros(x)
        for t in range(x.size(1)):
            h, c = self.cell((x[:, t] - 1e5) / 0.5, (h, c))
        return h


class CellStates(Loop):
    """c at every step, which no operator gives."""

    operators = ("Scan",)

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 6)

    def forward(self, x: Tensor) -> Any:
        h, c, outputs = self.zeros(x), self.zeros(x), []
        for t in range(x.size(1)):
            h, c = self.cell(x[:, t], (h, c))
            outputs.append(c)
        return torch.stack(outputs, 1), h


class Feedback(Loop):
    """The head's output goes back into the cell."""

    operators = ("Scan",)

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Any:
        h, y, outputs = self.zeros(x), self.zeros(x, 4), []
        for t in range(x.size(1)):
            h = self.cell(x[:, t] + y, h)
            y = self.head(h)
            outputs.append(y)
        return torch.stack(outputs, 1)


class Attention(Loop):
    operators = ("LSTM", "Scan")

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.cell = nn.LSTM(4, 6, batch_first=True), nn.LSTMCell(10, 6)
        self.score = nn.Linear(12, 1)

    def forward(self, x: Tensor) -> Any:
        seen, _ = self.encoder(x)
        h, c, outputs = self.zeros(x), self.zeros(x), []
        for t in range(x.size(1)):
            pairs = torch.cat([seen, h.unsqueeze(1).expand_as(seen)], -1)
            context = (torch.softmax(self.score(pairs), 1) * seen).sum(1)
            h, c = self.cell(torch.cat([x[:, t], context], 1), (h, c))
            outputs.append(h)
        return torch.stack(outputs, 1)


LOOPS: list[type[Loop]] = [
    *(
        Stacked,
        ListOfCells,
        LayersInOneTensor,
        TwoKinds,
        TwoDirections,
        GivenStates,
        LearnedState,
        OneStateOfTwo,
    ),
    *(ProjectedBefore, Columns, Unbatched, KeptAxis, Words, Frames, Context, Gathered),
    *(ScaledInput, CellStates, Feedback, Attention),
]


def exported(module: Loop, target: Target) -> tuple[ir.Model, list[str]]:
    """The graph after recognition, and what recognition says."""
    args = tensors(module, 2, 5)
    dims = [dict.fromkeys(range(arg.dim()), torch.export.Dim.AUTO) for arg in args]
    oblivious = shape_settings.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with torch.no_grad(), oblivious:
        with loop_capture(module), recurrent_capture(module):
            shapes = tuple(dims)
            program = torch.export.export(module, args, dynamic_shapes=shapes, strict=False)
        program = roll_loops(program)
        ends = program.graph_signature
        inputs = [f"input_{i}" for i in range(len(ends.user_inputs))]
        outputs = [f"output_{i}" for i in range(len(ends.user_outputs))]
        model = translate(program, input_names=inputs, output_names=outputs)
    said = recognise_cells(model, target)
    lower_recurrent(model, target)
    tidy(model)
    model.ir_version = 8
    return model, said


def tensors(module: Loop, batch: int, length: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(batch * 1000 + length)
    sizes: dict[int | str, int] = {"B": batch, "T": length}
    found = []
    for example in module.inputs:
        shape = [sizes.get(size, size) for size in example if size != "word"]
        words = example[-1] == "word"
        drawn = torch.rand([int(size) for size in shape], generator=generator)
        found.append((drawn * 11).long() if words else 2 * drawn - 1)
    return tuple(found)


def check(module: Loop, model: ir.Model) -> None:
    """onnxruntime against the module, at other shapes than the traced one."""
    content = ir.to_proto(model).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    for batch, length in SHAPES:
        args = tensors(module, batch, length)
        got = session.run(None, dict(zip(names, (arg.numpy() for arg in args), strict=True)))
        with torch.no_grad():
            usual = _results(module, args)
            wide = [arg.double() if arg.is_floating_point() else arg for arg in args]
            exact = _results(module.double(), wide)
            module.float()
        for value, plain, reference in zip(got, usual, exact, strict=True):
            assert value.shape == reference.shape
            bound = max(4 * np.abs(plain - reference).max(), 2e-6 * np.abs(reference).max())
            assert np.abs(value - reference).max() <= bound, (batch, length)


def _results(module: Loop, args: Sequence[Tensor]) -> list[Any]:
    found = module(*args)
    return [tensor.numpy() for tensor in (found if isinstance(found, tuple) else (found,))]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_a_loop_becomes_operators_where_it_can(loop: type[Loop]) -> None:
    torch.manual_seed(0)
    module = loop().eval()
    target: Target = ("portable", "onnxruntime")[LOOPS.index(loop) % 2]  # type: ignore[assignment]
    model, said = exported(module, target)
    wanted = {"LSTM", "GRU", "RNN", "Scan", "Loop", "Conv", "MaxPool"}
    assert tuple(n.op_type for n in model.graph if n.op_type in wanted) == loop.operators, said
    check(module, model)


def test_the_graph_is_no_larger_than_that_of_a_recurrent_layer() -> None:
    model, said = exported(Stacked().eval(), "onnxruntime")
    assert said == ["loop 1: LSTM of 6 (first), LSTM of 6 (second)"]
    around = ["Transpose", "Transpose", "Squeeze", "Squeeze"]  # x, output, final h and c
    layers = ["LSTM", "Squeeze"] * 2
    head = ["Relu", "MatMul", "Add", "Softmax"]
    assert sorted(node.op_type for node in model.graph) == sorted([*around, *layers, *head])
    weights = ["first.W", "first.R", "first.B", "second.W", "second.R", "second.B"]
    assert set(weights) <= set(model.graph.initializers)


def test_a_reason_is_given_for_what_stays_a_loop() -> None:
    _, said = exported(CellStates().eval(), "portable")
    assert said == ["loop 1: stays a Scan: an LSTM operator gives c of the last step alone"]


def test_a_wrong_weight_is_seen() -> None:
    torch.manual_seed(0)
    module = GivenStates().eval()
    model, _ = exported(module, "portable")
    for value in model.graph.initializers.values():
        if value.name == "cell.R":
            array = value.const_value.numpy().copy()
            array[0, 3, 2] += 1e-3
            value.const_value = ir.tensor(array)
    with pytest.raises(AssertionError):
        check(module, model)
