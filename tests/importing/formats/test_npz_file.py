"""`.npz` archives that NumPy wrote, and hostile ones."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.errors import CheckpointError
from lstm_export.importing.raw import Array
from lstm_export.importing.read import read


def npy(array: Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, body in members.items():
            file.writestr(name, body)
    return path


SMALL = io.BytesIO()
np.savez(SMALL, **{"lstm.weight": np.arange(6.0, dtype=np.float32).reshape(2, 3), "b": np.ones(2)})
BODY = SMALL.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_bit_for_bit(tmp_path: Path, save: object) -> None:
    random = np.random.default_rng(0)
    arrays = {
        dtype: (random.normal(size=(3, 4)) * 40).astype(dtype)
        for dtype in ("f2", "f4", "f8", ">f4", ">f2", "i8", "u1", "?", "c16")
    }
    arrays |= {
        "fortran": np.asfortranarray(arrays["f4"]),
        "scalar": np.float32(3),
        "none": np.ones(0),
    }
    path = tmp_path / "weights.bin"
    with path.open("wb") as stream:
        save(stream, **arrays, kind=np.array("lstm"), names=np.array(["a", "b"]))  # type: ignore[operator]
    file = read(path)
    assert file.tensors.keys() == arrays.keys()
    for name, array in arrays.items():
        wanted = array.astype(np.float32) if array.dtype.itemsize == 2 else array
        np.testing.assert_array_equal(file.tensors[name], wanted)
        assert file.tensors[name].dtype == wanted.dtype.newbyteorder("=")
        assert file.stored[name] == array.dtype.name
    assert file.declared == {"kind": "lstm", "names": ("a", "b")}


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, a=np.array([{"os": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointError, match="a: expected an array of numbers, found Python obj"):
        read(path)


@pytest.mark.parametrize("name", ["../a.npy", "/a.npy", "x/../../a.npy", "c:/a.npy", "x\\a.npy"])
def test_names_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "w.npz", {"ok.npy": npy(np.ones(2))})
    with zipfile.ZipFile(path, "a") as file:
        info = zipfile.ZipInfo("x")
        info.filename = name
        file.writestr(info, npy(np.ones(2)))
    with pytest.raises(CheckpointError, match="leaves its folder"):
        read(path)


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path) -> None:
    body = bytes(300 << 20)
    path = archive(tmp_path / "w.npz", {"a.npy": body}, zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="zip bomb"):
        read(path)


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "w.npz", {"a.npy": npy(np.ones(2))})
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as file:
        file.writestr("a.npy", npy(np.zeros(2)))
    with pytest.raises(CheckpointError, match="every name once"):
        read(path)


HEADER = "{'descr': %s, 'fortran_order': False, 'shape': %s}"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER % ("'<f4'", (1 << 40,)), "takes 4398046511104 bytes, 8 are there"),
        (HEADER % ("'<f4'", (-2,)), "expected a shape"),
        (HEADER % ("'<f4'", "2"), "expected a shape"),
        (HEADER % ("'|V2'", (4,)), "dtype |V2"),
        (HEADER % ("[('a', '<f4')]", (2,)), "found dtype"),
        (HEADER % ("'<f4'", (0,) * 33), "expected a shape"),
        ("(" * 9000, "its header is damaged"),
        ("__import__('os').system('true')", "its header is damaged"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, header: str, message: str) -> None:
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(8)
    with pytest.raises(CheckpointError, match=message.replace("|", r"\|")):
        read(archive(tmp_path / "w.npz", {"a.npy": body}))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_unusual_compression_is_refused(tmp_path: Path, method: int) -> None:
    with pytest.raises(CheckpointError, match="expected stored or deflated"):
        read(archive(tmp_path / "w.npz", {"a.npy": npy(np.ones(2))}, method))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(BODY) - 1), st.integers(0, 255))
def test_cut_or_flipped_files_give_an_error_or_the_same(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("flipped") / "w.npz"
    path.write_bytes(BODY[:at])
    with pytest.raises(CheckpointError):
        read(path)
    path.write_bytes(BODY[:at] + bytes([byte]) + BODY[at + 1 :])
    try:
        file = read(path)
    except CheckpointError:
        return
    assert {name: array.tolist() for name, array in file.tensors.items()} == {
        "lstm.weight": [[0, 1, 2], [3, 4, 5]],
        "b": [1, 1],
    }
