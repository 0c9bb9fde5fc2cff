"""Which reader takes a file, and what is said of files that none takes."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.read import read


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-lfs pointer"),
        (b"<!DOCTYPE html>\n<html>", "a web page, as a failed download"),
        (b"\n <html lang='en'>", "a web page"),
        (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file, as Keras writes them: reading those comes later"),
        (b"\x08\x0a\x12\x07pytorch", "an ONNX model, which is exported already"),
        (b"\x1f\x8b\x08\0", "compressed by gzip"),
        (b"\x93NUMPY\x01\0", "one NumPy array without a name"),
        (b"MATLAB 5.0 MAT-file, Platform", "a MATLAB file"),
        (b"GGUF\x03\0\0\0", "a GGUF file"),
        (b"\x18\0\0\0TFL3", "a TensorFlow Lite file"),
        (b"epoch,loss\n1,0.5\n", "text that begins 'epoch,loss"),
        (bytes(700), "nothing but zeros"),
        (b"PK\x03\x04garbage", "a zip archive that is cut off"),
        (b"\xff\xfe\xfd\xfc", "unknown bytes that begin ff fe fd fc"),
    ],
)
def test_a_file_of_no_format_is_described(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(head)
    with pytest.raises(CheckpointError, match=words) as caught:
        read(path)
    assert "expected one of: safetensors, npz" in str(caught.value)


def test_a_strange_archive_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"it holds readme\.txt"):
        read(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("model.weights.h5", "x")
    with pytest.raises(CheckpointError, match=r"a \.keras file: reading those comes later"):
        read(path)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(CheckpointError, match="there is no such file"):
        read(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="a device or a pipe"):
        read(tmp_path / "pipe")


def test_a_key_needs_several_state_dicts(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", a=np.ones(2))
    with pytest.raises(OptionError, match="it holds one alone: leave --key out"):
        read(tmp_path / "w.npz", key="a")


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"{", b"[", b"\x04\0\0\0\0\0\0\0{", b"\x08"]),
    st.binary(max_size=200),
)
def test_any_bytes_are_refused_in_one_message(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, rest: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_bytes(head + rest)
    with pytest.raises(CheckpointError):
        read(path)
