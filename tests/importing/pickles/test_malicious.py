"""Pickles that would run something: none does, wherever it stands, and what it was is named."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats import pickled_arrays, torch_file
from lstm_export.importing.pickles.harmful import is_harmful


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def data(value: bytes) -> bytes:
    return b"B" + len(value).to_bytes(4, "little") + value


def name(dotted: str) -> bytes:
    module, _, attribute = dotted.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def call(dotted: str, *arguments: bytes) -> bytes:
    return name(dotted) + b"(" + b"".join(arguments) + b"tR"


def calls(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def attacks(marker: Path) -> dict[str, bytes]:
    touch = f"touch {marker}"
    argv = b"(" + text("touch") + text(str(marker)) + b"t"
    python = f"open({str(marker)!r}, 'w').close()"
    system = call("posix.system", text(touch))
    getattr_eval = call("builtins.getattr", name("builtins.__builtins__"), text("eval"))
    imported = call("builtins.__import__", text("os"))
    getter = call("operator.attrgetter", text("system"))
    evals = name("builtins.eval")
    mapped = call("builtins.map", name("os.system"), b"(" + text(touch) + b"t")
    stream = io.BytesIO()
    torch.save([1], stream)
    return {
        "os.system": call("os.system", text(touch)),
        "posix.system": system,
        "nt.system": call("nt.system", text(touch)),
        "nested reduce": calls(call("builtins.getattr", imported, text("system")), text(touch)),
        "reduce in arguments": call("builtins.list", b"(" + system + b"t"),
        "builtins.eval": call("builtins.eval", text(python)),
        "builtins.exec": call("builtins.exec", text(python)),
        "python 2 eval": call("__builtin__.eval", text(python)),
        "getattr chain": calls(getattr_eval, text(python)),
        "dotted name": b"\x80\x04"
        + text("os")
        + text("path.os.system")
        + b"\x93"
        + b"("
        + text(touch)
        + b"tR",
        "builtins.open": call("builtins.open", text(str(marker)), text("w")),
        "builtins.compile": call("builtins.compile", text(python), text("x"), text("exec")),
        "numpy.load": call("numpy.load", text(str(marker)), b"N\x88"),
        "numpy.memmap": call("numpy.memmap", text(str(marker)), text("u1"), text("w+")),
        "numpy.fromfile": call("numpy.fromfile", text(str(marker))),
        "numpy.runstring": call("numpy.testing._private.utils.runstring", text(python), b"}"),
        "torch.load": call("torch.load", text(str(marker))),
        "torch.serialization.load": call("torch.serialization.load", text(str(marker))),
        "_load_from_bytes": call("torch.storage._load_from_bytes", data(stream.getvalue())),
        "torch.hub": call("torch.hub.load", text("a/b"), text("c")),
        "jit compiler": call("torch.jit.unsupported_tensor_ops.execWrapper", text(python), b"}}"),
        "subprocess.Popen": call("subprocess.Popen", argv),
        "subprocess.check_output": call("subprocess.check_output", text(touch)),
        "runpy": call("runpy._run_code", text(python), b"}"),
        "webbrowser": call("webbrowser.open", text("http://localhost:9")),
        "ctypes": call("ctypes.CDLL", text("libc.so.6")),
        "pip main": call("pip._internal.main", b"]" + text("download") + b"a"),
        "importlib": call("importlib.import_module", text("antigravity")),
        "__import__": call("builtins.__import__", text("antigravity")),
        "socket": call("socket.create_connection", b"(" + text("localhost") + b"K\x09t"),
        "pickle.loads": call("pickle.loads", data(b"\x80\x03" + system + b".")),
        "_pickle.loads": call("_pickle.loads", data(b"\x80\x03" + system + b".")),
        "marshal": call("types.FunctionType", call("marshal.loads", data(b"N")), b"}"),
        "operator.attrgetter": calls(getter, name("os.__doc__")),
        "operator.methodcaller": calls(
            call("operator.methodcaller", text("system"), text(touch)), imported
        ),
        "functools.partial": calls(call("functools.partial", name("os.system")), text(touch)),
        "functools.reduce": call("functools.reduce", evals, b"]" + text("1") + b"a"),
        "map and list": call("builtins.set", b"(" + mapped + b"t"),
        "timeit": call("timeit.timeit", text(python)),
        "pdb": call("bdb.Bdb.run", text(python)),
        "pty": call("pty.spawn", text("/bin/true")),
        "multiprocessing": call("multiprocessing.popen_fork.Popen", b"N"),
        "shutil.rmtree": call("shutil.rmtree", text(str(marker.parent))),
        "instance": name("subprocess.Popen") + b"(" + text("true") + b"t\x81",
        "instance with state": name("torch.nn.Module") + b")\x81}" + text("x") + system + b"sb",
        "INST": b"(" + text(touch) + b"ios\nsystem\n",
        "OBJ": b"(" + name("os.system") + text(touch) + b"o",
        "default factory": call("collections.defaultdict", name("os.system"), b"]"),
        "code in a list": b"](" + system + b"K\x01e",
    }


NAMES = tuple(attacks(Path("/nowhere")))


def array() -> bytes:
    return pickle.dumps(np.arange(3.0), 2)[2:-1]


def plain(tmp_path: Path, body: bytes) -> Path:
    path = tmp_path / "weights.pkl"
    path.write_bytes(b"\x80\x04" + body + b".")
    return path


def zipped(tmp_path: Path, body: bytes, *, beside: bool) -> Path:
    """A file of torch.save with `body` as its object, or as what follows its tensor's item."""
    stream, path = io.BytesIO(), tmp_path / "weights.pt"
    torch.save({"weight": torch.arange(3.0)}, stream)
    with zipfile.ZipFile(stream) as archive, zipfile.ZipFile(path, "w") as changed:
        for member in archive.namelist():
            content = archive.read(member)
            if member.endswith("data.pkl"):
                content = content[:-1] + body + b"." if beside else b"\x80\x02" + body + b"."
            changed.writestr(member, content)
    return path


def read(path: Path, watch: Any) -> Any:
    form = torch_file if path.suffix == ".pt" else pickled_arrays
    form.read(_warm(path.parent, path.suffix))
    watch.on = True
    try:
        return form.read(path)
    finally:
        watch.on = False


def _warm(folder: Path, suffix: str) -> Path:
    """A harmless file, whose reading imports what reading imports."""
    folder = folder / "harmless"
    folder.mkdir(exist_ok=True)
    if suffix == ".pt":
        return zipped(folder, b"", beside=True)
    return plain(folder, b"}" + text("weight") + array() + b"s")


@pytest.mark.parametrize("attack", NAMES)
def test_alone_it_is_refused(tmp_path: Path, attack: str, nothing_runs: Any) -> None:
    marker = tmp_path / "ran"
    body = attacks(marker)[attack]
    for path in (plain(tmp_path, body), zipped(tmp_path, body, beside=False)):
        with pytest.raises(CheckpointError) as caught:
            read(path, nothing_runs)
        assert path.name in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("attack", [attack for attack in NAMES if attack != "_load_from_bytes"])
def test_wherever_it_stands_the_file_is_refused(
    tmp_path: Path, attack: str, nothing_runs: Any
) -> None:
    """In place of a weight, and beside weights that could be read: nobody made this by mistake."""
    marker = tmp_path / "ran"
    body = attacks(marker)[attack]
    start = b"}" + text("weight") + array() + b"s"
    for path in (
        plain(tmp_path, start + text("lstm.weight_hh_l0") + body + b"s"),
        plain(tmp_path, start + text("beside") + body + b"s"),
        zipped(tmp_path, text("beside") + body + b"s", beside=True),
    ):
        with pytest.raises(CheckpointError, match=r"asks for \S+, which weights never need"):
            read(path, nothing_runs)
    assert not marker.exists()


@pytest.mark.parametrize(
    "body",
    [
        call("program.make", text("x")),
        name("program.Made") + b")\x81",
        attacks(Path("/nowhere"))["_load_from_bytes"],
    ],
    ids=["call", "instance", "_load_from_bytes"],
)
def test_what_is_unknown_is_named_beside_weights_and_refused_for_one(
    tmp_path: Path, body: bytes, nothing_runs: Any
) -> None:
    beside = read(zipped(tmp_path, text("beside") + body + b"s", beside=True), nothing_runs)
    assert list(beside.tensors) == ["weight"]
    np.testing.assert_array_equal(beside.tensors["weight"], [0, 1, 2])
    assert any("beside" in note for note in beside.notes), beside.notes
    start = b"}" + text("weight") + array() + b"s"
    with pytest.raises(CheckpointError):
        read(plain(tmp_path, start + text("lstm.weight_hh_l0") + body + b"s"), nothing_runs)


def test_names_that_people_give_their_own_code_are_not_harmful() -> None:
    for module, own in (
        *(("test", "Net"), ("code.model", "Net"), ("signal.net", "Net"), ("site", "Net")),
        *(("builtins", "getattr"), ("pathlib", "PosixPath"), ("functools", "partial")),
        *(("torch.serialization", "_get_layout"), ("osmnx", "Graph"), ("numpy", "load_all")),
    ):
        assert not is_harmful(module, own), (module, own)


def test_these_attacks_are_live(tmp_path: Path) -> None:
    """Python's own unpickler does run them, so that the tests above have something to find."""
    for attack in ("os.system", "builtins.exec", "nested reduce", "INST", "pickle.loads"):
        marker = tmp_path / attack
        marker_free = marker.with_name("".join(c for c in attack if c.isalnum()))
        pickle.loads(b"\x80\x04" + attacks(marker_free)[attack] + b".")
        assert marker_free.exists(), attack


def test_nobody_is_advised_to_load_it(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"found calls of program\.make") as caught:
        pickled_arrays.read(plain(tmp_path, call("program.make", text("true"))))
    assert "torch.load" not in str(caught.value)


def test_in_a_module_s_hidden_attributes_it_is_named(tmp_path: Path) -> None:
    parameters = text("_parameters") + b"}" + text("weight") + array() + b"ss"
    state = b"}" + parameters + text("_buffers") + b"}s" + text("_modules") + b"}s"
    state += text("_hooks") + call("program.make", text("true")) + b"s"
    file = pickled_arrays.read(plain(tmp_path, name("program.Net") + b")\x81" + state + b"b"))
    assert list(file.tensors) == ["weight"]
    assert file.notes[1:] == ("calls that were not executed: program.make",)


def test_extension_codes_and_foreign_buffers_are_refused(tmp_path: Path) -> None:
    for body in (b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00", b"\x97"):
        with pytest.raises(CheckpointError, match="nothing was executed"):
            pickled_arrays.read(plain(tmp_path, body))


def test_attributes_of_a_class_are_not_set(tmp_path: Path) -> None:
    body = name("builtins.object") + b"}" + text("__reduce__") + text("x") + b"sb"
    with pytest.raises(CheckpointError, match=r"attributes of builtins\.object to be set"):
        pickled_arrays.read(plain(tmp_path, body))


def test_persistent_ids_are_left_out(tmp_path: Path) -> None:
    body = b"}" + text("weight") + array() + b"s" + text("x") + text("file:///etc/passwd") + b"Qs"
    body += text("y") + b"Pfile\ns"
    file = pickled_arrays.read(plain(tmp_path, body))
    assert [note.partition(":")[0] for note in file.notes] == ["x", "y"]


def test_names_from_a_file_cannot_forge_a_message(tmp_path: Path) -> None:
    body = b"\x80\x04" + text("\x1b[2J\rall is well") + text("x" * 5000) + b"\x93)R"
    with pytest.raises(CheckpointError) as caught:
        pickled_arrays.read(plain(tmp_path, body))
    assert "\x1b" not in str(caught.value)
    assert "\r" not in str(caught.value)
    assert len(str(caught.value)) < 1000
