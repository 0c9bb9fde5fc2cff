"""Bundles of modules stream where the module can, and say why where it cannot."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lstm_export.bundle.layout import LAYOUT
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import open_bundle
from lstm_export.bundling import export_bundle
from lstm_export.compare.tensors import compare_outputs
from lstm_export.contract import METADATA_KEY, SEQUENCE_LENGTH, Contract
from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.exported import exported, ready
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.streams.mixing import mixing_places
from lstm_export.exporting.streams.proof import prove
from lstm_export.exporting.streams.stepwise import stream_sizes
from lstm_export.exporting.tracing.call import describe_call
from lstm_export.exporting.tracing.results import named_outputs
from lstm_export.parity.verify import verify
from lstm_export.runtime import graph_model, module_long
from lstm_export.runtime.load import load

sys.path.insert(0, str(Path(__file__).parent))
from streamed_models import REFUSED, STREAMS, Head, Made, Over

Array = npt.NDArray[Any]
X = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(5))


class Streaming:
    """A bundle's stream graph, run by hand, beside its module."""

    def __init__(self, module: nn.Module, args: tuple[Any, ...], path: Path) -> None:
        self.module = module.eval()
        self.manifest = export_bundle(module, path, args=args)
        assert LAYOUT.stream in self.manifest.graphs, self.manifest.provenance.notes
        self.path, self.graph = path, self.manifest.graphs[LAYOUT.stream]
        self.call = describe_call(module, args)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path / LAYOUT.stream), options)
        self.states = {
            spec.name: spec for spec in self.graph.inputs if spec.name.startswith("initial_")
        }

    def draw(self, batch: int, length: int, seed: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        found = {}
        for leaf in self.call.inputs:
            spec = next(s for s in self.manifest.graphs[LAYOUT.model].inputs if s.name == leaf.name)
            sizes = {"batch": batch, SEQUENCE_LENGTH: length}
            shape = [sizes[axis] if isinstance(axis, str) else axis for axis in spec.axes]
            if leaf.example.is_floating_point():
                found[leaf.name] = torch.randn(shape, generator=generator)
            else:
                found[leaf.name] = torch.randint(7, shape, generator=generator)
        return found

    def start(self, batch: int) -> dict[str, Array]:
        given = self.manifest.stream_start or {}
        found = {}
        for name, spec in self.states.items():
            shape = [batch if axis == "batch" else axis for axis in spec.axes]
            value = np.zeros(shape, np.float32)
            if name in given:
                value[...] = np.expand_dims(np.asarray(given[name]), spec.axes.index("batch"))
            found[name] = value
        return found

    def run(
        self, values: dict[str, Tensor], states: dict[str, Array], chunks: list[int]
    ) -> dict[str, Array]:
        """Every output that has steps for all of them, the others and the states after the last."""
        names = [spec.name for spec in self.graph.outputs]
        data = [spec for spec in self.graph.inputs if spec.name not in states]
        pieces, place = [], 0
        for size in chunks:
            feeds = dict(states)
            for spec in data:
                value = values[spec.name].numpy()
                if SEQUENCE_LENGTH in spec.axes:
                    steps = np.arange(place, place + size)
                    value = value.take(steps, axis=spec.axes.index(SEQUENCE_LENGTH))
                feeds[spec.name] = value
            pieces.append(dict(zip(names, self.session.run(names, feeds), strict=True)))
            states = {name: pieces[-1][f"final_{name[8:]}"] for name in states}
            place += size
        found = {}
        for spec in self.graph.outputs:
            parts = [piece[spec.name] for piece in pieces]
            along = SEQUENCE_LENGTH in spec.axes
            found[spec.name] = (
                np.concatenate(parts, spec.axes.index(SEQUENCE_LENGTH)) if along else parts[-1]
            )
        return found

    def expected(self, values: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Array]:
        self.module.to(dtype)
        given = [v.to(dtype) if v.is_floating_point() else v for v in values.values()]
        args, kwargs = self.call.bind(given)
        with torch.no_grad():
            outputs = named_outputs(self.module(*args, **kwargs), taken=list(values))
        self.module.float()
        return {name: value.numpy() for name, value in outputs.items()}

    def check(self, batch: int, chunks: list[int], seed: int) -> None:
        """Chunks give what the module gives for all steps at once, under the parity rule."""
        values = self.draw(batch, sum(chunks), seed)
        states = self.start(batch)
        for name in list(values):  # a state that forward itself takes starts at zero here
            if name not in [spec.name for spec in self.graph.inputs]:
                values[name] = torch.zeros_like(values[name])
        got = self.run(values, states, chunks)
        usual, exact = (self.expected(values, dtype) for dtype in (torch.float32, torch.float64))
        for name in [name for name in usual if name not in got]:
            del usual[name], exact[name]  # a final state under its own name
        outputs = {name: got[name] for name in usual}
        for result in compare_outputs(outputs, exact, usual):
            assert result.passed, (chunks, result.name, result.reason)


@pytest.fixture(scope="module")
def streaming(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Streaming]:
    made: dict[str, Streaming] = {}

    def make(name: str) -> Streaming:
        if name not in made:
            torch.manual_seed(0)
            module, args = STREAMS[name]()
            made[name] = Streaming(module, args, tmp_path_factory.mktemp("stream") / "bundle")
        return made[name]

    return make


@pytest.mark.parametrize("name", STREAMS)
@settings(deadline=None, max_examples=12)
@given(st.integers(1, 4), st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 99))
def test_any_chunking_gives_what_the_module_gives_at_once(
    streaming: Callable[[str], Streaming], name: str, batch: int, chunks: list[int], seed: int
) -> None:
    streaming(name).check(batch, chunks, seed)


@pytest.mark.parametrize("name", STREAMS)
def test_the_bundle_verifies_and_its_files_agree(
    streaming: Callable[[str], Streaming], name: str
) -> None:
    made = streaming(name)
    report = verify(made.path)
    assert report.passed, report.failures
    assert {one.graph for one in report.comparisons} == {LAYOUT.model, LAYOUT.stream}
    text = made.session.get_modelmeta().custom_metadata_map[METADATA_KEY]
    manifest = open_bundle(made.path).manifest
    assert Contract.from_json(text, "stream.onnx") == manifest.contract(LAYOUT.stream)
    finals = [f"final_{state[8:]}" for state in made.states]
    assert [spec.name for spec in made.graph.outputs][-len(finals) :] == finals
    assert "stream.run(" in (made.path / LAYOUT.card).read_text()


# Any two choices together.
CELLS = [
    pytest.param(layer, layers, proj, first, id=f"{layer.__name__}-{layers}-{proj}-{first}")
    for layer, layers, proj, first in (
        *((nn.LSTM, 1, 0, True), (nn.LSTM, 2, 0, False), (nn.LSTM, 1, 2, False)),
        *((nn.LSTM, 2, 2, True), (nn.GRU, 1, 0, True), (nn.GRU, 2, 0, False)),
        *((nn.RNN, 1, 0, False), (nn.RNN, 2, 0, True)),
    )
]


@pytest.mark.parametrize(("layer", "layers", "proj", "batch_first"), CELLS)
def test_a_layer_alone_is_a_stream(
    layer: Any, layers: int, proj: int, batch_first: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    options = {"proj_size": proj} if proj else {}
    module = layer(3, 4, layers, batch_first=batch_first, **options)
    made = Streaming(module, (X,), tmp_path / "bundle")
    assert list(made.states) == ["initial_h", "initial_c"][: 2 if layer is nn.LSTM else 1]
    assert made.states["initial_h"].axes == (layers, "batch", proj or 4)
    assert made.graph.outputs[-len(made.states)].name == "final_h"
    for chunks in ([1, 1, 1, 1], [3, 1, 4], [7]):
        made.check(2, chunks, seed=len(chunks))


def arrays_of(outputs: Any) -> list[Array]:
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def manifest_of(made: Made, path: Path, **options: Any) -> Manifest:
    torch.manual_seed(0)
    module, args = made
    return export_bundle(module, path, args=args, **options)


@pytest.mark.parametrize("name", REFUSED)
def test_a_module_that_cannot_stream_says_why(name: str, tmp_path: Path) -> None:
    reason, make = REFUSED[name]
    manifest = manifest_of(make(), tmp_path / "bundle")
    assert list(manifest.graphs) == [LAYOUT.model]
    assert LAYOUT.stream not in manifest.files
    assert manifest.stream_start is None
    (note,) = [note for note in manifest.provenance.notes if "cannot stream" in note]
    assert note.startswith("this module cannot stream: ")
    assert re.search(reason, note), note
    assert verify(tmp_path / "bundle").passed


def test_lines_where_steps_meet_are_named_and_no_others() -> None:
    with ready(Head()) as state:
        names = exported(state, (X,), None, GraphOptions()).opened.names
    places = mixing_places(names, stream_sizes(names))
    lines = inspect.getsource(Head.forward).splitlines()
    assert [place.source for place in places] == [
        line.strip() for line in lines if line.endswith("# meets")
    ]


def test_a_stream_that_is_demanded_and_cannot_be_is_an_error(tmp_path: Path) -> None:
    module = Over(lambda y: y.mean(1))
    with pytest.raises(ExportError, match=r"Over cannot stream: .*step 2 on.*steps meet at"):
        export_bundle(module, tmp_path / "bundle", args=(X,), stream=True)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_is_not_wanted_is_not_made(tmp_path: Path) -> None:
    manifest = export_bundle(nn.LSTM(3, 4), tmp_path / "bundle", args=(X,), stream=False)
    assert list(manifest.graphs) == [LAYOUT.model]
    assert any("not asked for" in note for note in manifest.provenance.notes)
    demanded = export_bundle(nn.LSTM(3, 4), tmp_path / "other", args=(X,), stream=True)
    assert LAYOUT.stream in demanded.graphs


def test_a_run_knows_itself_whether_it_streams(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^stream, .* not for a training run"):
        export_bundle(tmp_path, tmp_path / "bundle", stream=True)


def test_states_that_forward_takes_and_gives_are_the_streams_own(
    streaming: Callable[[str], Streaming],
) -> None:
    made = streaming("states_as_arguments")
    assert [spec.name for spec in made.graph.inputs] == ["x", "initial_h", "initial_c"]
    assert [spec.name for spec in made.graph.outputs] == ["output_0", "final_h", "final_c"]
    values = made.draw(2, 5, seed=3)
    states = {"initial_h": values["state_0"].numpy(), "initial_c": values["state_1"].numpy()}
    got = made.run(values, states, [2, 1, 2])
    wanted = made.expected(values, torch.float64)
    for name, other in (("output_0", "output_0"), ("final_h", "output_1"), ("final_c", "output_2")):
        np.testing.assert_allclose(got[name], wanted[other], atol=1e-6)


@pytest.mark.parametrize("name", ["states_as_arguments", "a_learned_initial_state"])
def test_long_inputs_give_the_same(
    streaming: Callable[[str], Streaming], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = streaming(name)
    model: Any = load(made.path)
    feeds = {key: value.numpy() for key, value in made.draw(2, 40, 1).items()}
    whole = model(feeds)
    monkeypatch.setattr(graph_model, "LONG", 1)
    monkeypatch.setattr(module_long, "CHUNK", 64)
    chunked = model(feeds)
    for one, other in zip(arrays_of(whole), arrays_of(chunked), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_names_of_states_follow_the_layers(streaming: Callable[[str], Streaming]) -> None:
    made = streaming("two_layers_with_norm_residual_and_heads")
    names = ["first_h", "first_c", "blocks_second_one_h"]
    assert list(made.states) == [f"initial_{name}" for name in names]
    twice = streaming("two_towers_in_time_major_order")
    assert [name for name in twice.states if "left" in name] == [
        *("initial_left_h", "initial_left_c", "initial_left_2_h", "initial_left_2_c"),
    ]


def test_a_learned_state_stands_in_the_contract(streaming: Callable[[str], Streaming]) -> None:
    made = streaming("a_learned_initial_state")
    start = made.manifest.stream_start
    assert start is not None
    module: Any = made.module
    np.testing.assert_array_equal(start["initial_h"], module.h0.detach()[:, 0].numpy())
    assert np.shape(start["initial_c"]) == (2, 4)
    plain = streaming("states_as_arguments").manifest
    assert plain.stream_start is None
    assert '"stream_start"' not in plain.contract(LAYOUT.stream).to_json()


def test_the_proof_sees_a_wrong_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lstm_export.exporting.streams import stream as streams

    def moved(*args: Any, **options: Any) -> None:
        module, *rest = args
        with torch.no_grad():
            module.weight_hh_l0 += 0.05
            try:
                prove(module, *rest, **options)
            finally:
                module.weight_hh_l0 -= 0.05

    monkeypatch.setattr(streams, "prove", moved)
    manifest = export_bundle(nn.LSTM(3, 4), tmp_path / "bundle", args=(X,))
    assert any("from step 2 on" in note for note in manifest.provenance.notes)


def test_a_fault_of_the_stream_leaves_the_bundle_without_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from lstm_export.exporting.streams import stream as streams

    def broken(*args: Any) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(streams, "carrying", broken)
    manifest = export_bundle(nn.LSTM(3, 4), tmp_path / "bundle", args=(X,))
    assert any("cannot be made: KeyError" in note for note in manifest.provenance.notes)


class Mixed(nn.Module):
    """Rows that meet: each is compared with the mean of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)[0]
        return y - y.mean(0)


@pytest.mark.parametrize(
    ("module", "independent"),
    [(nn.GRU(3, 4, batch_first=True), True), (Mixed(), False), (Over(lambda y: y.mean(0)), False)],
)
def test_whether_rows_are_independent_is_measured(
    module: nn.Module, independent: bool, tmp_path: Path
) -> None:
    export_bundle(module, tmp_path / "bundle", args=(X,))
    manifest = open_bundle(tmp_path / "bundle").manifest
    assert manifest.independent_rows is independent
    assert manifest.rows_are_independent is independent


class Named(nn.Module):
    """States under the names that a stream gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(3, 4, batch_first=True)

    def forward(self, x: Tensor, initial_h: Tensor) -> dict[str, Tensor]:
        y, h = self.layer(x, initial_h)
        return {"y": y, "final_h": h}


def test_states_may_have_the_streams_names_already(tmp_path: Path) -> None:
    made = Streaming(Named(), (X, torch.zeros(1, 2, 4)), tmp_path / "bundle")
    assert [spec.name for spec in made.graph.inputs] == ["x", "initial_h"]
    assert [spec.name for spec in made.graph.outputs] == ["y", "final_h"]
    assert verify(tmp_path / "bundle").passed


def test_a_data_input_may_not_have_such_a_name(tmp_path: Path) -> None:
    module = nn.LSTM(3, 4)
    manifest = export_bundle(module, tmp_path / "bundle", args=(X,), input_names=["initial_price"])
    assert any("initial_price is a tensor of its own" in n for n in manifest.provenance.notes)


def test_axes_keep_the_streams_names_whatever_they_are_called(tmp_path: Path) -> None:
    names = {"input": {0: "rows", 1: "time"}}
    manifest = export_bundle(
        nn.GRU(3, 4, batch_first=True), tmp_path / "bundle", args=(X,), dynamic_axes=names
    )
    assert manifest.graphs[LAYOUT.model].inputs[0].axes == ("rows", "time", 3)
    graph = manifest.graphs[LAYOUT.stream]
    assert graph.inputs[0].axes == ("batch", "sequence_length", 3)
    assert graph.outputs[0].axes == ("batch", "sequence_length", 4)
    assert verify(tmp_path / "bundle").passed


def test_verification_feeds_the_golden_values_in_chunks_too(tmp_path: Path) -> None:
    export_bundle(nn.LSTM(3, 4), tmp_path / "bundle", args=(X,))
    report = verify(tmp_path / "bundle")
    assert {one.check for one in report.comparisons} == {"golden", "chunked"}


@pytest.mark.parametrize("name", STREAMS)
def test_the_graph_for_onnxruntime_streams_as_well(name: str, tmp_path: Path) -> None:
    manifest = manifest_of(STREAMS[name](), tmp_path / "bundle", target="onnxruntime", stream=True)
    assert LAYOUT.stream in manifest.graphs
    assert verify(tmp_path / "bundle").passed
