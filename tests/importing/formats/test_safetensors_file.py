"""safetensors files that the safetensors library wrote, and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from lstm_export.errors import CheckpointError
from lstm_export.importing.read import read

DTYPES = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.complex64),
)
SMALL = save(
    {"lstm.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.int64)}
)


def written(folder: Path, body: bytes) -> Path:
    path = folder / "weights.anything"
    path.write_bytes(body)
    return path


def made(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(
    begin: int, end: int, dtype: str = "F32", shape: tuple[int, ...] = (2,)
) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def test_every_dtype_is_read_bit_for_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensors = {str(d): (torch.randn(3, 2, dtype=torch.float64) * 50).to(d) for d in DTYPES}
    tensors |= {"none": torch.zeros(0, 4), "scalar": torch.tensor(2.5)}
    path = tmp_path / "model.pth"
    path.write_bytes(save(tensors, metadata={"format": "pt", "epoch": "3"}))
    file = read(path)
    assert file.format == "safetensors"
    assert file.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        wide = tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
        np.testing.assert_array_equal(file.tensors[name], wide.numpy(), strict=True)
        assert file.stored[name] == str(tensor.dtype).removeprefix("torch.")
    assert file.declared == {"__metadata__.format": "pt", "__metadata__.epoch": "3"}


def test_eight_bit_floats_are_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, save({"w": torch.ones(2).to(torch.float8_e4m3fn)}))
    with pytest.raises(CheckpointError, match="w is stored as F8_E4M3, expected one of BOOL"):
        read(path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (made({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)), "a and b overlap"),
        (made({"a": entry(0, 8), "b": entry(12, 20)}, bytes(20)), "leave 4 bytes between"),
        (made({"a": entry(0, 8)}, bytes(9)), "accounts for 8 bytes of data, the file has 9"),
        (made({"a": entry(0, 8)}, bytes(7)), "a ends at byte 8 of the data, which has 7"),
        (made({"a": entry(0, 12)}, bytes(12)), r"shape \(2,\) takes 8 bytes"),
        (made({"a": entry(0, 8, shape=(1 << 40, 1 << 40))}, bytes(8)), "data_offsets"),
        (made({"a": entry(-8, 0)}, bytes(8)), "two offsets"),
        (made({"a": entry(0, 8, shape=(True, 2))}, bytes(8)), "expected a shape"),  # type: ignore[arg-type]
        (made({"a": 5}, b""), "dtype, shape and data_offsets"),
        (made({"__metadata__": 5}, b""), "object as __metadata__"),
        ((2**40).to_bytes(8, "little") + b"{}", "expected a header of 1099511627776 bytes"),
        (b"\x02\0\0\0\0\0\0\0{]", "is not whole JSON"),
        (b"\x20\0\0\0\0\0\0\0" + b'{"a":1,"a":2}'.ljust(32), "the key 'a' occurs twice"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, body: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read(written(tmp_path, body))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(SMALL) - 1), st.integers(0, 255))
def test_cut_or_flipped_files_never_crash(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    with pytest.raises(CheckpointError):
        read(written(folder, SMALL[:at]))
    try:
        file = read(written(folder, SMALL[:at] + bytes([byte]) + SMALL[at + 1 :]))
    except CheckpointError:
        return
    assert sum(array.nbytes for array in file.tensors.values()) <= 2 * len(SMALL)
