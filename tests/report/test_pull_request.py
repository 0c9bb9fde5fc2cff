"""A verification as Markdown and as JSON: complete, and safe whatever a runtime says."""

from __future__ import annotations

import json
from dataclasses import replace

from lstm_export.parity.markdown import pull_request
from lstm_export.parity.report import ParityReport


def test_the_verdict_the_table_and_what_is_wrong(every_verdict: ParityReport) -> None:
    lines = pull_request(every_verdict).splitlines()
    assert lines[0] == (
        "**Parity FAILED** for `bundle <i>`: of 6 runtimes 1 wrong, 1 crashed, 1 hung, "
        "1 refused, 2 within; 15 runs compared."
    )
    table = [line for line in lines if line.startswith("|")]
    # A bar in a version is no new column; graphs that agree are one word; wrong comes first.
    assert table[0] == "| runtime | batch and length | ragged lengths | states |"
    assert table[2] == (
        "| silent 0\\|3 | **WRONG**: ragged.onnx; within: model.onnx, stream.onnx "
        "| **WRONG** | within |"
    )
    assert table[3].startswith("| falls | crashed: ragged.onnx; within: model.onnx, stream.onnx |")
    assert table[6:] == [
        "| onnxruntime 1.31.1 | within | within | within |",
        "| other | within | within | within |",
    ]
    wrong = lines.index("What is wrong:")
    assert lines[wrong + 2].startswith("- golden: `ragged.onnx in silent, output output: 1 of 1")
    again = "`lstm-export verify --replay 'my cases/silent.npz' --runtime silent`"
    assert lines[wrong + 3] == f"- again: {again}"
    assert "Not installed, so not asked: far-away." in lines


def test_a_runtimes_message_is_no_markup(every_verdict: ParityReport) -> None:
    text = pull_request(every_verdict)
    assert "- loud refused ragged.onnx: `a | bar, a line and <script>alert" in text
    assert "falls crashed ragged.onnx: `` ended by signal 11; its last words: `none` ``" in text
    assert "– again: `lstm-export verify --replay falls-crashed.npz --runtime falls`" in text
    assert "- slow hung ragged.onnx: `no answer within 60 s`\n" in text


def test_a_passing_bundle_in_one_runtime(passing: ParityReport) -> None:
    text = pull_request(replace(passing, tried={}))
    assert text.startswith("**Parity holds** for `bundle <i>`: 4 runs compared.\n")
    assert "|---" not in text
    assert "What is wrong" not in text


def test_how_to_keep_what_was_not_kept(every_verdict: ParityReport) -> None:
    assert "`verify --cases FOLDER` keeps" in pull_request(replace(every_verdict, kept=()))


def test_json_has_everything(every_verdict: ParityReport) -> None:
    document = json.loads(json.dumps(every_verdict.to_dict(), allow_nan=False))
    assert document["verdicts"] == {
        "onnxruntime": "within",
        "silent": "wrong",
        "other": "within",
        "loud": "refused",
        "falls": "crashed",
        "slow": "hung",
        "far-away": "not installed",
    }
    assert document["absent"] == {"far-away": "pip install far-away"}
    assert document["versions"]["onnxruntime"] == "1.31.1"
    (worst,) = [one for one in document["worst"] if one["runtime"] == "silent"]
    assert (worst["graph"], worst["worst_index"], worst["passed"]) == ("ragged.onnx", [1, 2], False)
    assert document["kept"][0] == {
        "runtime": "silent",
        "graph": "ragged.onnx",
        "case": "batch3-ragged",
        "verdict": "wrong",
        "path": "my cases/silent.npz",
        "command": "lstm-export verify --replay 'my cases/silent.npz' --runtime silent",
    }
    assert document["latency"]["model.onnx"]["onnxruntime"] == 1e-4
    assert len(document["matrix"]) == 7 * 5
