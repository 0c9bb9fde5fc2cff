"""Plain pickles of NumPy arrays, and of torch's tensors."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats import pickled_arrays
from lstm_export.importing.raw import RawFile

PROTOCOLS = pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
# {'W': numpy.array([[1., 2.]], dtype='f4')} as Python 2 would write it in protocols 0 and 2, put
# together by hand: strings are bytes there, and the array's contents one of them.
PYTHON_2 = (
    b"(dp0\nS'W'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\n"
    b"S'b'\np5\ntp6\nRp7\n(I1\n(I1\nI2\ntp8\ncnumpy\ndtype\np9\n(S'f4'\np10\nI0\nI1\ntp11\nRp12\n"
    b"(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\nS'\\x00\\x00\\x80?\\x00\\x00\\x00@'\np15\n"
    b"tp16\nbs.",
    b"\x80\x02}q\x00U\x01Wq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03"
    b"K\x00\x85U\x01b\x87Rq\x04(K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x05U\x02f4K\x00K\x01\x87R"
    b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00@tb"
    b"s.",
)


def read(tmp_path: Path, body: bytes) -> RawFile:
    path = tmp_path / "weights.pkl"
    path.write_bytes(body)
    assert pickled_arrays.matches(path, body[:4096])
    return pickled_arrays.read(path)


@PROTOCOLS
def test_dicts_and_lists_of_arrays(tmp_path: Path, protocol: int) -> None:
    half = np.array([0.5, 65504], np.float16)
    value = {
        "lstm": {"W": np.arange(6.0).reshape(2, 3).T, "half": half},
        "layers": [np.ones(2, ">f4"), (np.arange(3), "relu")],
        "units": np.int64(4),
        "objects": np.array([None, {}]),
    }
    file = read(tmp_path, pickle.dumps(value, protocol))
    expected = {
        "lstm.W": np.arange(6.0).reshape(2, 3).T,
        "lstm.half": half.astype(np.float32),
        "layers.0": np.ones(2, np.float32),
        "layers.1.0": np.arange(3),
    }
    assert list(file.tensors) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(file.tensors[name], array, strict=True)
    assert file.stored["lstm.half"] == "float16"
    assert file.declared == {"layers.1.1": "relu", "units": 4}
    assert file.keys == ("lstm", "layers")
    assert file.notes == ("objects: an array of other things than plain numbers; left out",)


@pytest.mark.parametrize("body", PYTHON_2)
def test_arrays_of_python_2(tmp_path: Path, body: bytes) -> None:
    file = read(tmp_path, body)
    np.testing.assert_array_equal(file.tensors["W"], np.array([[1, 2]], np.float32), strict=True)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_of_torch(tmp_path: Path, protocol: int) -> None:
    state = torch.nn.LSTM(2, 3).state_dict() | {"b": torch.ones(2, dtype=torch.bfloat16)}
    file = read(tmp_path, pickle.dumps(state, protocol))
    assert list(file.tensors) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(file.tensors[name], tensor.float().numpy())


def test_objects_in_place_of_weights_are_refused(tmp_path: Path) -> None:
    value = {"bias": np.ones(2), "weight": np.array([None])}
    with pytest.raises(CheckpointError, match="weight is an array of other things"):
        read(tmp_path, pickle.dumps(value))
    with pytest.raises(CheckpointError, match="weight has dtype complex64"):
        read(tmp_path, pickle.dumps({"weight": np.ones(2, np.complex64)}))


def test_repeating_an_array_has_an_end(tmp_path: Path) -> None:
    half = np.zeros(1 << 20, np.float16)
    with pytest.raises(CheckpointError, match="more than 16 times"):
        read(tmp_path, pickle.dumps({str(i): half for i in range(100)}))


def test_keys_that_are_no_words(tmp_path: Path) -> None:
    value = {3: np.ones(1), b"b": np.ones(1), dict: np.ones(1), (1, 2): 5}
    file = read(tmp_path, pickle.dumps(value))
    assert list(file.tensors) == ["3", "b", "builtins.dict"]
    assert file.declared == {"3": 5}


def test_more_than_one_value(tmp_path: Path) -> None:
    body = pickle.dumps({"w": np.ones(2)})
    with pytest.raises(CheckpointError, match=f"ends at byte {len(body)} of {2 * len(body)}"):
        read(tmp_path, body * 2)


def test_other_files_do_not_match() -> None:
    for head in (b"", b"{", b"[1]", b"PK\x03\x04", b"\x93NUMPY", b"\x89HDF", b"(1, 2)", b"c"):
        assert not pickled_arrays.matches(Path("x.pkl"), head)


@given(st.integers(0, 5), st.floats(0, 1, exclude_max=True), st.none() | st.integers(1, 255))
@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
def test_damaged_files_are_refused_or_read(
    tmp_path: Path, protocol: int, place: float, flip: int | None
) -> None:
    value: Any = {"w": np.arange(4.0), "s": [np.float32(1), "x"]}
    if protocol > 1:
        value["t"] = torch.ones(2)
    body = bytearray(pickle.dumps(value, protocol))
    at = int(place * len(body))
    if flip is None:
        del body[at:]
    else:
        body[at] ^= flip
    path = tmp_path / "m.pkl"
    path.write_bytes(body)
    with contextlib.suppress(CheckpointError):
        pickled_arrays.read(path)
        assert flip is not None, "a truncated file was read"
