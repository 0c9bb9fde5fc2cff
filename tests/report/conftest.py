"""A small finished run and a verification, made by hand: no training, no torch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lstm_export.bench.cold_start import ColdStart
from lstm_export.bench.latency import Latency
from lstm_export.bench.timings import Timings
from lstm_export.checkpoint import Description, write_checkpoint
from lstm_export.compare.tensors import compare
from lstm_export.contract import (
    Column,
    DataOrigin,
    Forecast,
    Recurrent,
    Scaling,
    TimeAxis,
    Window,
)
from lstm_export.data.series import Segment, Series
from lstm_export.data.write import csv_text
from lstm_export.parity.cases import CaseComparison, CaseError
from lstm_export.parity.features import Feature
from lstm_export.parity.report import Failure, KeptCase, ParityReport

HOSTILE = '<script>alert("x")</script> $y_1$ & \x07'


@pytest.fixture(params=["level", HOSTILE], ids=["plain", "hostile"])
def target(request: pytest.FixtureRequest) -> str:
    """A name that a column may have."""
    return str(request.param)


@pytest.fixture
def series(target: str) -> Series:
    rows = 200
    values = np.sin(np.arange(rows) / 5)[:, None]
    return Series(
        features=(target,),
        targets=(target,),
        values=values,
        target_values=values,
        segments=(Segment("", 0, 120), Segment("", 120, rows)),
        time=TimeAxis("year", "row", 1, "number"),
        timestamps=[str(1800 + i) for i in range(rows)],
        notes=(),
    )


@pytest.fixture
def run(tmp_path: Path, target: str) -> Path:
    """A run folder with everything that training leaves."""
    folder = tmp_path / "run"
    folder.mkdir()
    column = Column(target, "m & <b>", -1.0, 1.0)
    scaling = Scaling("standard", (0.0,), (1.0,))
    terms = Forecast(
        (column,),
        (column,),
        Window(8, 1, 1),
        scaling,
        scaling,
        Recurrent("lstm", 1, 4),
        TimeAxis("year", "row", 1, "number"),
    )
    methods = ("model", "naive", "seasonal naive", "drift")
    scores = {name: {target: {"rmse": 1.5 + i, "mae": 1.25 + i}} for i, name in enumerate(methods)}
    metrics = {
        "test": scores,
        "test_one_step": scores,
        "season": 31,
        "windows": {"train": 100, "validation": 20, "test": 40},
        "parameters": 117,
        "best_epoch": 2,
        "epochs": 3,
        "validation_loss": 0.5,
    }
    origin = DataOrigin(f"{target}.csv", "0" * 64, 200)
    weights = {"head.bias": np.zeros(1, np.float32)}
    write_checkpoint(folder, Description(terms, origin, 0, metrics, {}), weights)
    lines = [
        {"epoch": i, "train_loss": 1 / i, "validation_loss": 0.5 + abs(i - 2)} for i in (1, 2, 3)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    values = np.arange(40.0)
    columns = {
        "time": [1960 + i for i in range(40)],
        "series": [""] * 40,
        f"{target} truth": values.tolist(),
        f"{target} prediction": (values + 1).tolist(),
        f"{target} naive": (values - 1).tolist(),
    }
    (folder / "predictions.csv").write_text(csv_text(columns), encoding="utf-8")
    (folder / "run.toml").write_text("validation = 0.15\ntest = 0.2\n# </code><script>\n")
    return folder


@pytest.fixture
def passing() -> ParityReport:
    """A verification of two outputs in which all is well."""
    reference = np.linspace(-1, 1, 12).reshape(3, 4)
    torch = reference.astype(np.float32)
    comparisons = tuple(
        CaseComparison(
            "live", "onnxruntime", graph, case, compare("output", torch, reference, torch)
        )
        for graph in ("model.onnx", "stream.onnx")
        for case in ("batch1-length9-tiny", "batch3-length500-large")
    )
    return ParityReport(
        bundle="bundle <i>",
        against="run",
        runtimes=("onnxruntime",),
        rule="error ≤ max(4 × torch float32's own error, 2e-6 × max|reference|)",
        comparisons=comparisons,
        errors=(),
        failures=(),
        versions={"python": "3.11"},
    )


@pytest.fixture
def failing(passing: ParityReport) -> ParityReport:
    """The same with one output beyond its bound, one that was missing, and a changed file."""
    reference = np.ones((2, 2))
    torch = reference.astype(np.float32)
    broken = torch.copy()
    broken[1, 0] = 1.5
    missing = compare("final_h", np.zeros((0,), np.float32), reference, torch)
    bad = [
        CaseComparison("live", "onnxruntime", "stream.onnx", "batch2-length1-tiny-zero", comparison)
        for comparison in (compare("final_c", broken, reference, torch), missing)
    ]
    failures = (
        Failure("checksum", "bundle/model.onnx was changed <after> it was written"),
        Failure("live", "stream.onnx in onnxruntime, output final_c: 1 of 1 cases disagree"),
    )
    return replace(passing, comparisons=(*passing.comparisons, *bad), failures=failures)


@pytest.fixture
def every_verdict() -> ParityReport:
    """Seven runtimes on three graphs: within, wrong, refused, crashed, hung, and not installed."""
    reference = np.linspace(-1, 1, 12).reshape(3, 4)
    torch = reference.astype(np.float32)
    off = torch.copy()
    off[1, 2] += 0.5
    plain: tuple[Feature, ...] = ("batch and length",)
    ragged: tuple[Feature, ...] = ("batch and length", "ragged lengths")
    asked = (
        ("model.onnx", "batch2-length9", plain),
        ("ragged.onnx", "batch3-ragged", ragged),
        ("stream.onnx", "batch1-length5-random", ("batch and length", "states")),
    )

    def answers(runtime: str, without: str = "", got: np.ndarray = torch) -> list[CaseComparison]:
        return [
            CaseComparison(
                *("golden", runtime, graph, case),
                compare("output", got if graph == "ragged.onnx" else torch, reference, torch),
                features=features,
            )
            for graph, case, features in asked
            if graph != without
        ]

    words = {
        "loud": ("refused", f"a | bar, a\nline and {HOSTILE}"),
        "falls": ("crashed", "ended by signal 11; its last words: `none`"),
        "slow": ("hung", "no answer within 60 s"),
    }
    errors = [
        CaseError("golden", runtime, "ragged.onnx", "batch3-ragged", message, kind, ragged)  # type: ignore[arg-type]
        for runtime, (kind, message) in words.items()
    ]
    comparisons = [*answers("onnxruntime"), *answers("silent", got=off), *answers("other")]
    for runtime in words:
        comparisons += answers(runtime, without="ragged.onnx")
    bad = "ragged.onnx in silent, output output: 1 of 1 cases disagree (batch3-ragged)"
    return ParityReport(
        bundle="bundle <i>",
        against=None,
        runtimes=("onnxruntime", "silent", "other", *words),
        rule="error ≤ max(4 × torch float32's own error, 2e-6 × max|reference|)",
        comparisons=tuple(comparisons),
        errors=tuple(errors),
        failures=(Failure("golden", bad),),
        versions={"python": "3.11", "onnxruntime": "1.31.1", "silent": "0|3"},
        absent={"far-away": "pip install far-away"},
        tried={graph: dict.fromkeys(features, 1) for graph, _, features in asked},
        latency={
            graph: {"onnxruntime": 1e-4, "silent": 5e-5, "other": 17e-4} for graph, *_ in asked
        },
        kept=(
            KeptCase("silent", "ragged.onnx", "batch3-ragged", "wrong", "my cases/silent.npz"),
            KeptCase("falls", "ragged.onnx", "batch3-ragged", "crashed", "falls-crashed.npz"),
        ),
    )


@pytest.fixture
def timings() -> Timings:
    return Timings(Latency(4e-4, 1, 9e-5, (1, 9, 1), 720), ColdStart(2.9, 0.31, 3))
