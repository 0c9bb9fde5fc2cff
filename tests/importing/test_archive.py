"""What zipfile lets pass and an archive of weights may not be."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lstm_export.errors import CheckpointError
from lstm_export.importing.archive import member_names, opened


def archive(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w") as file:
        for name, body in members.items():
            file.writestr(name, body)
    return path.read_bytes()


def refusal(path: Path, body: bytes) -> str:
    path.write_bytes(body)
    with pytest.raises(CheckpointError) as caught, opened(path) as file:
        file.read("a")
    return str(caught.value)


def test_a_whole_one_is_read(tmp_path: Path) -> None:
    archive(tmp_path / "x", {"r/a": b"1", "r/b": b"2"})
    with opened(tmp_path / "x") as file:
        assert (file.names, file.read("r/b")) == (("r/a", "r/b"), b"2")
        with pytest.raises(CheckpointError, match="expected r/c in the archive, found none"):
            file.read("r/c")


def test_one_cut_off_within_an_archive_is_not_taken_for_that(tmp_path: Path) -> None:
    inner = archive(tmp_path / "inner", {"a": b"sample"})
    whole = archive(tmp_path / "x", {"weights": b"123", "inner": inner, "more": b"456"})
    cut = whole[: whole.index(inner) + len(inner)]
    assert "its first bytes belong to no member" in refusal(tmp_path / "x", cut)
    assert member_names(tmp_path / "x") == frozenset()


def test_a_member_that_the_directory_lacks_is_missed(tmp_path: Path) -> None:
    body = archive(tmp_path / "x", {"a": b"1"})
    counts = body.rindex(b"PK\5\6") + 8
    refused = body[:counts] + b"\2\0\2\0" + body[counts + 4 :]
    assert "damaged or truncated" in refusal(tmp_path / "x", refused)


def test_every_name_is_held_against_the_one_before_its_member(tmp_path: Path) -> None:
    body = archive(tmp_path / "x", {"a": b"1", "other": b"2"})
    at = body.rindex(b"other")
    message = refusal(tmp_path / "x", body[:at] + b"OTHER" + body[at + 5 :])
    assert "damaged or truncated" in message
    assert len(message) < 400


def test_a_checksum_that_differs_is_damage(tmp_path: Path) -> None:
    body = archive(tmp_path / "x", {"a": b"weights"})
    assert "Bad CRC-32" in refusal(tmp_path / "x", body.replace(b"weights", b"Weights"))
