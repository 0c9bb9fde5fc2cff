"""verify: what passes, what it takes to fail, and what it needs to run."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from lstm_export.bundle.manifest import Manifest, ParitySummary
from lstm_export.errors import (
    BundleError,
    CheckpointError,
    NewerFormatError,
    OptionError,
)
from lstm_export.parity.report import ParityReport
from lstm_export.parity.verify import verify

FILES = ("manifest.json", "model.onnx", "stream.onnx", "golden.npz", "README.md")


def checks(report: ParityReport) -> set[str]:
    return {failure.check for failure in report.failures}


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn", "projected", "bidirectional"])
def test_a_bundle_holds_against_its_run(made: Any, kind: str) -> None:
    report = verify(made(kind).bundle, against=made(kind).run)
    assert report.passed, report.failures
    others = {
        "lstm": ("stream.onnx",),  # direct models do not feed back
        "rnn": ("stream.onnx",),
        "bidirectional": ("ragged.onnx",),
    }.get(kind, ("stream.onnx", "forecast.onnx"))
    golden = {"stream.onnx": 4, "forecast.onnx": 4, "ragged.onnx": 4}
    live = {"stream.onnx": 96, "forecast.onnx": 108, "ragged.onnx": 48}
    expected = {
        "golden": 5 + sum(golden[name] for name in others),
        "live": 48 + sum(live[name] for name in others),
    }
    expected |= {"chunked": 6} if "stream.onnx" in others else {}
    assert report.counts == expected
    graphs = {one.graph for one in report.worst_by_output()}
    assert graphs == {"model.onnx", *others}
    live = {c.case for c in report.comparisons if c.check == "live" and c.graph == "model.onnx"}
    shortest = {"lstm": 2, "gru": 1, "rnn": 3, "projected": 1, "bidirectional": 2}[kind]
    history = shortest + 5
    for batch in (1, 2, 3, 17):
        for length in (shortest, history, history + 1, 500):
            for scale in ("tiny", "typical", "large"):
                assert f"batch{batch}-length{length}-{scale}" in live
    # torch was really there: its error differs from ours somewhere, and is not zero everywhere.
    own = [one.comparison.torch_max_abs_error for one in report.comparisons]
    assert None not in own
    assert any(own)


def test_without_a_run_the_golden_values_are_replayed(made: Any) -> None:
    report = verify(made("lstm").bundle)
    assert report.passed
    assert report.counts == {"golden": 9}
    assert report.against is None
    assert report.runtimes == ("onnxruntime",)
    assert "torch" not in report.versions


def test_the_report_is_json_and_sums_itself_up(made: Any) -> None:
    report = verify(str(made("lstm").bundle), against=str(made("lstm").run))
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert document["passed"] is True
    assert document["counts"] == report.counts
    assert len(document["comparisons"]) == len(report.comparisons)
    assert {"graph", "output", "cases", "failed", "worst_error", "bound"} <= set(
        document["outputs"][0]
    )
    summary = report.summary()
    assert isinstance(summary, ParitySummary)
    assert summary.passed
    assert summary.cases == sum(report.counts.values())
    assert 0 < summary.worst_error <= summary.worst_bound


def test_fixed_tolerances_take_the_rules_place(made: Any) -> None:
    exact = verify(made("lstm").bundle, atol=0.0)
    assert checks(exact) == {"golden"}
    assert exact.rule == "error ≤ 0 + 0 × |reference|"
    assert verify(made("lstm").bundle, atol=1e-3).passed


def test_torch_and_the_oracle_can_be_verified_as_well(made: Any) -> None:
    names = ("onnxruntime", "torch", "oracle")
    kind = made("bidirectional")
    report = verify(kind.bundle, against=kind.run, runtimes=names)
    assert report.passed, report.failures
    worst = {one.runtime: one.worst.comparison for one in report.worst_by_output()}
    assert set(worst) == set(names)
    assert worst["torch"].severity <= 0.25
    assert worst["oracle"].severity < 0.05


def test_a_run_with_other_weights_is_noticed(made: Any, other_run: Callable[[str], Path]) -> None:
    report = verify(made("rnn").bundle, against=other_run("rnn"))
    assert checks(report) == {"live", "chunked"}
    assert any("model.onnx in onnxruntime, output output" in str(f) for f in report.failures)


def test_a_run_of_other_terms_is_noticed(made: Any) -> None:
    report = verify(made("lstm").bundle, against=made("gru").run)
    assert {"contract", "live", "runtime"} <= checks(report)
    assert any("forecast.recurrent.cell is 'lstm', not 'gru'" in str(f) for f in report.failures)
    assert report.errors
    assert {error.graph for error in report.errors} == {"stream.onnx"}


def test_a_bundle_that_says_it_is_of_another_run(made: Any, rewrite: Any) -> None:
    def change(manifest: Manifest) -> Manifest:
        return replace(manifest, provenance=replace(manifest.provenance, seed=7))

    report = verify(rewrite(made("lstm").bundle, manifest=change), against=made("lstm").run)
    assert checks(report) == {"provenance"}
    assert "seed is 7, not 0" in str(report.failures[0])


def test_state_that_is_lost_between_chunks_is_noticed(made: Any, rewrite: Any) -> None:
    # The graph ignores initial_h, which only a random state or a second chunk can show.
    def change(model: onnx.ModelProto) -> None:
        (node,) = (n for n in model.graph.node if n.op_type == "LSTM")
        zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
        model.graph.initializer.append(zero)
        position = list(model.graph.node).index(node)
        lost = onnx.helper.make_node("Mul", [node.input[5], "zero"], ["lost"])
        node.input[5] = "lost"
        model.graph.node.insert(position, lost)

    report = verify(rewrite(made("lstm").bundle, {"stream.onnx": change}), against=made("lstm").run)
    assert checks(report) == {"golden", "live", "chunked"}
    failed = {c.case for c in report.comparisons if c.check == "live" and not c.comparison.passed}
    assert failed
    assert {case.rsplit("-", 1)[1] for case in failed if "length1-" in case} == {"random"}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_in_any_file_is_noticed(made: Any, data: st.DataObject) -> None:
    bundle = made("lstm").bundle
    name = data.draw(st.sampled_from(FILES))
    body = (bundle / name).read_bytes()
    place = data.draw(st.integers(0, len(body) - 1))
    change = data.draw(st.integers(1, 255))
    changed = bytearray(body)
    changed[place] ^= change
    with broken(bundle, name, bytes(changed)) as folder:
        try:
            report = verify(folder)
        except NewerFormatError:
            # The version is read before anything else, so that an older reader says the truth.
            assert name == "manifest.json"
            return
    assert not report.passed
    assert checks(report) <= {"checksum", "contract"}
    # A contract that cannot be read comes before its checksum; every other byte is the latter's.
    assert name == "manifest.json" or checks(report) == {"checksum"}
    assert any(name in failure.message for failure in report.failures)


@pytest.mark.parametrize("name", FILES)
def test_a_shortened_file_is_noticed(made: Any, name: str) -> None:
    body = (made("lstm").bundle / name).read_bytes()
    for length in (0, 1, len(body) // 2, len(body) - 1):
        with broken(made("lstm").bundle, name, body[:length]) as folder:
            report = verify(folder)
        assert not report.passed
        assert "checksum" in checks(report)


def test_files_that_came_or_went_are_noticed(made: Any, tmp_path: Path) -> None:
    folder = shutil.copytree(made("lstm").bundle, tmp_path / "bundle")
    (folder / "README.md").unlink()
    (folder / "model.onnx.bak").write_bytes(b"")
    report = verify(folder)
    text = "\n".join(map(str, report.failures))
    assert checks(report) == {"checksum"}
    assert "README.md is listed in the manifest but missing" in text
    assert "model.onnx.bak is not listed" in text
    # What is intact was still replayed.
    assert report.counts == {"golden": 9}


def test_a_damaged_graph_is_not_opened(made: Any) -> None:
    body = (made("lstm").bundle / "model.onnx").read_bytes()
    with broken(made("lstm").bundle, "model.onnx", body[:-1] + b"\xff") as folder:
        report = verify(folder)
    assert checks(report) == {"checksum"}
    assert {one.graph for one in report.comparisons} == {"stream.onnx"}


def test_questions_that_make_no_sense_are_refused(made: Any, tmp_path: Path) -> None:
    bundle = made("lstm").bundle
    with pytest.raises(
        OptionError, match=r"no runtime 'tensorrt'; known are oracle, torch, onnxruntime"
    ):
        verify(bundle, runtimes=["tensorrt"])
    for runtimes in ([], "onnxruntime"):
        with pytest.raises(OptionError, match="a list of at least one name"):
            verify(bundle, runtimes=runtimes)
    with pytest.raises(OptionError, match="computes from a run's weights: add --against"):
        verify(bundle, runtimes=["torch"])
    with pytest.raises(OptionError, match="expected the path of a run, got dict"):
        verify(bundle, against={})  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="atol"):
        verify(bundle, atol=math.nan)
    with pytest.raises(BundleError, match="there is no bundle"):
        verify(tmp_path / "nowhere")
    with pytest.raises(BundleError, match="is not a bundle"):
        verify(tmp_path)
    with pytest.raises(CheckpointError, match="holds no finished training run"):
        verify(bundle, against=tmp_path)


def test_it_runs_with_numpy_and_onnxruntime_alone(made: Any) -> None:
    program = """
        import sys
        for name in ("torch", "onnx", "safetensors", "scipy", "pandas", "polars", "matplotlib"):
            sys.modules[name] = None
        from lstm_export.errors import MissingExtraError
        from lstm_export.parity.verify import verify
        bundle, run = sys.argv[1:]
        assert verify(bundle).passed
        try:
            verify(bundle, against=run)
        except MissingExtraError as error:
            assert "lstm-export[train]" in str(error), error
        else:
            raise AssertionError("--against did without torch")
    """
    arguments = [str(made("lstm").bundle), str(made("lstm").run)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


class broken:  # noqa: N801
    """A copy of a bundle in which one file has other bytes, for the length of a block."""

    def __init__(self, bundle: Path, name: str, body: bytes) -> None:
        self.bundle, self.name, self.body = bundle, name, body

    def __enter__(self) -> Path:
        self.folder = self.bundle.parent / "broken"
        shutil.copytree(self.bundle, self.folder)
        (self.folder / self.name).write_bytes(self.body)
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)
