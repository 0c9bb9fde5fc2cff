"""Archives that torch.jit.save wrote, read without running them."""

from __future__ import annotations

import contextlib
import io
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lstm_export.errors import CheckpointError
from lstm_export.importing.raw import RawFile
from lstm_export.importing.read import read


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 5, num_layers=2, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTM(3, 4, batch_first=True)
        self.inner = Inner()
        self.head = nn.Sequential(nn.Linear(10, 4), nn.ReLU(), nn.Linear(4, 2))
        self.register_buffer("shift", torch.randn(2, dtype=torch.bfloat16))
        self.factor = 2.5
        self.names = ["a", "b"]

    def forward(self, x: Tensor) -> Tensor:
        steps = self.inner(self.first(x)[0])
        return self.head(steps) * self.factor + self.shift


def body_of(module: Any) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates TorchScript; people still have the files
        stream = io.BytesIO()
        torch.jit.save(module(), stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return Model().eval()


@pytest.fixture(scope="module")
def scripted(model: Model) -> bytes:
    return body_of(lambda: torch.jit.script(model))


def from_body(folder: Path, body: bytes) -> RawFile:
    path = folder / "model.weights"
    path.write_bytes(body)
    return read(path)


def rewritten(body: bytes, end: str, new: Callable[[bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as file:
        for name in old.namelist():
            file.writestr(name, new(old.read(name)) if name.endswith(end) else old.read(name))
    return out.getvalue()


@pytest.mark.parametrize("trace", [False, True])
def test_tensors_classes_and_constants_come_back(
    tmp_path: Path, model: Model, scripted: bytes, trace: bool
) -> None:
    body = body_of(lambda: torch.jit.trace(model, torch.zeros(2, 5, 3))) if trace else scripted
    file = from_body(tmp_path, body)
    state = model.state_dict()
    assert file.format == "TorchScript"
    assert file.tensors.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(file.tensors[name], tensor.float().numpy(), strict=True)
    assert file.stored["shift"] == "bfloat16"
    words = file.declared
    assert words["first.__class__"] == "torch.nn.modules.rnn.LSTM"
    assert words["head.2.__class__"] == "torch.nn.modules.linear.Linear"
    assert (words["first.batch_first"], words["inner.rnn.batch_first"]) == (True, False)
    assert (words["first.num_layers"], words["inner.rnn.num_layers"]) == (1, 2)
    assert (words["first.bidirectional"], words["inner.rnn.bidirectional"]) == (False, True)
    assert (words["first.mode"], words["inner.rnn.mode"]) == ("LSTM", "GRU")
    if not trace:
        assert (words["first.hidden_size"], words["inner.rnn.input_size"]) == (4, 4)
        assert (words["factor"], words["names"]) == (2.5, ("a", "b"))


def test_a_frozen_module_has_no_weights_to_read(tmp_path: Path, model: Model) -> None:
    body = body_of(lambda: torch.jit.freeze(torch.jit.script(model)))
    with pytest.raises(CheckpointError, match=r"A frozen module \(torch\.jit\.freeze\)"):
        from_body(tmp_path, body)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(Path(__file__).with_name("made_by_a_pickle")), "w"))


@pytest.mark.parametrize("member", ["/data.pkl", "/constants.pkl"])
def test_a_hostile_pickle_is_not_executed(tmp_path: Path, scripted: bytes, member: str) -> None:
    body = rewritten(scripted, member, lambda _: pickle.dumps((Evil(), [Evil()]), protocol=2))
    with contextlib.suppress(CheckpointError):
        from_body(tmp_path, body)
    assert not Path(__file__).with_name("made_by_a_pickle").exists()


def test_a_module_that_holds_itself_is_refused(tmp_path: Path, scripted: bytes) -> None:
    # c__torch__\nM, NEWOBJ, memo 0, {"a": memo 0}, BUILD
    loop = b"\x80\x02c__torch__\nM\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb."
    with pytest.raises(CheckpointError, match="modules in modules without end"):
        from_body(tmp_path, rewritten(scripted, "/data.pkl", lambda _: loop))


def test_other_content_than_a_module_is_refused(tmp_path: Path, scripted: bytes) -> None:
    body = rewritten(scripted, "/data.pkl", lambda _: pickle.dumps({"a": 1}, protocol=2))
    with pytest.raises(CheckpointError, match=r"expected a module in data\.pkl, found a dict"):
        from_body(tmp_path, body)


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_cut_or_flipped_files_give_an_error_or_the_same(
    tmp_path_factory: pytest.TempPathFactory, scripted: bytes, where: float, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    at = int(where * len(scripted))
    whole = from_body(folder, scripted)
    with pytest.raises(CheckpointError):
        from_body(folder, scripted[:at])
    try:
        file = from_body(folder, scripted[:at] + bytes([byte]) + scripted[at + 1 :])
    except CheckpointError:
        return
    assert file.tensors.keys() == whole.tensors.keys()
    for name, array in whole.tensors.items():
        np.testing.assert_array_equal(file.tensors[name], array)
