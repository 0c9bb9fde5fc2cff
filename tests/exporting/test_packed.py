"""Packed sequences and ragged batches: any lengths, whatever stands in the padding."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import rnn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_export.errors import ExportError
from lstm_export.exporting.capture.packed import packed_capture

TARGETS = ["portable", "onnxruntime"]
Function = Callable[..., Any]
EXAMPLE = (3, 5, [3, 5, 2])
OTHERS = [(4, 9, [7, 9, 1, 7]), (1, 1, [1]), (2, 7, [3, 5]), (3, 40, [11, 33, 1])]


class Stacks(nn.Module):
    """Layers of one cell, each packed in its own way, over the same batch."""

    def __init__(self, cell: str, **options: Any) -> None:
        super().__init__()
        # Any two choices together: of layers, two directions, and batch_first, enforce_sorted,
        # explicit state.
        self.ways = [
            (layers, (layers == 2) is alike, way)
            for layers in (1, 2)
            for way, alike in (
                ((0, 0, 0), True),
                ((1, 1, 0), False),
                ((1, 0, 1), True),
                ((0, 1, 1), False),
            )
        ]
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
    exported_for_all: Function, ragged: Function, cell: str, options: dict[str, Any]
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


class Packed(nn.Module):
    """Two layers in two directions, and a function of them, x and lengths."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True)
        self.function = function

    def forward(self, x: Tensor, lengths: Tensor) -> Any:
        return self.function(self.lstm, x, lengths)


def pack(x: Tensor, lengths: Any) -> PackedSequence:
    return pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)


def pad(packed: PackedSequence) -> Tensor:
    return rnn.pad_packed_sequence(packed, batch_first=True)[0]


def last(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Any:
    return lstm(pack(x, lengths))[1][0]


@pytest.mark.parametrize("target", TARGETS)
def test_lengths_that_the_batch_cannot_have_give_no_numbers(
    exported: Function, ragged: Function, target: str
) -> None:
    graph = exported(Packed(last), *ragged(*EXAMPLE), target=target)
    x, _ = ragged(3, 5, [5, 5, 5])
    graph.check(x, torch.tensor([5, 1, 2]))
    for lengths in ([6, 1, 2], [5, 0, 2], [5, -1, 2], [-5, 1, 2], [5, 2**40, 1]):
        with pytest.raises(Exception, match="out of data bounds"):
            graph.run(x, torch.tensor(lengths))


def test_a_wrong_weight_is_noticed(exported: Function, ragged: Function) -> None:
    torch.manual_seed(0)
    module = Packed(last)
    graph = exported(module, *ragged(*EXAMPLE))
    graph.check(*ragged(*EXAMPLE))
    module.lstm.weight_hh_l1_reverse[3, 2] += 0.01
    with pytest.raises(AssertionError, match="values are off"):
        graph.check(*ragged(*EXAMPLE))


def test_the_cell_state_survives_long_padding(exported: Function, ragged: Function) -> None:
    def states(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Any:
        _, (h, c) = lstm(pack(x, lengths))
        return lstm(pack(x, lengths), (h * 9, c * 9))[1]

    module = Packed(states)
    with torch.no_grad():
        for weight in module.lstm.parameters():
            weight *= 5
    graph = exported(module, *ragged(*EXAMPLE))
    graph.check(*ragged(3, 2000, [1, 2000, 60]))


def test_untrimmed_results_have_the_inputs_length(exported: Function, ragged: Function) -> None:
    def beside_the_input(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Any:
        return torch.cat([pad(lstm(pack(x, lengths))[0]), x], -1)

    module = Packed(beside_the_input)
    graph = exported(module, *ragged(*EXAMPLE, nan=False), trim=False)
    assert graph.outputs["output_0"][1] == graph.session.get_inputs()[0].shape[1]
    graph.check(*ragged(2, 7, [7, 3], nan=False))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda lstm, x, n: rnn.pack_sequence(list(x.unbind(0))).data, "pack_padded_sequence"),
        (lambda lstm, x, n: rnn.unpack_sequence(pack(x, n))[0], "pad_packed_sequence"),
        (lambda lstm, x, n: rnn.unpad_sequence(x, n, True)[0], "list with one tensor"),
        (lambda lstm, x, n: pad(pack(x, n))[:, : max(n.tolist())], "lengths.max"),
        (lambda lstm, x, n: pad(PackedSequence(x[0], n)), "unknown origin"),
        (
            lambda lstm, x, n: pad(PackedSequence(x[0], pack(x, n).batch_sizes, None, n)),
            "both sorted_indices and unsorted_indices",
        ),
    ],
    ids=["pack_sequence", "unpack", "unpad", "elements", "foreign", "half an order"],
)
def test_what_a_graph_cannot_hold_is_refused(
    exported: Function, ragged: Function, use: Any, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        exported(Packed(use), *ragged(*EXAMPLE))


@pytest.fixture
def functions() -> Iterator[list[Any]]:
    """torch's packing functions; they must come back as they were."""
    found = [rnn.pack_padded_sequence, rnn.pad_packed_sequence, rnn.pack_sequence]
    codes = [function.__code__ for function in found]
    yield found
    assert [function.__code__ for function in found] == codes


def test_torchs_functions_come_back(functions: list[Any]) -> None:
    codes = [function.__code__ for function in functions]
    with packed_capture():
        assert functions[0].__code__ is not codes[0]
        with packed_capture(trim=False):
            pass
        assert functions[0].__code__ is not codes[0]
    assert [function.__code__ for function in functions] == codes
    with pytest.raises(ZeroDivisionError), packed_capture():
        raise ZeroDivisionError


def test_other_threads_have_torchs_functions(ragged: Function, functions: list[Any]) -> None:
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
