"""The programs written for a bundle: the right names and numbers, and Python's runs.

That all of them are compiled, run and compared is tests/runtimes/test_examples.py.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import open_bundle
from lstm_export.cli.main import run
from lstm_export.contract import GraphSpec, TensorSpec
from lstm_export.errors import BundleError, OutputError
from lstm_export.exporting.examples import languages
from lstm_export.exporting.examples.inputs import example_inputs, states_of
from lstm_export.exporting.examples.programs import inputs_by_graph, write_examples

SUNSPOTS = Path(__file__).resolve().parents[2] / "artifacts" / "sunspots" / "bundle"
ODD = 'a"b\\c?d%s\n*/ """ ${x} é'


def case(graph: str, name: str, **inputs: object) -> GoldenCase:
    return GoldenCase(graph, name, {n: np.asarray(v) for n, v in inputs.items()}, {}, {})


def test_every_graph_has_three_short_programs_with_its_names(tmp_path: Path) -> None:
    bundle = open_bundle(SUNSPOTS)
    paths = write_examples(SUNSPOTS, tmp_path / "examples")
    assert sorted(path.name for path in paths) == sorted(
        f"{stem}.{language}"
        for stem in ("model", "stream", "forecast")
        for language in ("py", "mjs", "c")
    )
    for path in paths:
        text = path.read_text()
        assert len(text.splitlines()) < 60
        assert text.endswith("\n")
        for tensor in bundle.manifest.graphs[f"{path.stem}.onnx"].inputs:
            assert json.dumps(tensor.name) in text
        assert "sunspots [sunspot number]" in text
        assert "lstm_export" not in text
    assert bundle.damages() == ()


def test_pythons_program_runs_from_anywhere(tmp_path: Path) -> None:
    write_examples(SUNSPOTS, tmp_path / "examples")
    command = [sys.executable, "-W", "error", str(tmp_path / "examples" / "stream.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    starts = ["output [3, 7, 1, 1] ", "final_h [1, 3, 32] ", "final_rows [3, 1, 1] "]
    assert [line[: line.index("]") + 2] for line in lines] == starts * 2
    # The first chunk has no row before it to take a difference from; the second has.
    assert lines[0] != lines[3]


def test_a_bundle_and_programs_that_are_there_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="whose files its manifest covers"):
        write_examples(SUNSPOTS, SUNSPOTS / "examples")
    write_examples(SUNSPOTS, tmp_path)
    (tmp_path / "model.c").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_examples(SUNSPOTS, tmp_path)
    assert (tmp_path / "model.c").read_text() == "mine"
    write_examples(SUNSPOTS, tmp_path, force=True)
    assert (tmp_path / "model.c").read_text() != "mine"


def test_the_command_lists_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["examples", str(SUNSPOTS), "--out", str(tmp_path / "programs"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["bundle"] == str(SUNSPOTS)
    assert str(tmp_path / "programs" / "model.mjs") in document["programs"]
    assert run(["examples", str(tmp_path), "--out", str(tmp_path / "others")]) == 2
    assert "is not a bundle" in capsys.readouterr().err


def test_export_puts_them_beside_the_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(source: str, out: Path, **options: object) -> Manifest:
        shutil.copytree(SUNSPOTS, out)
        return open_bundle(out).manifest

    monkeypatch.setattr("lstm_export.bundling.export_bundle", copied)
    source = str(SUNSPOTS.with_name("run"))
    arguments = ["export", source, "--out", str(tmp_path / "bundle"), "--examples"]
    beside = tmp_path / "bundle-examples"
    beside.mkdir()
    (beside / "mine").write_text("")
    assert run(arguments) == 2
    assert "holds other files (mine)" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()
    (beside / "mine").unlink()
    assert run(arguments) == 0
    assert f"examples  {beside}: model.py model.mjs model.c" in capsys.readouterr().out
    assert 'parent / "../bundle/model.onnx"' in (beside / "model.py").read_text()


def test_numbers_come_from_a_golden_case_without_a_size_of_one() -> None:
    spec = GraphSpec(
        (
            TensorSpec("tokens", "int64", ("batch", "sequence_length")),
            TensorSpec("scale", "float32", ()),
        ),
        (),
    )
    tokens = np.arange(6).reshape(2, 3)
    cases = [
        case("model.onnx", "one", tokens=tokens[:1], scale=np.float32(1)),
        case("other.onnx", "another", tokens=tokens + 5, scale=np.float32(1)),
        case("model.onnx", "unknown", tokens=tokens, scale=np.float32(np.nan)),
        case("model.onnx", "two", tokens=tokens, scale=np.float32(0.123456)),
    ]
    first, second = example_inputs("model.onnx", spec, cases, {})
    np.testing.assert_array_equal(first.array, tokens)
    assert second.array.dtype == np.float32
    assert second.array == np.float32(0.1235)
    (alone, _) = example_inputs("model.onnx", spec, cases[:1], {})
    assert alone.sizes == (1, 3)
    with pytest.raises(BundleError, match=r"no case of finite inputs for model\.onnx"):
        example_inputs("model.onnx", spec, cases[1:3], {})


def test_a_stream_begins_where_its_sequences_begin() -> None:
    state = TensorSpec("initial_h", "float32", (2, "batch", 2))
    other = TensorSpec("initial_c", "float32", (1, "batch", 2))
    spec = GraphSpec(
        (TensorSpec("x", "float32", ("batch", "sequence_length")), state, other),
        (TensorSpec("final_h", "float32", state.axes), TensorSpec("final_c", "float32", ())),
    )
    x, h = np.ones((3, 4), np.float32), np.full((2, 3, 2), 9, np.float32)
    cases = [case("stream.onnx", "states", x=x, initial_h=h, initial_c=h[:1])]
    start = {"initial_h": ((1.5, 2.0), (3.0, 4.25))}
    found = {one.spec.name: one for one in example_inputs("stream.onnx", spec, cases, start)}
    begins = np.broadcast_to(np.array(start["initial_h"])[:, None], (2, 3, 2))
    np.testing.assert_array_equal(found["initial_h"].array, begins)
    np.testing.assert_array_equal(found["initial_c"].array, np.zeros((1, 3, 2)))
    assert found["x"].numbers.tolist() == [1.0]
    assert states_of("stream.onnx", spec) == {"initial_h": "final_h", "initial_c": "final_c"}
    assert states_of("model.onnx", spec) == {}


def test_any_text_is_a_literal_in_every_language() -> None:
    assert ast.literal_eval(languages.python_text(ODD)) == ODD
    assert json.loads(languages.javascript_text(ODD)) == ODD
    assert languages.c_text('é"\\?\n%') == '"\\303\\251\\042\\134\\077\\012%"'
    plain = languages.remark(ODD)
    assert plain.isprintable()
    assert not any(sign in plain for sign in ("*/", "\\", '"""'))
    assert len(languages.remark("long " * 100)) == 90


def test_literals_give_the_same_float32_again() -> None:
    values = np.array([1 / 3, 1e-8, 16777216.0, -0.0], np.float32)
    text = languages.numbers(values, 0)
    np.testing.assert_array_equal(np.array(text.split(", "), np.float32), values)
    assert languages.numbers(np.array([True, False]), 0) == "1, 0"
    assert languages.numbers(np.array([3, 4]), 0, suffix="n") == "3n, 4n"
    assert max(map(len, languages.numbers(np.arange(90), 9).splitlines())) <= 100


def test_inputs_of_every_graph_have_its_shapes() -> None:
    bundle = open_bundle(SUNSPOTS)
    for graph, given in inputs_by_graph(bundle).items():
        for one, tensor in zip(given, bundle.manifest.graphs[graph].inputs, strict=True):
            assert one.array.dtype == tensor.dtype
            assert one.array.ndim == len(tensor.axes)
