"""Files that torch.save itself wrote: the same tensors, bit for bit, and what stands beside."""

from __future__ import annotations

import argparse
import contextlib
import io
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from lstm_export.errors import CheckpointError
from lstm_export.importing.formats import torch_file
from lstm_export.importing.raw import RawFile

SERIALIZATIONS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before"])


class Tagger(nn.Module):
    """A module with a bit of everything that is pickled with one."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(7, 3, padding_idx=0)
        self.lstm = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True, proj_size=2, dropout=0.1)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(4, 2, bias=False))
        self.tied = self.head[1]
        self.register_buffer("mean", torch.ones(3))
        self.register_buffer("cache", torch.ones(3), persistent=False)
        self.scale = torch.ones(2)
        self.activation = torch.tanh
        self.classes = ["a", "b"]
        self.hidden_size = 4


def save(path: Path, value: object, *, zipped: bool) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=zipped)
    return path


def read(path: Path) -> RawFile:
    assert torch_file.matches(path, path.read_bytes()[:4096])
    return torch_file.read(path)


def equal(file: RawFile, expected: dict[str, torch.Tensor]) -> None:
    assert list(file.tensors) == list(expected)
    for name, tensor in expected.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        assert file.stored[name] == dtype
        tensor = tensor.detach()
        wide = tensor.float() if dtype in ("float16", "bfloat16") else tensor
        array = file.tensors[name]
        assert array.shape == tuple(tensor.shape)
        assert array.dtype == wide.numpy().dtype
        assert array.tobytes() == wide.contiguous().numpy().tobytes(), name


@SERIALIZATIONS
def test_a_state_dict(tmp_path: Path, zipped: bool) -> None:
    state = Tagger().state_dict()
    path = save(tmp_path / "m.bin", state, zipped=zipped)
    file = read(path)
    equal(file, torch.load(path, weights_only=True))
    assert (file.keys, file.notes, file.declared) == ((), (), {})


@SERIALIZATIONS
@pytest.mark.parametrize(
    "dtype",
    [
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8),
        *(torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32),
        torch.uint64,
    ],
    ids=str,
)
def test_every_dtype(tmp_path: Path, zipped: bool, dtype: torch.dtype) -> None:
    values = torch.tensor([[0.0, 1.0, 3.0], [100.0, 7.0, 2.0]]).to(dtype)
    if not zipped and dtype in (torch.uint16, torch.uint32, torch.uint64):
        pytest.skip("these came after the format")
    expected = {"w": values, "empty": values[:0], "scalar": values[1, 2]}
    equal(read(save(tmp_path / "m.pt", expected, zipped=zipped)), expected)


@SERIALIZATIONS
def test_views_of_shared_storages(tmp_path: Path, zipped: bool) -> None:
    base = torch.randn(4, 6)
    expected = {
        "whole": base,
        "transposed": base.T,
        "part": base[1:3, 2:5],
        "steps": base[::2, 1::3],
        "flipped axes": base.reshape(2, 2, 6).permute(2, 0, 1),
        "repeated": base[:1].expand(3, 6),
        "row": base[3],
    }
    equal(read(save(tmp_path / "m.pt", expected, zipped=zipped)), expected)


@SERIALIZATIONS
def test_non_finite_weights_are_passed_on(tmp_path: Path, zipped: bool) -> None:
    expected = {"w": torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0])}
    equal(read(save(tmp_path / "m.pt", expected, zipped=zipped)), expected)


@SERIALIZATIONS
def test_a_checkpoint_around_it(tmp_path: Path, zipped: bool) -> None:
    module = Tagger()
    optimizer = torch.optim.Adam(module.parameters())
    value = {
        "epoch": 3,
        "state_dict": module.state_dict(),
        "mean": np.array([0.5, 2.0], np.float32),
        "optimizer": optimizer.state_dict(),
        "hyper_parameters": {"hidden_size": 4, "cell": "LSTM", "sizes": [1, 2], "lr": 1e-3},
        "args": argparse.Namespace(
            bidirectional=True, dtype=torch.float32, device=torch.device("cpu")
        ),
        "history": list(range(1000)),
        "best": np.float64(0.25),
    }
    file = read(save(tmp_path / "m.ckpt", value, zipped=zipped))
    state = {f"state_dict.{name}": tensor for name, tensor in module.state_dict().items()}
    equal(file, state | {"mean": torch.tensor([0.5, 2.0])})
    expected = {
        "epoch": 3,
        "hyper_parameters.hidden_size": 4,
        "hyper_parameters.cell": "LSTM",
        "hyper_parameters.sizes": (1, 2),
        "args.__class__": "argparse.Namespace",
        "args.bidirectional": True,
        "args.dtype": "torch.float32",
        "args.device": "cpu",
        "best": 0.25,
        "optimizer.param_groups.0.betas": (0.9, 0.999),
    }
    assert expected.items() <= file.declared.items()
    assert file.notes == ("history: a list of 1000 plain values; left out",)
    assert file.keys == ()


@SERIALIZATIONS
def test_several_state_dicts(tmp_path: Path, zipped: bool) -> None:
    value = {
        "encoder": nn.LSTM(2, 3).state_dict(),
        "decoder": nn.Linear(3, 1).state_dict(),
        "steps": torch.tensor(5),
        "epoch": 1,
    }
    assert read(save(tmp_path / "m.pt", value, zipped=zipped)).keys == ("encoder", "decoder")


@SERIALIZATIONS
def test_a_whole_module(tmp_path: Path, zipped: bool) -> None:
    module = Tagger()
    file = read(save(tmp_path / "m.pt", module, zipped=zipped))
    equal(file, module.state_dict())
    expected = {
        "__class__": f"{Tagger.__module__}.Tagger",
        "hidden_size": 4,
        "classes": ("a", "b"),
        "lstm.__class__": "torch.nn.modules.rnn.LSTM",
        "lstm.mode": "LSTM",
        "lstm.hidden_size": 4,
        "lstm.num_layers": 2,
        "lstm.batch_first": True,
        "lstm.bidirectional": True,
        "lstm.proj_size": 2,
        "lstm.dropout": 0.1,
        "emb.padding_idx": 0,
        "head.0.__class__": "torch.nn.modules.activation.ReLU",
        "head.1.in_features": 4,
    }
    assert expected.items() <= file.declared.items()
    assert file.declared["activation"].endswith(".tanh")
    whole, scale = file.notes
    assert whole.startswith(f"a whole pickled module, {__name__}.Tagger: ")
    assert scale == "scale: a tensor that is no parameter and no buffer; left out"


def test_modules_in_a_checkpoint(tmp_path: Path) -> None:
    module = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    old = nn.GRUCell(2, 3)
    state = {f"model.{name}": tensor for name, tensor in old.state_dict().items()}
    file = read(save(tmp_path / "m.pt", {"model": old, "epoch": 2}, zipped=True))
    equal(file, state)
    assert file.declared["model.__class__"] == "torch.nn.modules.rnn.GRUCell"
    equal(read(save(tmp_path / "n.pt", module.state_dict(), zipped=True)), module.state_dict())


def test_parameters_with_attributes_and_buffers(tmp_path: Path) -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.tag = "x"  # type: ignore[attr-defined]
    tensor = torch.zeros(3)
    tensor.tag = "y"  # type: ignore[attr-defined]
    expected = {"p": parameter, "t": tensor, "q": nn.Parameter(torch.ones(1), requires_grad=False)}
    equal(read(save(tmp_path / "m.pt", expected, zipped=True)), expected)


def test_big_endian_files(tmp_path: Path) -> None:
    path = save(tmp_path / "m.pt", {"w": torch.arange(3.0), "i": torch.arange(2)}, zipped=True)
    swaps = {"data/0": "f4", "data/1": "i8"}

    def change(name: str, body: bytes) -> bytes:
        if name.endswith("byteorder"):
            return b"big"
        code = swaps.get(name.partition("/")[2])
        return body if code is None else np.frombuffer(body, code).byteswap().tobytes()

    file = read(rewritten(path, change))
    np.testing.assert_array_equal(file.tensors["w"], [0, 1, 2])
    np.testing.assert_array_equal(file.tensors["i"], [0, 1])


def test_deflated_members(tmp_path: Path) -> None:
    path = save(tmp_path / "m.pt", {"w": torch.arange(300.0)}, zipped=True)
    path = rewritten(path, lambda name, body: body, zipfile.ZIP_DEFLATED)
    equal(read(path), {"w": torch.arange(300.0)})


def rewritten(
    path: Path, change: Callable[[str, bytes], bytes | None], method: int = zipfile.ZIP_STORED
) -> Path:
    new = path.with_suffix(".new")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w", method) as archive:
        for name in old.namelist():
            body = change(name, old.read(name))
            if body is not None:
                archive.writestr(name, body)
    return new


@pytest.mark.parametrize(
    ("name", "make", "named"),
    [
        ("lstm.weight", lambda zeros: zeros.to(torch.complex64), "complex64"),
        ("x", lambda zeros: zeros.to(torch.float8_e4m3fn), "float8_e4m3fn"),
        ("x", lambda zeros: zeros.to_sparse(), "a sparse tensor"),
        ("x", lambda zeros: zeros.to("meta"), "device meta"),
        ("x", lambda zeros: torch.quantize_per_tensor(zeros, 0.1, 0, torch.qint8), "quantized"),
    ],
    ids=["complex", "float8", "sparse", "meta", "quantized"],
)
def test_other_tensors_are_refused_by_name(
    tmp_path: Path, name: str, make: Callable[[torch.Tensor], torch.Tensor], named: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = save(tmp_path / "m.pt", {name: make(torch.zeros(2))}, zipped=True)
    with pytest.raises(CheckpointError, match=f"{name} (is|has).*{named}"):
        torch_file.read(path)


@SERIALIZATIONS
def test_without_tensors(tmp_path: Path, zipped: bool) -> None:
    with pytest.raises(CheckpointError, match="found a dict with epoch, name"):
        torch_file.read(save(tmp_path / "m.pt", {"epoch": 1, "name": "x"}, zipped=zipped))
    with pytest.raises(CheckpointError, match="found an empty dict"):
        torch_file.read(save(tmp_path / "m.pt", {}, zipped=zipped))
    path = save(tmp_path / "m.pt", argparse.Namespace(a=1), zipped=zipped)
    with pytest.raises(CheckpointError, match=r"torch\.save\(net\.state_dict\(\)") as caught:
        torch_file.read(path)
    assert "argparse.Namespace" in str(caught.value)


def test_one_tensor_alone(tmp_path: Path) -> None:
    equal(read(save(tmp_path / "m.pt", torch.ones(2), zipped=True)), {"tensor": torch.ones(2)})


@pytest.mark.parametrize("key", ["0", "a"])
def test_declared_sizes_that_a_storage_contradicts(tmp_path: Path, key: str) -> None:
    path = save(tmp_path / "m.pt", {"w": torch.arange(3.0)}, zipped=True)

    def change(name: str, body: bytes) -> bytes | None:
        if name.endswith("data/0"):
            return body[:-4] if key == "0" else None
        return body

    with pytest.raises(CheckpointError, match=r"w is declared as 3 float32.*8 bytes|data/0"):
        torch_file.read(rewritten(path, change))


def test_a_view_that_leaves_its_storage(tmp_path: Path) -> None:
    path = save(tmp_path / "m.pt", {"w": torch.arange(6.0).reshape(2, 3)}, zipped=True)

    def change(name: str, body: bytes) -> bytes:
        return body.replace(b"K\x02K\x03\x86", b"K\x02K\x04\x86")

    with pytest.raises(CheckpointError, match=r"w is declared \(2, 4\).*6 elements"):
        torch_file.read(rewritten(path, change))


def test_a_quantized_storage_under_another_dtype(tmp_path: Path) -> None:
    path = save(tmp_path / "m.pt", {"w": torch.zeros(2, dtype=torch.uint16)}, zipped=True)

    def change(name: str, body: bytes) -> bytes:
        return body.replace(b"ctorch.storage\nUntypedStorage\n", b"ctorch\nQInt8Storage\n")

    with pytest.raises(CheckpointError, match="w has dtype qint8"):
        torch_file.read(rewritten(path, change))


def test_repeating_a_storage_has_an_end(tmp_path: Path) -> None:
    path = save(tmp_path / "m.pt", {"w": torch.zeros(1).expand(1 << 40)}, zipped=True)
    with pytest.raises(CheckpointError, match="w is declared"):
        torch_file.read(path)
    one = torch.zeros(1 << 18)
    path = save(tmp_path / "n.pt", {str(i): one for i in range(100)}, zipped=True)
    with pytest.raises(CheckpointError, match="more than 16 times"):
        torch_file.read(path)


def test_a_module_inside_of_itself(tmp_path: Path) -> None:
    module = nn.Linear(1, 1)
    module._modules["loop"] = module
    file = read(save(tmp_path / "m.pt", module, zipped=True))
    assert list(file.tensors) == ["weight", "bias"]
    assert file.notes[1:] == ("loop: what it is itself inside of; left out",)


def test_sharing_that_unfolds_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstm_export.importing.checkpoints.tree.MAX_VALUES", 10_000)
    value: Any = [torch.ones(1), torch.ones(1)]
    for _ in range(40):
        value = [value, value]
    with pytest.raises(CheckpointError, match="unfolds to more than"):
        torch_file.read(save(tmp_path / "m.pt", value, zipped=True))


def test_hostile_archives(tmp_path: Path) -> None:
    path = save(tmp_path / "m.pt", {"w": torch.arange(3.0)}, zipped=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("m/../../outside", b"x")
    with pytest.raises(CheckpointError, match=r"outside"):
        torch_file.read(path)
    path = save(tmp_path / "m.pt", {"w": torch.arange(3.0)}, zipped=True)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("m/data.pkl", b"x")
    with pytest.raises(CheckpointError, match="twice"):
        torch_file.read(path)


def test_which_files_match(tmp_path: Path) -> None:
    def matches(body: bytes) -> bool:
        path = tmp_path / "file"
        path.write_bytes(body)
        return torch_file.matches(path, body[:4096])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(1, 1)), tmp_path / "script")
    assert not matches((tmp_path / "script").read_bytes())
    whole = save(tmp_path / "m.pt", {"w": torch.ones(2)}, zipped=True).read_bytes()
    assert matches(whole[:200])
    old = save(tmp_path / "o.pt", {"w": torch.ones(2)}, zipped=False).read_bytes()
    assert matches(old[:20])
    other = io.BytesIO()
    np.savez(other, a=np.ones(2))
    for body in (other.getvalue(), b"", b"PK", b"\x80\x02}.", b"{}", struct.pack("<Q", 2) + b"{}"):
        assert not matches(body)


def test_tar_archives_of_the_first_releases(tmp_path: Path) -> None:
    import tarfile

    path = tmp_path / "old.pth"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    assert torch_file.matches(path, path.read_bytes()[:4096])
    with pytest.raises(CheckpointError, match=r"before 0\.1\.10"):
        torch_file.read(path)


def test_neither_torch_nor_the_classes_are_needed(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from lstm_export.importing.formats import torch_file\n"
        "print(*torch_file.read(Path(sys.argv[1])).tensors)"
    )
    path = save(tmp_path / "m.pt", Tagger(), zipped=True)
    ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    assert ran.stdout.split() == list(Tagger().state_dict()), ran.stderr


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("bodies")
    values = [{"state_dict": nn.GRU(1, 2).state_dict(), "epoch": 1}, nn.LSTM(1, 1)]
    return [
        save(folder / "m.pt", value, zipped=zipped).read_bytes()
        for value in values
        for zipped in (True, False)
    ]


@given(st.integers(0, 3), st.floats(0, 1, exclude_max=True), st.none() | st.integers(1, 255))
@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
def test_damaged_files_are_refused_or_read(
    bodies: list[bytes], tmp_path: Path, which: int, place: float, flip: int | None
) -> None:
    body = bytearray(bodies[which])
    at = int(place * len(body))
    if flip is None:
        del body[at:]
    else:
        body[at] ^= flip
    path = tmp_path / "m.pt"
    path.write_bytes(body)
    torch_file.matches(path, bytes(body[:4096]))
    with contextlib.suppress(CheckpointError):
        torch_file.read(path)
        assert flip is not None, "a truncated file was read"


def test_a_whole_optimizer_beside_its_module(tmp_path: Path) -> None:
    net = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    torch.save({"model": net, "optimizer": optimizer}, tmp_path / "both.pt")
    names = list(read(tmp_path / "both.pt").tensors)
    assert names[:2] == ["model.weight", "model.bias"]
    assert "optimizer.state.1.exp_avg" in names


def test_models_in_a_list_are_keys(tmp_path: Path) -> None:
    torch.save([nn.Linear(3, 2).state_dict(), nn.Linear(3, 1)], tmp_path / "list.pt")
    assert read(tmp_path / "list.pt").keys == ("0", "1")


def test_a_quantised_layer_says_what_to_save(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packed = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.LSTM(3, 4)), {nn.LSTM})
        torch.save(packed.state_dict(), tmp_path / "q.pt")
    with pytest.raises(CheckpointError, match="before it was quantised"):
        read(tmp_path / "q.pt")
