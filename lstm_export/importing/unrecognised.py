"""What a file that no reader takes looks like, so that the refusal says what went wrong."""

from __future__ import annotations

from pathlib import Path

from lstm_export.importing.archive import MAGIC, member_names
from lstm_export.importing.pickles.values import shown

_BEGINNINGS = (
    (b"version https://git-lfs", "a git-lfs pointer, not the file itself: run git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them: reading those comes later"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file: save the arrays with numpy.savez"),
    (b"\x93NUMPY", "one NumPy array without a name: save all weights with numpy.savez"),
    (b"GGUF", "a GGUF file, which holds no recurrent network"),
    (b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (b"BZh", "compressed by bzip2: unpack it first"),
    (b"\xfd7zXZ", "compressed by xz: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"%PDF", "a PDF document"),
    (b"\x80", "a Python pickle that holds no weights that can be read without running it"),
)
_WEIGHTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".npz", ".json")
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


def appearance(path: Path, head: bytes) -> str:
    """What the file with the first bytes `head` looks like, and what to do, in one phrase."""
    if not head:
        return "an empty file: download or save it again"
    for beginning, words in _BEGINNINGS:
        if head.startswith(beginning):
            return words
    if head.lstrip()[:9].lower().startswith(_PAGES):
        return "a web page, as a failed download leaves behind: download the file itself"
    if head.startswith(MAGIC):
        return _archive(path)
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite file: export the weights from Keras instead"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if is_onnx(head):
        return "an ONNX model, which is exported already: lstm-export inspect shows it"
    if not any(head):
        return "nothing but zeros: download or save it again"
    try:
        text = head.decode("utf-8", "strict" if len(head) < 64 else "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if text.isprintable() or all(c.isprintable() or c.isspace() for c in text):
        return f"text that begins {text.strip()[:40]!r}"
    return f"unknown bytes that begin {head[:12].hex(' ')}"


def is_onnx(head: bytes) -> bool:
    """Whether `head` begins a ModelProto: ir_version (field 1, varint), then mostly producer_name
    or opset."""
    begins = head[:1] == b"\x08" and head[1:2] < b"\x20"
    return begins and head[2:3] in (b"\x12", b"\x3a", b"\x42")


def _archive(path: Path) -> str:
    names = sorted(member_names(path))
    if not names:
        return "a zip archive that is cut off or damaged: download or save it again"
    if "metadata.json" in names and any(name.endswith(".h5") for name in names):
        return "a .keras file: reading those comes later"
    weights = [name for name in names if name.endswith(_WEIGHTS)]
    if weights:
        best = min(weights, key=lambda name: ("optim" in name, len(name)))
        return f"a zip archive around other files: unpack it, and give {shown(best, 40)} or another"
    listed = ", ".join(shown(name, 40) for name in names[:5])
    return f"a zip archive without weights that are known here; it holds {listed}"
