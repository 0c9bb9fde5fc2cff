"""Packed sequences and ragged batches: any lengths, whatever stands in the padding."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.packed import packed_capture

TARGETS = ["portable", "onnxruntime"]
Export = Callable[..., Any]


def ragged(batch: int, time: int, lengths: list[int], *, nan: bool = True) -> list[Tensor]:
    """x (batch, time, 4) with NaN in the padding, and its lengths."""
    assert len(lengths) == batch
    x = torch.randn(batch, time, 4, generator=torch.Generator().manual_seed(time))
    if nan:
        x[torch.arange(time) >= torch.tensor(lengths)[:, None]] = float("nan")
    return [x, torch.tensor(lengths)]


EXAMPLE = (3, 5, [3, 5, 2])
OTHERS = [(4, 9, [7, 9, 1, 7]), (1, 1, [1]), (2, 7, [3, 5]), (3, 40, [11, 33, 1])]


class Stacks(nn.Module):
    """Layers of one cell, each packed in its own way, over the same batch."""

    def __init__(self, cell: str, **options: Any) -> None:
        super().__init__()
        self.ways = list(
            itertools.product(
                (1, 2),
                (False, True),
                # batch_first, enforce_sorted, explicit state
                [(0, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1)],
            )
        )
        self.stacks = nn.ModuleList(
            getattr(nn, cell)(4, 5, layers, bidirectional=two, batch_first=bool(way[0]), **options)
            for layers, two, way in self.ways
        )

    def forward(self, x: Tensor, lengths: Tensor, falling: Tensor, *state: Tensor) -> Any:
        outputs: list[Tensor] = []
        for stack, (layers, two, (batch_first, is_sorted, with_state)) in zip(
            self.stacks, self.ways, strict=True
        ):
            parts = tuple(part[: layers * (1 + two)] for part in state)
            given = (parts if len(parts) == 2 else parts[0],) if with_state else ()
            packed = pack_padded_sequence(
                x if batch_first else x.transpose(0, 1),
                falling if is_sorted else lengths,
                bool(batch_first),
                bool(is_sorted),
            )
            y, final = stack(packed, *given)
            outputs += pad_packed_sequence(y, batch_first=bool(batch_first))
            outputs += final if isinstance(final, tuple) else (final,)
        return tuple(outputs)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning")
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("LSTM", {}),
        ("LSTM", {"proj_size": 3, "bias": False}),
        ("GRU", {}),
        ("RNN", {}),
        ("RNN", {"nonlinearity": "relu"}),
    ],
    ids=["lstm", "projected", "gru", "tanh", "relu"],
)
def test_any_layers_over_any_lengths_give_torchs_numbers(
    exported_for_all: Export, cell: str, options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    module = Stacks(cell, **options)

    def inputs(batch: int, time: int, lengths: list[int]) -> list[Tensor]:
        x, given = ragged(batch, time, lengths, nan=False)
        falling = given.sort(descending=True)[0]
        # Both sets of lengths cut the same x.
        x[torch.arange(time) >= torch.maximum(given, falling)[:, None]] = float("nan")
        widths = [options.get("proj_size", 5), 5][: 2 if cell == "LSTM" else 1]
        return [x, given, falling, *(2 * torch.randn(4, batch, width) for width in widths)]

    graphs = exported_for_all(module, *inputs(*EXAMPLE))
    for (target, graph), case in itertools.product(graphs.items(), OTHERS):
        graph.check(*inputs(*case), about=target)


class Model(nn.Module):
    """Whatever surrounds packed layers in practice: one function of x and lengths for each use."""

    def __init__(self, uses: dict[str, Callable[..., Any]]) -> None:
        super().__init__()
        self.uses = uses
        self.lstm = nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(12, 5, batch_first=True)
        self.before, self.after = nn.Linear(4, 4), nn.Linear(12, 3)
        self.dropout, self.embedding = nn.Dropout(0.3), nn.Embedding(20, 4)
        self.batch_norm, self.layer_norm = nn.BatchNorm1d(4), nn.LayerNorm(4)
        self.batch_norm.running_mean.normal_()  # type: ignore[union-attr, operator]

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        outputs: list[Tensor] = []
        for use in self.uses.values():
            found = use(self, x, lengths)
            outputs += found if isinstance(found, tuple) else (found,)
        return tuple(outputs)


def pack(x: Tensor, lengths: Any) -> PackedSequence:
    return pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)


def pad(packed: PackedSequence, **options: Any) -> Tensor:
    return rnn.pad_packed_sequence(packed, batch_first=True, **options)[0]


def rebuilt(packed: PackedSequence, data: Tensor) -> PackedSequence:
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def dropout_on_data(m: Model, x: Tensor, lengths: Tensor) -> Any:
    packed = pack(x, lengths)
    y, (h, c) = m.lstm(rebuilt(packed, m.dropout(packed.data)))
    return pad(rebuilt(y, m.dropout(y.data))), h, c


def linear_on_data(m: Model, x: Tensor, lengths: Tensor) -> Any:
    packed = pack(x, lengths)
    y, _ = m.lstm(rebuilt(packed, F.relu(m.before(packed.data))))
    return pad(rebuilt(y, m.after(y.data)))


def embedding_on_data(m: Model, x: Tensor, lengths: Tensor) -> Any:
    ids = torch.where(torch.isnan(x[..., 0]), -7, (3 * x[..., 0]).abs()).long()
    packed = pack(ids, lengths)
    return m.lstm(rebuilt(packed, m.embedding(packed.data)))[1]


def norms_on_data(m: Model, x: Tensor, lengths: Tensor) -> Any:
    packed = pack(x, lengths)
    return m.lstm(rebuilt(packed, m.layer_norm(m.batch_norm(packed.data))))[1][0]


def statistics_of_data(m: Model, x: Tensor, lengths: Tensor) -> Any:
    packed = pack(x, lengths)
    y, _ = m.lstm(rebuilt(packed, packed.data - packed.data.mean(0)))
    return pad(y), y.data, y.batch_sizes, y.data.sum(0)


def order_forgotten(m: Model, x: Tensor, lengths: Tensor) -> Any:
    # Two lengths are never equal here: torch need not keep the order of equals.
    packed = pack(x, lengths)
    y, (h, _) = m.lstm(PackedSequence(packed.data, packed.batch_sizes))
    return *pad_packed_sequence(y, batch_first=True), h


def total_length(m: Model, x: Tensor, lengths: Tensor) -> Any:
    y, _ = m.lstm(pack(x, lengths))
    return pad(y, total_length=x.size(1)), pad(y, total_length=50, padding_value=-2.0)


def longer_than_the_input(m: Model, x: Tensor, lengths: Tensor) -> Any:
    y, _ = m.lstm(pack(x, lengths))
    return pad_packed_sequence(y, total_length=x.size(1) + 2, padding_value=float("-inf"))[0]


def maximum_by_padding(m: Model, x: Tensor, lengths: Tensor) -> Any:
    y, _ = m.lstm(pack(x, lengths))
    return pad(y, padding_value=float("-inf")).max(1)[0]


def last_step(m: Model, x: Tensor, lengths: Tensor) -> Any:
    y, lengths = pad_packed_sequence(m.lstm(pack(x, lengths))[0], batch_first=True)
    places = (lengths - 1).view(-1, 1, 1).expand(-1, 1, y.size(2))
    return y[torch.arange(y.size(0)), lengths - 1], y.gather(1, places).squeeze(1)


def masked_means(m: Model, x: Tensor, lengths: Tensor) -> Any:
    y, lengths = pad_packed_sequence(m.lstm(pack(x, lengths))[0], batch_first=True)
    valid = (torch.arange(y.size(1))[None] < lengths[:, None]).unsqueeze(-1)
    largest = y.masked_fill(~valid, float("-inf")).max(1).values
    return (y * valid).sum(1) / lengths.unsqueeze(-1), largest, y.max(1)[0], y.mean(1)


def attention(m: Model, x: Tensor, lengths: Tensor) -> Any:
    y, (h, _) = m.lstm(pack(x, lengths))
    y, lengths = pad_packed_sequence(y, batch_first=True)
    scores = (y @ torch.cat([h[-2], h[-1]], 1).unsqueeze(-1)).squeeze(-1)
    padding = torch.arange(y.size(1)).expand(y.size(0), -1) >= lengths.unsqueeze(1)
    weights = torch.softmax(scores.masked_fill(padding, -1e9), 1)
    return (weights.unsqueeze(-1) * y).sum(1)


def lengths_from_a_mask(m: Model, x: Tensor, lengths: Tensor) -> Any:
    return m.lstm(pack(x, (~torch.isnan(x)).any(-1).sum(1)))[1]


def lengths_as_a_list(m: Model, x: Tensor, lengths: Tensor) -> Any:
    return pad(m.lstm(pack(x, lengths.cpu().tolist()))[0])


def lengths_in_32_bits(m: Model, x: Tensor, lengths: Tensor) -> Any:
    return m.lstm(pack(x, lengths.int()))[1]


def sorted_by_hand(m: Model, x: Tensor, lengths: Tensor) -> Any:
    falling, order = lengths.sort(descending=True)
    inverse = order.argsort()
    packed = pack_padded_sequence(x[order], falling.cpu(), batch_first=True)
    y, (h, c) = m.lstm(packed)
    return pad(y)[inverse], h[:, inverse], c[:, inverse]


def stacked_packed_layers(m: Model, x: Tensor, lengths: Tensor) -> Any:
    y, h = m.gru(m.lstm(pack(x, lengths))[0])
    return pad(y), h[-1]


def cut_by_hand(m: Model, x: Tensor, lengths: Tensor) -> Any:
    return pad(m.lstm(pack(x[:, : lengths.max()], lengths))[0])


def decoder_after_encoder(m: Model, x: Tensor, lengths: Tensor) -> Any:
    packed = pack(x, lengths)
    _, state = m.lstm(packed)
    return m.lstm(packed, state)[1]


USES = {
    use.__name__: use
    for use in (
        dropout_on_data,
        linear_on_data,
        embedding_on_data,
        norms_on_data,
        statistics_of_data,
        order_forgotten,
        total_length,
        longer_than_the_input,
        maximum_by_padding,
        last_step,
        masked_means,
        attention,
        lengths_from_a_mask,
        lengths_as_a_list,
        lengths_in_32_bits,
        sorted_by_hand,
        stacked_packed_layers,
        cut_by_hand,
        decoder_after_encoder,
    )
}
LENGTHS = [(3, 9, [7, 9, 1]), (1, 1, [1]), (2, 7, [3, 5]), (3, 40, [11, 33, 1])]


@pytest.fixture(scope="module")
def failures(exported_for_all: Export) -> dict[str, list[str]]:
    """By use, how graphs that hold all of them differ from torch at other shapes."""
    torch.manual_seed(0)
    module = Model(USES)
    inputs = ragged(*EXAMPLE)
    graphs = exported_for_all(module, *inputs)
    owners = []
    with torch.no_grad():
        for name, use in USES.items():
            found = use(module, *inputs)
            owners += [name] * (len(found) if isinstance(found, tuple) else 1)
    wrong: dict[str, list[str]] = {name: [] for name in USES}
    for (target, graph), case in itertools.product(graphs.items(), LENGTHS):
        results = graph.compare(*ragged(*case))
        for owner, result in zip(owners, results.values(), strict=True):
            if not result.passed:
                wrong[owner].append(f"{target}, {result.name} at {case}: {result.reason}")
    return wrong


@pytest.mark.parametrize("use", USES)
def test_what_surrounds_packed_layers(failures: dict[str, list[str]], use: str) -> None:
    assert not failures[use]


def last(m: Model, x: Tensor, lengths: Tensor) -> Any:
    return m.lstm(pack(x, lengths))[1][0]


@pytest.mark.parametrize("target", TARGETS)
def test_lengths_that_the_batch_cannot_have_give_no_numbers(exported: Export, target: str) -> None:
    graph = exported(Model({"last": last}), *ragged(*EXAMPLE), target=target)
    x, _ = ragged(3, 5, [5, 5, 5])
    graph.check(x, torch.tensor([5, 1, 2]))
    for lengths in ([6, 1, 2], [5, 0, 2], [5, -1, 2], [-5, 1, 2], [5, 2**40, 1]):
        with pytest.raises(Exception, match="out of data bounds"):
            graph.run(x, torch.tensor(lengths))


def test_a_wrong_weight_is_noticed(exported: Export) -> None:
    module = Model({"last": last})
    graph = exported(module, *ragged(*EXAMPLE))
    graph.check(*ragged(*EXAMPLE))
    module.lstm.weight_hh_l1_reverse[3, 2] += 1e-3
    with pytest.raises(AssertionError, match="values are off"):
        graph.check(*ragged(*EXAMPLE))


def test_the_cell_state_survives_long_padding(exported: Export) -> None:
    def states(m: Model, x: Tensor, lengths: Tensor) -> Any:
        _, (h, c) = m.lstm(pack(x, lengths))
        return m.lstm(pack(x, lengths), (h * 9, c * 9))[1]

    module = Model({"states": states})
    with torch.no_grad():
        for weight in module.lstm.parameters():
            weight *= 5
    graph = exported(module, *ragged(*EXAMPLE))
    graph.check(*ragged(3, 2000, [1, 2000, 60]))


def test_each_target_keeps_to_its_operators(exported: Export) -> None:
    def usual(m: Model, x: Tensor, lengths: Tensor) -> Any:
        packed = pack(x, lengths)
        packed = rebuilt(packed, m.dropout(m.before(packed.data)))
        return pad(m.lstm(packed)[0])

    for target in TARGETS:
        graph = exported(Model({"usual": usual}), *ragged(*EXAMPLE), target=target)
        nodes = onnx.load_from_string(graph.content).graph.node
        layers = [node for node in nodes if node.op_type == "LSTM"]
        assert len(layers) == (4 if target == "portable" else 2)
        for node in layers:
            assert bool(node.input[4]) == (target == "onnxruntime")
        # Rows that only pass through functions of single rows are never gathered, nor is c held.
        assert not {"NonZero", "GatherND", "CumSum", "TopK", "Sigmoid"} & set(graph.operators)


def test_untrimmed_results_have_the_inputs_length(exported: Export) -> None:
    def beside_the_input(m: Model, x: Tensor, lengths: Tensor) -> Any:
        return torch.cat([pad(m.lstm(pack(x, lengths))[0]), x], -1)

    module = Model({"beside": beside_the_input})
    graph = exported(module, *ragged(*EXAMPLE, nan=False), trim=False)
    assert graph.outputs["output_0"][1] == graph.session.get_inputs()[0].shape[1]
    graph.check(*ragged(2, 7, [7, 3], nan=False))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda m, x, n: rnn.pack_sequence(list(x.unbind(0))).data, "pack_padded_sequence"),
        (lambda m, x, n: rnn.unpack_sequence(pack(x, n))[0], "pad_packed_sequence"),
        (lambda m, x, n: rnn.unpad_sequence(x, n, True)[0], "list with one tensor"),
        (lambda m, x, n: pad(pack(x, n))[:, : max(n.tolist())], "lengths.max"),
        (lambda m, x, n: pad(PackedSequence(x[0], n)), "unknown origin"),
        (
            lambda m, x, n: pad(PackedSequence(x[0], pack(x, n).batch_sizes, None, n)),
            "both sorted_indices and unsorted_indices",
        ),
    ],
    ids=["pack_sequence", "unpack", "unpad", "elements", "foreign", "half an order"],
)
def test_what_a_graph_cannot_hold_is_refused(exported: Export, use: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        exported(Model({"use": use}), *ragged(*EXAMPLE))


@pytest.fixture
def functions() -> Iterator[list[Any]]:
    """torch's packing functions; they must come back as they were."""
    found = [rnn.pack_padded_sequence, rnn.pad_packed_sequence, rnn.pack_sequence]
    codes = [function.__code__ for function in found]
    yield found
    assert [function.__code__ for function in found] == codes


def test_torchs_functions_come_back(exported: Export, functions: list[Any]) -> None:
    codes = [function.__code__ for function in functions]
    with packed_capture():
        assert functions[0].__code__ is not codes[0]
        with packed_capture(trim=False):
            pass
        assert functions[0].__code__ is not codes[0]
    assert [function.__code__ for function in functions] == codes
    with pytest.raises(ZeroDivisionError), packed_capture():
        raise ZeroDivisionError


def test_other_threads_have_torchs_functions(functions: list[Any]) -> None:
    x, lengths = ragged(*EXAMPLE)
    expected = pack(x, lengths)
    found: list[Any] = []
    with packed_capture():
        thread = threading.Thread(target=lambda: found.extend([pack(x, lengths), lengths.tolist()]))
        thread.start()
        thread.join()
    packed, listed = found
    assert torch.equal(packed.data, expected.data)
    assert torch.equal(packed.batch_sizes, expected.batch_sizes)
    assert listed == lengths.tolist()
