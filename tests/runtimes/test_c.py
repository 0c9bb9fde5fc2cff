"""onnxruntime's C API through our own program: the numbers, the refusals, and bad messages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lstm_export.bundle.golden import GoldenCase, read_golden
from lstm_export.bundle.read import open_bundle
from lstm_export.compare.tensors import compare_outputs
from lstm_export.errors import OptionError, OutputError
from lstm_export.parity.frames import DTYPES, written
from lstm_export.parity.runtimes import c
from lstm_export.parity.runtimes.isolated import Isolated
from lstm_export.parity.runtimes.registry import CrashedError, RefusedError, Subject
from lstm_export.parity.trial import run_in_chunks

BUNDLES = sorted((Path(__file__).resolve().parents[2] / "artifacts").glob("*/bundle"))
SUNSPOTS = next(path for path in BUNDLES if path.parent.name == "sunspots")


@pytest.fixture(autouse=True)
def needed(need: Callable[[str], None]) -> None:
    need("c")


@contextmanager
def opened(bundle: Path, graph: str = "model.onnx", path: Path | None = None) -> Iterator[Isolated]:
    whole = open_bundle(bundle)
    content, contract = whole.read(graph), whole.manifest.contract(graph)
    runner = c.open_graph(Subject(graph, content, path or bundle / graph, contract))
    assert isinstance(runner, Isolated)
    try:
        yield runner
    finally:
        runner.close()


def golden(bundle: Path, graph: str) -> list[GoldenCase]:
    cases = read_golden(open_bundle(bundle).read("golden.npz"), "golden.npz")
    return [case for case in cases if case.graph == graph]


def asked(message: bytes) -> subprocess.CompletedProcess[bytes]:
    """What the program says to bytes, with the model of the sunspots loaded."""
    command = [c.compiled(c.SOURCE), c.shared_library(), SUNSPOTS / "model.onnx"]
    return subprocess.run(list(map(str, command)), input=message, capture_output=True, check=False)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.parent.name)
def test_one_loaded_model_gives_every_golden_value(bundle: Path) -> None:
    for graph in open_bundle(bundle).manifest.graphs:
        with opened(bundle, graph) as runner:
            cases = golden(bundle, graph)
            assert cases
            for case in cases:
                got = runner(case.inputs)
                results = compare_outputs(got, case.oracle, case.torch)
                assert all(one.passed for one in results), [one.reason for one in results]


def test_integers_go_in_and_states_go_round() -> None:
    tokens = next(path for path in BUNDLES if path.parent.name == "tokens")
    spec = open_bundle(tokens).manifest.graphs["stream.onnx"]
    case = next(case for case in golden(tokens, "stream.onnx") if "length7" in case.name)
    assert case.inputs["tokens"].dtype == np.int64
    with opened(tokens, "stream.onnx") as runner:
        got = run_in_chunks(runner, spec, case.inputs, (1, 2, 4))
    assert all(one.passed for one in compare_outputs(got, case.oracle, case.torch))


def test_every_type_scalars_and_nothing_at_all_come_back_as_they_went(tmp_path: Path) -> None:
    import onnx
    from onnx import helper

    given = {name: np.array([[0, 1], [1, 0]], name) for name in DTYPES}
    given |= {"scalar": np.array(-3, np.int64), "nothing": np.zeros((0, 3), np.float32)}
    kinds = {
        n: (helper.np_dtype_to_tensor_dtype(v.dtype), v.ndim * [None]) for n, v in given.items()
    }
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], [f"{name}_out"]) for name in given],
        "identities",
        [helper.make_tensor_value_info(name, *kind) for name, kind in kinds.items()],
        [helper.make_tensor_value_info(f"{name}_out", *kind) for name, kind in kinds.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "all.onnx")
    with opened(SUNSPOTS, path=tmp_path / "all.onnx") as runner:
        got = runner(given)
    assert list(got) == [f"{name}_out" for name in given]
    for name, value in given.items():
        assert got[f"{name}_out"].dtype == value.dtype
        np.testing.assert_array_equal(got[f"{name}_out"], value)


def test_a_refused_run_is_in_the_runtimes_own_words_and_the_next_one_is_answered() -> None:
    case = golden(SUNSPOTS, "model.onnx")[0]
    with opened(SUNSPOTS) as runner:
        with pytest.raises(RefusedError, match="Invalid input name: y"):
            runner({"y": np.zeros(3, np.int64)})
        with pytest.raises(RefusedError, match="data type"):
            runner({"x": case.inputs["x"].astype(np.float64)})
        assert runner(case.inputs)["output"].shape == case.oracle["output"].shape


def test_a_refused_model_is_in_the_runtimes_own_words(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes((SUNSPOTS / "model.onnx").read_bytes()[:-100])
    with (
        pytest.raises(RefusedError, match=r"^c: .*broken\.onnx failed"),
        opened(SUNSPOTS, path=tmp_path / "broken.onnx"),
    ):
        pass


def test_a_library_that_is_none_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(c.LIBRARY_VARIABLE, "/nowhere/libonnxruntime.so")
    with pytest.raises(RefusedError, match=r"/nowhere/libonnxruntime\.so"), opened(SUNSPOTS):
        pass


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"walk 1\n", 'expected run and a number, got "walk 1"'),
        (b"run x\n", 'expected a number, got "run x"'),
        (b"run 1001\n", "expected at most 1000 tensors"),
        (b"run 1", "expected a line"),
        (b"run 1\n", 'expected a tensor, got "the end of the input"'),
        (b"run 1\nx float99 1 3\n", "expected a tensor's name and dtype"),
        (b"run 1\nx float32 2 3\n", "expected a number"),
        (b"run 1\nx float32 1 3 4\n", "no more sizes than the rank says"),
        (b"run 1\nx float32 1 -3\n", "expected a number"),
        (b"run 1\nx float32 65 " + b"1 " * 65 + b"\n", "expected at most 64 axes"),
        (b"run 1\nx float32 2 200000000000000 200000000000000\n", "that fits in memory"),
        (b"run 1\nx float32 1 3\nabc", "expected all bytes of a tensor"),
    ],
)
def test_bytes_that_are_no_message_end_it_with_a_reason(message: bytes, said: str) -> None:
    done = asked(message)
    assert done.stdout == b"ready 0\n"
    assert said in done.stderr.decode()
    assert done.returncode == 2


def test_it_ends_where_its_input_ends() -> None:
    case = golden(SUNSPOTS, "model.onnx")[0]
    done = asked(written("run", case.inputs))
    assert done.returncode == 0
    assert done.stdout.startswith(b"ready 0\nok 1\noutput float32 3 1 1 1\n")
    assert done.stderr == b""


def test_a_program_that_dies_is_a_crash_and_the_next_run_starts_another() -> None:
    case = golden(SUNSPOTS, "model.onnx")[0]
    with opened(SUNSPOTS) as runner:
        assert runner._process is not None
        runner._process.kill()
        with pytest.raises(CrashedError, match="SIGKILL"):
            runner(case.inputs)
        assert runner(case.inputs)


def test_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program = c.compiled(c.SOURCE)
    monkeypatch.setattr(c, "_compile", lambda command: pytest.fail(f"compiled again: {command}"))
    assert c.compiled(c.SOURCE) == program


def test_what_the_compiler_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "wrong.c").write_text("int main(void) { return nothing; }\n")
    with pytest.raises(OptionError, match=r"wrong\.c.* failed: .*nothing"):
        c.compiled(tmp_path / "wrong.c")


def test_a_cache_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSTM_EXPORT_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="set LSTM_EXPORT_CACHE"):
        c.compiled(c.SOURCE)


def test_status_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert re.match(r"\d+\.\d+", c.status().version)
    monkeypatch.setenv("CC", str(tmp_path / "no-compiler"))
    found = c.status()
    assert not found.installed
    assert "a C compiler: apt-get install gcc" in found.how_to_get
    with pytest.raises(OptionError, match="a C compiler"), opened(SUNSPOTS):
        pass


def positions(headers: Path, scratch: Path) -> str:
    """Where a header has what ours declares: positions in the table, constants."""
    ours = (c.SOURCE.parent / c.HEADER).read_text()
    functions = re.findall(r"\(\*(\w+)\)\(", ours.partition("typedef struct OrtApi {")[2])
    functions = [name for name in functions if name not in ("GetApi", "GetVersionString")]
    constants = re.findall(r"\b(\w+) = \d+", ours)
    assert len(functions) > 20
    assert len(constants) > 12
    lines = [f'printf("{n} %zu\\n", offsetof(OrtApi, {n}) / sizeof(void *));' for n in functions]
    lines += [f'printf("{n} %d\\n", (int){n});' for n in constants]
    lines += [f'printf("{n} %zu\\n", offsetof(OrtApiBase, {n}));' for n in ("GetVersionString",)]
    scratch.mkdir()
    source, program = scratch / "positions.c", scratch / "positions"
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <onnxruntime_c_api.h>\n"
        "int main(void) {\n" + "\n".join(lines) + "\nreturn 0;\n}\n"
    )
    command = [*(c.compiler() or ()), "-I", headers, "-o", program, source]
    subprocess.run(list(map(str, command)), check=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


def test_every_gap_of_our_header_stands_where_its_name_says(tmp_path: Path) -> None:
    found = dict(
        line.split() for line in positions(c.SOURCE.parent, tmp_path / "ours").splitlines()
    )
    text = (c.SOURCE.parent / c.HEADER).read_text()
    for start, length, after in re.findall(r"gap_(\d+)\[(\d+)\];\s+[\w *(]+\(\*(\w+)\)", text):
        assert int(found[after]) == int(start) + int(length), after
    assert found["Run"] == "9"
    assert found["ReleaseSessionOptions"] == "100"


def test_our_header_agrees_with_the_real_one(tmp_path: Path) -> None:
    real = c.header_folder()
    if real == c.SOURCE.parent:
        pytest.skip("no onnxruntime_c_api.h here: apt-get install libonnxruntime-dev, or CPATH=…")
    assert positions(real, tmp_path / "real") == positions(c.SOURCE.parent, tmp_path / "ours")
