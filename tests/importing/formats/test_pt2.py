"""Programs that torch.export.save wrote, read without torch."""

from __future__ import annotations

import io
import json
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
from lstm_export.importing.read import read


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)
        self.tied = nn.Linear(4, 2)
        self.tied.weight = self.head.weight
        self.turned = nn.Parameter(torch.randn(2, 4).t())
        self.register_buffer("shift", torch.randn(2, dtype=torch.bfloat16))
        self.scale = torch.randn(2)

    def forward(self, x: Tensor) -> Tensor:
        steps = self.rnn(x)[0]
        return (self.head(steps) + self.tied(steps) + steps @ self.turned) * self.scale + self.shift


@pytest.fixture(scope="module")
def saved() -> tuple[Model, bytes]:
    torch.manual_seed(0)
    model = Model().eval()
    with warnings.catch_warnings():
        # torch warns of LSTM's own list of its weights, and of the turned matrix.
        warnings.simplefilter("ignore", UserWarning)
        program = torch.export.export(model, (torch.zeros(2, 5, 3),))
        stream = io.BytesIO()
        torch.export.save(program, stream)
    return model, stream.getvalue()


def test_weights_buffers_and_constants_come_back(
    tmp_path: Path, saved: tuple[Model, bytes]
) -> None:
    model, body = saved
    path = tmp_path / "program.bin"
    path.write_bytes(body)
    file = read(path)
    wanted = dict(model.state_dict()) | {"scale": model.scale}
    assert file.tensors.keys() == wanted.keys()
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(file.tensors[name], tensor.float().numpy(), strict=True)
    assert file.stored["shift"] == "bfloat16"
    assert file.declared["rnn.__class__"] == "torch.nn.modules.rnn.LSTM"
    assert file.declared["rnn.batch_first"] is True
    assert file.declared["rnn.num_layers"] == 1
    assert "torch.ops.aten.lstm.input" in file.declared["operators"]
    assert file.declared["inputs"] == ("x",)


def rewritten(body: bytes, end: str, change: Callable[[Any], object]) -> bytes:
    """The archive with the JSON member whose name ends so changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(end):
                value = json.loads(content)
                change(value)
                content = json.dumps(value).encode()
            new.writestr(name, content)
    return out.getvalue()


def meta(**new: Any) -> Callable[[Any], object]:
    return lambda value: value["config"]["head.bias"]["tensor_meta"].update(new)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (meta(sizes=[{"as_int": 3}]), r"float32 of shape \(3,\).* does not fit the 8 bytes"),
        (meta(sizes=[{"as_int": -1}]), "expected sizes"),
        (meta(sizes=[{"as_int": 1 << 40}], strides=[{"as_int": 0}]), "does not fit"),
        (meta(sizes=[{"as_int": 0}, {"as_int": 1 << 40}]), "does not fit"),
        (meta(storage_offset={"as_int": 1 << 40}), "does not fit"),
        (meta(strides=None), "expected sizes"),
        (meta(dtype=29), "expected a dense tensor of numbers, found dtype 29"),
        (meta(layout=1), "and layout 1"),
        (lambda v: v["config"]["head.bias"].update(use_pickle=True), "a tensor subclass"),
        (lambda v: v["config"]["head.bias"].update(path_name="../x"), r"expected a/?.*\.\./x in"),
        (lambda v: v["config"].update(x=5), "expected a file and a tensor_meta"),
        (lambda v: v.update(config=5), "expected a config of names"),
    ],
)
def test_contradictions_are_named(
    tmp_path: Path, saved: tuple[Model, bytes], change: Callable[[Any], object], message: str
) -> None:
    path = tmp_path / "x"
    path.write_bytes(rewritten(saved[1], "_weights_config.json", change))
    with pytest.raises(CheckpointError, match=message):
        read(path)


def test_an_older_program_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(CheckpointError, match=r"of torch before 2\.8"):
        read(path)


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_cut_or_flipped_files_give_an_error_or_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    saved: tuple[Model, bytes],
    where: float,
    byte: int,
) -> None:
    body = saved[1]
    at = int(where * len(body))
    path = tmp_path_factory.mktemp("flipped") / "x"
    path.write_bytes(body)
    whole = read(path)
    path.write_bytes(body[:at])
    with pytest.raises(CheckpointError):
        read(path)
    path.write_bytes(body[:at] + bytes([byte]) + body[at + 1 :])
    try:
        file = read(path)
    except CheckpointError:
        return
    for name, array in whole.tensors.items():
        np.testing.assert_array_equal(file.tensors[name], array)
