"""What people do with packed sequences, beside what torch makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

Function = Callable[..., Any]
EXAMPLE = (3, 5, [3, 5, 2])


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


def test_what_surrounds_packed_layers(exported_for_all: Function, ragged: Function) -> None:
    """All uses in one graph: exporting each alone would take minutes."""
    torch.manual_seed(0)
    module = Model(USES)
    inputs = ragged(*EXAMPLE)
    graphs = exported_for_all(module, *inputs)
    owners = []
    with torch.no_grad():
        for name, use in USES.items():
            found = use(module, *inputs)
            owners += [name] * (len(found) if isinstance(found, tuple) else 1)
    wrong = [
        f"{owner}: {target}, {result.name} at {case}: {result.reason}"
        for (target, graph), case in itertools.product(graphs.items(), LENGTHS)
        for owner, result in zip(owners, graph.compare(*ragged(*case)).values(), strict=True)
        if not result.passed
    ]
    assert not wrong


def test_each_target_keeps_to_its_operators(exported: Function, ragged: Function) -> None:
    def usual(m: Model, x: Tensor, lengths: Tensor) -> Any:
        packed = pack(x, lengths)
        packed = rebuilt(packed, m.dropout(m.before(packed.data)))
        return pad(m.lstm(packed)[0])

    for target in ("portable", "onnxruntime"):
        graph = exported(Model({"usual": usual}), *ragged(*EXAMPLE), target=target)
        nodes = onnx.load_from_string(graph.content).graph.node
        layers = [node for node in nodes if node.op_type == "LSTM"]
        assert len(layers) == (4 if target == "portable" else 2)
        for node in layers:
            assert bool(node.input[4]) == (target == "onnxruntime")
        # Rows that only pass through functions of single rows are never gathered, nor is c held.
        assert not {"NonZero", "GatherND", "CumSum", "TopK", "Sigmoid"} & set(graph.operators)
