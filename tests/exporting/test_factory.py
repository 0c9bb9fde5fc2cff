"""`file.py:name` and its example inputs, as people write them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lstm_export.errors import ExportError, OptionError
from lstm_export.exporting.source.example_inputs import example_arguments
from lstm_export.exporting.source.factory import load_factory
from lstm_export.exporting.source.guessed_inputs import guess_arguments
from lstm_export.exporting.source.spelling import is_factory

SOURCE = """
import sys
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden=4):
        super().__init__()
        self.rnn = nn.LSTM(3, hidden, batch_first=True)
    def forward(self, x):
        return self.rnn(x)[0]

class Sized(nn.Module):
    def __init__(self, hidden):
        super().__init__()

ready = Net(5)
class settings:
    net = Net(7)
number = 3

def build():
    print("building")
    return Net(6)

def broken():
    raise ValueError("no such\\nfile")

def leaves():
    sys.exit(3)

def nothing():
    Net()

def pair():
    return Net(), torch.zeros(1)

def needs(size, *, depth=1):
    return Net(size)
"""


@pytest.fixture(autouse=True)
def path_as_it_was() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(
    ("name", "hidden"), [("build", 6), ("Net", 4), ("ready", 5), ("settings.net", 7)]
)
def test_a_function_a_class_and_an_instance(
    file: Path, name: str, hidden: int, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load_factory(f"{file}:{name}")
    assert module.rnn.hidden_size == hidden  # type: ignore[union-attr]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            ":absent",
            OptionError,
            "has no 'absent'. It holds Net, Sized, ready, build, .*net.py:Net$",
        ),
        ("", OptionError, "which name in it gives the module"),
        (":number", ExportError, "number is a int; expected a module"),
        (
            ":broken",
            ExportError,
            r"net\.py:27: running broken\(\) raised ValueError: no such file$",
        ),
        (":leaves", ExportError, r"net\.py:30: .*ended the program \(SystemExit: 3\)"),
        (":nothing", ExportError, r"nothing\(\) gave nothing \(None\)"),
        (":pair", ExportError, r"gave a tuple of Net, Tensor; expected a torch\.nn\.Module"),
        (":needs", OptionError, "needs the arguments size: give them as --kwargs"),
        (":Sized", OptionError, "needs the arguments hidden"),
    ],
)
def test_what_gives_no_module(file: Path, name: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        load_factory(f"{file}{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def f(:\n", r"net\.py:1: not valid Python: "),
        ("import absent_package\n", r"net\.py:1: running the file raised ModuleNotFoundError"),
        ("x = 1\n\ny = 1 / 0\n", r"net\.py:3: running the file raised ZeroDivisionError"),
    ],
)
def test_a_file_that_does_not_run(tmp_path: Path, body: str, message: str) -> None:
    path = tmp_path / "net.py"
    path.write_text(body)
    before = set(sys.modules)
    with pytest.raises(ExportError, match=message):
        load_factory(f"{path}:f")
    assert set(sys.modules) == before
    with pytest.raises(OptionError, match="there is no such file"):
        load_factory(f"{tmp_path / 'absent.py'}:f")


def test_imports_beside_the_file_and_within_its_package(tmp_path: Path) -> None:
    (tmp_path / "beside_net.py").write_text("width = 9\n")
    (tmp_path / "alone.py").write_text(
        "from torch import nn\nfrom beside_net import width\nbuild = lambda: nn.GRU(1, width)\n"
    )
    assert load_factory(f"{tmp_path / 'alone.py'}:build").hidden_size == 9
    package = tmp_path / "factory_package" / "models"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package.parent / "sizes.py").write_text("width = 8\n")
    (package / "net.py").write_text(
        "from torch import nn\nfrom ..sizes import width\nbuild = lambda: nn.GRU(1, width)\n"
    )
    assert load_factory(f"{package / 'net.py'}:build").hidden_size == 8


def test_what_is_written_as_a_factory() -> None:
    assert all(map(is_factory, ("a.py", "a.py:f", "/x y/a.py:C.f", r"C:\x\a.py:f")))
    assert not any(map(is_factory, ("bundle", "a.onnx", "a.pyc", "runs/py", "a.py:b:c")))


class Called(nn.Module):
    """A module whose forward is that of a test."""

    def __init__(self, forward: Any) -> None:
        super().__init__()
        self.forward = forward  # type: ignore[method-assign]


def shapes(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, dict):
        return {key: shapes(part) for key, part in value.items()}
    return tuple(map(shapes, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("forward", "lines", "args", "kwargs"),
    [
        (lambda x: 0, ["2,5,3"], ((2, 5, 3),), {}),
        (lambda x, state: 0, ["state_1=1,2,8", "x=2,5,3", "state_0=1,2,8"],
         ((2, 5, 3), ((1, 2, 8), (1, 2, 8))), {}),
        (lambda x, state=None, mask=None: 0, ["x=2,5,3", "mask=2,5:bool"],
         ((2, 5, 3),), {"mask": (2, 5)}),
        (lambda *args: 0, ["args_0=2,5", "args_1=2"], ((2, 5), (2,)), {}),
        (lambda x, *, steps: 0, ["x=2,5,3", "steps:=7"], ((2, 5, 3),), {"steps": 7}),
        (lambda x_0, **options: 0, ["x_0=1", "gain=2"], ((1,),), {"gain": (2,)}),
        (lambda batch: 0, ["batch_x=2,5,3", "batch_mask=2,5:bool"],
         ({"x": (2, 5, 3), "mask": (2, 5)},), {}),
        (lambda x, state: 0, ["x=1", "state_0_0=1", "state_0_1=2", "state_1=3"],
         ((1,), (((1,), (2,)), (3,))), {}),
        (lambda x, flag: 0, ["x=:float32", "flag:=True"], ((), True), {}),
    ],
)  # fmt: skip
def test_lines_become_arguments(forward: Any, lines: list[str], args: Any, kwargs: Any) -> None:
    given = example_arguments(Called(forward), lines)
    assert (shapes(given[0]), shapes(given[1])) == (args, kwargs)


def test_integers_stay_in_range_and_may_be_lengths() -> None:
    module = Called(lambda tokens, lengths: 0)
    (tokens, lengths), _ = example_arguments(module, ["tokens=2,50:int64<9", "lengths=4:int32<6"])
    assert tokens.dtype == torch.int64
    assert set(tokens.unique().tolist()) == set(range(1, 9))
    assert lengths.dtype == torch.int32
    assert lengths.tolist() == sorted(lengths.tolist(), reverse=True)
    module.embedding = nn.Embedding(2, 3)
    (tokens, _), _ = example_arguments(module, ["tokens=2,50:int64", "lengths:=[5,3]"])
    assert int(tokens.max()) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["x=2,5,3,"], None),
        (["x=two"], "expected NAME=SIZES"),
        (["x"], "expected NAME=SIZES"),
        (["x=2,5:text"], "with a dtype of"),
        (["x=2,0,3"], "a size of 0"),
        (["x=2,5<3"], "expected NAME=SIZES"),
        (["x=2,5:float32<3"], "bounds integers"),
        (["x:=[1,"], "expected a plain value"),
        (["z=2,5,3"], "has no such argument"),
        (["x=2", "x=3"], "gives x twice"),
        (["y=2"], "also needs x"),
        (["x=2", "y_0=2", "y_2=2"], "count from 0 without a gap"),
        (["x=2", "y=2", "y_0=2"], "both whole and in parts"),
    ],
)
def test_lines_that_make_no_sense(lines: list[str], message: str | None) -> None:
    module = Called(lambda x, y=None: 0)
    if message is None:
        example_arguments(module, lines)
        return
    with pytest.raises(OptionError, match=message):
        example_arguments(module, lines)
    with pytest.raises(OptionError, match="takes several arguments"):
        example_arguments(Called(lambda x, y: 0), ["2,5,3"])


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.embed = nn.Embedding(11, 3)
        self.rnn = nn.GRU(3, 4)
        self.calls = 0

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        self.calls += 1
        assert int(lengths.max()) <= tokens.shape[1]
        y: Tensor = self.rnn(self.embed(tokens))[0]
        return self.head(y)


def test_an_input_is_guessed_from_the_layers_and_tried() -> None:
    module = Tagger().train()
    guessed = guess_arguments(module)
    assert guessed is not None
    (args, kwargs), said = guessed
    assert said == ("tokens=2,5:int64", "lengths:=[5, 3]")
    assert (shapes(args), kwargs) == (((2, 5), (2,)), {})
    assert (module.calls, module.training) == (0, True)
    (args, _), said = guess_arguments(nn.LSTM(6, 4)) or (((), {}), ())
    assert (said, shapes(args)) == (("input=5,2,6",), ((5, 2, 6),))
    assert guess_arguments(Called(lambda x, y, z: 0)) is None
    assert guess_arguments(Called(lambda x: x.no_such)) is None
