"""Files of inputs and outputs: names, shapes, digits, and everything that they should not hold."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lstm_export.errors import InputError, LstmExportError, OptionError
from lstm_export.importing.description import Description
from lstm_export.importing.expect.expected import Expected
from lstm_export.importing.expect.read import read_expected
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse

sys.path.insert(0, str(Path(__file__).parent))

from torch_models import Model, lstm_head, random

DEFAULT = "lstm, last, fc:linear"
X, Y = random(4, 6, 3), random(4, 2)


def described(text: str = DEFAULT, model: Model | None = None) -> Description:
    return bind(parse(text), (model or lstm_head()).tensors)


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path / "io.npz", **arrays)
    return path / "io.npz"


def read(path: Path, text: str = DEFAULT, **arrays: Any) -> Expected:
    return read_expected([saved(path, **arrays)], described(text))


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (("x", "output"), None),
        (("X", "target"), "X was taken as x"),
        (("inputs", "y"), "y was taken as output"),
        (("tokens", "chance"), "chance was taken as output"),
        (("series", "pred"), "series was taken as x"),
        (("arr_0", "arr_1"), "arr_1 was taken as output"),
    ],
)
def test_names(names: tuple[str, str], note: str | None, tmp_path: Path) -> None:
    found = read(tmp_path, **dict(zip(names, (X, Y), strict=True)))
    assert np.array_equal(found.inputs["x"], X)
    assert np.array_equal(found.outputs["output"], Y)
    assert note is None or note in found.notes


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": X, "b": Y}, r"no input x.*it has a \(4, 6, 3\), b \(4, 2\).*numpy.savez"),
        ({"x": X}, "none of the outputs"),
        ({"x": X, "y": Y, "out": Y}, "none of the outputs"),
        ({"x": X.swapaxes(1, 2), "y": Y}, "its axis 1 has the 3 features, move it to the end"),
        ({"x": random(4, 6, 4), "y": Y}, "one column too many"),
        ({"x": np.where(X > 1, np.nan, X), "y": Y}, r"x: nan at \["),
        ({"x": X, "y": Y * np.float32(np.inf)}, r"y: -?inf at \[0, 0\]"),
        ({"x": X, "y": Y[:0]}, "it is empty"),
        ({"x": X, "y": Y.astype(complex)}, "expected real numbers"),
        ({"x": X, "y": np.array([object()])}, "Python objects"),
    ],
)
def test_refusals(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, **arrays)


def test_one_sequence_without_its_batch(tmp_path: Path) -> None:
    found = read(tmp_path, x=X[0], y=Y[0])
    assert found.inputs["x"].shape == (1, 6, 3)
    assert "x: (6, 3) was read as (1, 6, 3)" in found.notes


@pytest.mark.parametrize("shape", [(4, 6), (6, 1), (6,), (4, 6, 1)])
def test_one_feature_without_its_axis(shape: tuple[int, ...], tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(1, 4, batch_first=True), fc=nn.Linear(4, 1))
    description = described("gru, last, fc:linear", model)
    batch = shape[0] if shape[0] == 4 else 1
    path = saved(tmp_path, x=random(*shape), y=random(batch))
    found = read_expected([path], description)
    assert found.inputs["x"].shape == (batch, 6, 1)


@pytest.mark.parametrize("last", [True, False])
def test_squeezed_outputs_are_compared(last: bool, tmp_path: Path) -> None:
    model = Model(gru=nn.GRU(1, 4, batch_first=True), fc=nn.Linear(4, 1))
    path = model.save(
        tmp_path / "io.npz",
        lambda x: model.fc(model.gru(x)[0][:, -1] if last else model.gru(x)[0]).squeeze(),
        x=random(3, 6, 1),
    )
    assert model.check("gru, last, fc:linear" if last else "gru, fc:linear", path).passed


def test_ids_and_float64(tmp_path: Path) -> None:
    model = Model(emb=nn.Embedding(9, 3), gru=nn.GRU(3, 4, batch_first=True), fc=nn.Linear(4, 1))
    description = described("emb:embedding, gru, last, fc:linear", model)
    path = saved(tmp_path, x=np.array([[1.0, 3.0], [2.0, 8.0]]), y=np.zeros((2, 1)))
    found = read_expected([path], description)
    assert found.inputs["x"].dtype == np.int64
    assert any("whole numbers" in note for note in found.notes)
    for wrong, said in ((0.5, "expected whole numbers"), (-1.0, "at least 0")):
        path = saved(tmp_path, x=np.full((2, 2), wrong), y=np.zeros((2, 1)))
        with pytest.raises(InputError, match=said):
            read_expected([path], description)


def test_lengths_that_are_missing_are_counted(tmp_path: Path) -> None:
    x = X.copy()
    x[1, 4:] = 0
    text = "x:floats; n:lengths; x > lstm(lengths=n) > last_valid(lengths=n) > fc:linear"
    found = read(tmp_path, text, x=x, y=Y)
    assert found.inputs["n"].tolist() == [6, 4, 6, 6]
    assert any("counted from the zeros" in note for note in found.notes)


def test_what_the_layers_do_not_take_is_said(tmp_path: Path) -> None:
    found = read(tmp_path, x=X, y=Y, extra=X)
    assert list(found.extra) == ["extra"]
    assert any("extra (4, 6, 3) was not used" in note for note in found.notes)


def test_arrays_that_do_not_belong_together(tmp_path: Path) -> None:
    text = "x:floats; n:lengths; x > lstm(lengths=n) > last_valid(lengths=n) > fc:linear"
    with pytest.raises(InputError, match="the batch of x is 4, of n 3"):
        read(tmp_path, text, x=X, n=np.array([3, 3, 3]), y=Y)


def written(path: Path, name: str, text: str) -> Path:
    (path / name).write_text(text, encoding="utf-8")
    return path / name


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("header", ["", "a{0}b{0}c\n", "0{0}1{0}2\n"])
def test_a_pair_of_csv_files(separator: str, header: str, tmp_path: Path) -> None:
    model = lstm_head()
    x = random(1, 6, 3)
    arrays = np.load(model.save(tmp_path / "io.npz", lambda x: model.fc(model.lstm(x)[0]), x=x))
    paths = []
    for name, values in (("in.csv", x[0]), ("out.csv", arrays["output"][0])):
        rows = [separator.join(f"{value:.7f}" for value in row) for row in values]
        start = header.format(separator) if name == "in.csv" else ""
        paths.append(written(tmp_path, name, start + "\n".join(rows) + "\n\n"))
    assert model.check("lstm, fc:linear", *paths).passed
    last = written(tmp_path, "last.csv", f"{rows[-1]}\r\n")
    assert model.check(DEFAULT, paths[0], last).passed


def test_a_pair_of_npy_files(tmp_path: Path) -> None:
    for name, values in (("x", X), ("y", Y)):
        np.save(tmp_path / f"{name}.npy", values)
    found = read_expected([tmp_path / "x.npy", tmp_path / "y.npy"], described())
    assert np.array_equal(found.inputs["x"], X)
    assert np.array_equal(found.outputs["output"], Y)


@pytest.mark.parametrize(
    ("rows", "rounding"),
    [
        ("12.34,0.5\n0.12,7", [[0.005, 0.05], [0.005, 0.05]]),
        ("1.234e3,1\n1.234e-3,1", [[0.5, 0.0], [0.0000005, 0.0]]),
        ("0.12345678901234567,-2.5e-01\n1,.25", None),
    ],
)
def test_half_of_the_last_digit(rows: str, rounding: Any, tmp_path: Path) -> None:
    x = written(tmp_path, "x.csv", "1,2,3\n4,5,6.5")
    found = read_expected([x, written(tmp_path, "y.csv", rows)], described("lstm, fc:linear"))
    if rounding is None:
        assert found.rounding["output"][0, 0] <= 1e-16
    else:
        assert found.rounding["output"] == pytest.approx(np.array(rounding))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2,3\n4,x,6", "x.csv, row 2, column 2: expected a number, got 'x'"),
        ("1,2,3\n\n4,5", "x.csv, row 3: expected 3 cells as in row 1, got 2"),
        ("1,2,3\n4,,6", "row 2, column 2"),
        ("1,2,3\n4,nan,6", r"nan at \[1, 1\]"),
        ("1,2,3\n4,1e999,6", r"inf at \[1, 1\]"),
        ("a,b,c\n", "is empty"),
        ("", "is empty"),
        ("1,2\n3,4", r"expected \(batch, sequence_length, 3\), got \(2, 2\)"),
        ("\0\1\2", "no text"),
    ],
)
def test_bad_cells(text: str, said: str, tmp_path: Path) -> None:
    paths = [written(tmp_path, "x.csv", text), written(tmp_path, "y.csv", "1,2")]
    with pytest.raises(InputError, match=said):
        read_expected(paths, described())


def test_the_wrong_files(tmp_path: Path) -> None:
    csv = written(tmp_path, "x.csv", "1,2,3")
    with pytest.raises(InputError, match="give --expect twice"):
        read_expected([csv], described())
    with pytest.raises(OptionError, match="got 3"):
        read_expected([csv] * 3, described())
    with pytest.raises(InputError, match="there is none"):
        read_expected([tmp_path / "none.npz"], described())
    with pytest.raises(InputError, match="there is none"):
        read_expected([tmp_path, tmp_path], described())
    text = "x:floats; h0:state; x > gru(initial_h=h0) > fc:linear"
    model = Model(gru=nn.GRU(3, 4, batch_first=True), fc=nn.Linear(4, 1))
    with pytest.raises(InputError, match="a pair of files is for one input"):
        read_expected([csv, csv], described(text, model))


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_no_bytes_give_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = saved(folder, x=X, y=Y).read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    bodies = (bytes(damaged), data.draw(st.binary(max_size=40)), b"\x93NUMPY" + bytes(damaged[:60]))
    for body in bodies:
        (folder / "any").write_bytes(body)
        for paths in ([folder / "any"], [folder / "any"] * 2):
            with contextlib.suppress(LstmExportError):
                read_expected(paths, described())
