"""What is measured, who takes part, and who is named as missing; not how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lstm_export.bench.field import Field
from lstm_export.bench.inputs import default_length, feeds_for
from lstm_export.bench.limit import Peak
from lstm_export.bench.measure import measure, timed
from lstm_export.bench.subject import open_subject
from lstm_export.bench.torch_side import torch_contenders
from lstm_export.errors import BundleError, OptionError

SHORT: dict[str, Any] = {"seconds": 0.001}
PEAK = Peak(1e9, 2e9, 4, 1e-6)

pytestmark = pytest.mark.usefixtures("brief_timing")


def names(measurement: dict[str, Any]) -> set[str]:
    """Contenders without their numbers of threads, which depend on the machine."""
    taking_part = {timing["name"].split(", ")[0] for timing in measurement["timings"]}
    return taking_part | {name.split(", ")[0] for name in measurement["missing"]}


def test_the_bundle_of_a_run(run_bundle: Path) -> None:
    before = torch.get_num_threads()
    result = measure(run_bundle, batches=(1, 3), horizon=4, **SHORT)
    assert torch.get_num_threads() == before
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert document["kind"] == "bundle of a run"
    uses = [(one["use"], one["batch"], one["length"]) for one in document["measurements"]]
    shapes = [("sequences", 8), ("stream", 1), ("forecast", 4)]
    assert uses == [(use, batch, length) for batch in (1, 3) for use, length in shapes]
    sequences, stream, forecast, *_ = document["measurements"]
    eager = "torch (same sizes"
    assert names(sequences) == {"ours", "own graph", "OpenVINO", eager, "stock graph"}
    assert names(stream) == {
        *("ours", "stream graph", eager, "torch cells (recurrent layers alone)")
    }
    assert names(forecast) == {"ours", "stream graph", eager}
    for one in document["measurements"]:
        assert one["times_the_floor"] > 0
        for timing in one["timings"]:
            assert timing["seconds"]["low"] <= timing["seconds"]["value"]
            assert (timing["ratio"] is None) == (timing["name"] == "ours")
            # Those who run the same graph give the same answer; another model is not compared.
            compared = timing["difference"] is not None
            assert compared <= ("graph, run" in timing["name"] or "per step" in timing["name"])
            assert not compared or timing["difference"] < 1e-5
    assert document["notes"] == []
    assert {"numpy", "onnxruntime", "torch", "onnx", "openvino", "python"} == set(
        document["versions"]
    )


def test_the_bundle_of_a_module_and_its_true_model(
    module_bundle: Path, tagger: nn.Module, tmp_path: Path
) -> None:
    alone = measure(module_bundle, batches=(2,), lengths=(4,), **SHORT).to_dict()
    (sequences,) = alone["measurements"]
    assert "torch (recurrent layers alone)" in names(sequences)
    source = tmp_path / "net.py"
    torch.save(tagger.state_dict(), tmp_path / "weights.pt")
    code = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
    start = code.index("class Tagger")
    source.write_text(
        "import torch\nfrom torch import Tensor, nn\n\n"
        + code[start : code.index("@pytest.fixture", start)]
        + "def build():\n    net = Tagger()\n"
        f"    net.load_state_dict(torch.load({str(tmp_path / 'weights.pt')!r}))\n    return net\n"
        "def other():\n    torch.manual_seed(7)\n    return Tagger()\n"
    )
    true = measure(module_bundle, batches=(2,), lengths=(4,), against=f"{source}:build", **SHORT)
    assert true.notes == ()
    differences = {t.name: t.difference for one in true.measurements for t in one.timings}
    assert all(value < 1e-5 for name, value in differences.items() if "torch" in name if value)
    other = measure(module_bundle, batches=(2,), lengths=(4,), against=f"{source}:other", **SHORT)
    assert any("torch, 1 thread answers differently" in note for note in other.notes)


def test_a_bare_file_without_torch_and_openvino(
    module_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("torch", "openvino"):
        monkeypatch.setitem(sys.modules, package, None)
    (found,) = measure(
        module_bundle / "model.onnx", batches=(1,), lengths=(3,), **SHORT
    ).measurements
    assert [timing.name for timing in found.timings] == ["ours", "own graph, run"]
    assert found.missing == {
        "torch": "torch is not installed: pip install 'lstm-export[train]'",
        "stock graph, run": "torch is not installed: pip install 'lstm-export[train]'",
        "OpenVINO, float32": "openvino is not installed: pip install openvino",
    }
    with pytest.raises(OptionError, match="needs torch, which is not installed"):
        measure(module_bundle, against="net.py:build", **SHORT)


def test_a_planted_slow_contender_is_seen_as_slower(make_clock: Callable[..., Any]) -> None:
    clock = make_clock(drift=0.3)
    field = Field("sequences", 1, 10, flops=4e6)
    field.enter("ours", clock.work(4e-3))
    field.enter("slow", clock.work(12e-3))
    found = timed(field, seconds=1.0, clock=clock)
    ours, slow = found.timings
    assert ours.ratio is None
    assert slow.ratio is not None
    assert slow.ratio.low > 2.5
    assert slow.ratio.value == pytest.approx(3, rel=0.1)
    assert found.times_the_floor(PEAK) == pytest.approx(ours.seconds.value / 2e-3)


def test_a_hopeless_number_of_threads_is_left_out(make_clock: Callable[..., Any]) -> None:
    clock, before = make_clock(), torch.get_num_threads()

    def stuck() -> None:
        clock.now += 0.001 if torch.get_num_threads() == 1 else 0.4

    try:
        entered, left_out = torch_contenders("torch", stuck, clock=clock)
    finally:
        torch.set_num_threads(before)
    assert [one.name for one in entered] == ["torch, 1 thread"]
    assert [f"{why}" for why in left_out.values()] in (
        [],  # a machine of one core
        ["400 times slower than with 1 thread"],
    )


def test_inputs_are_such_as_the_model_takes(module_bundle: Path, run_bundle: Path) -> None:
    subject = open_subject(module_bundle)
    feeds = feeds_for(subject, "model.onnx", 3, 20)
    assert feeds["tokens"].shape == (3, 20)
    assert feeds["tokens"].dtype == np.int64
    assert 0 <= feeds["tokens"].min() <= feeds["tokens"].max() < 7
    assert feeds["extra"].shape == (3, 20, 5)
    again = feeds_for(subject, "model.onnx", 3, 20)
    assert all(np.array_equal(feeds[name], again[name]) for name in feeds)
    run = open_subject(run_bundle)
    assert default_length(run) == 8
    with pytest.raises(OptionError, match="--length 2: the model needs at least 3 steps"):
        feeds_for(run, "model.onnx", 1, 2)


def test_refusals_come_before_anything_is_timed(run_bundle: Path, tmp_path: Path) -> None:
    for options, message in (
        ({"batches": (0,)}, "--batch must be an integer ≥ 1, got 0"),
        ({"lengths": (5, 5)}, "--length names a size twice"),
        ({"horizon": 0}, "--horizon must be"),
        ({"seconds": 0.0}, "--seconds must be a number above 0"),
        ({"seconds": float("nan")}, "--seconds must be a number above 0"),
        ({"lengths": (9, 2)}, "needs at least 3 steps"),
        ({"against": str(tmp_path)}, "that folder is no training run"),
        ({"against": "nowhere"}, "expected a run folder, or model.py:name"),
    ):
        with pytest.raises(OptionError, match=message):
            measure(run_bundle, **{**SHORT, **options})  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="there is no bundle"):
        measure(tmp_path / "absent", **SHORT)


def test_the_speed_table_names_its_rows() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "inference.py"
    command = [sys.executable, str(script), "--rows", "nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no row 'nonsense'; the rows are single, long" in done.stderr
