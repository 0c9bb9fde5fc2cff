"""`lstm-export stream`: line by line through a pipe, bad lines in one message, state in a file."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_export.cli.main import run
from lstm_export.contract import Column, Forecast, Recurrent, Scaling, TimeAxis, Window
from lstm_export.runtime.load import load_forecaster
from lstm_export.runtime.streaming.lines import LONGEST

Bundle = Callable[[Forecast], Path]

TERMS = Forecast(
    features=(Column("rain", "mm", 0.0, 9.0), Column("level", "m", -2.0, 3.0)),
    targets=(Column("level", "m", -2.0, 3.0),),
    window=Window(context_length=4, horizon=2, difference=2),
    input_scaling=Scaling("none", (0.0, 0.0), (1.0, 1.0)),
    target_scaling=Scaling("none", (0.0,), (1.0,)),
    recurrent=Recurrent("gru", 2, 4),
    time=TimeAxis("day", "day", 1, "%Y-%m-%d"),
)
NAMES = ["level_1", "level_2"]


@pytest.fixture
def bundle(make_bundle: Bundle) -> Path:
    return make_bundle(TERMS)


@pytest.fixture
def stream(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command on `text`: exit code, stdout, stderr."""

    def call(text: str | bytes, *options: object) -> tuple[int, str, str]:
        body = text if isinstance(text, bytes) else text.encode()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(body)))
        code = run(["stream", str(bundle), *map(str, options)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return call


def series(rows: int = 9, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(rows, 2)).round(3)


def forecasts(bundle: Path, x: Any) -> list[list[float | None]]:
    """What the Python stream says, as numbers that a line can hold."""
    output = load_forecaster(bundle).stream().run(x)[:, :, 0]
    return [[None if v != v else float(str(v)) for v in row] for row in output]


def close(got: list[list[float | None]], expected: list[list[float | None]]) -> bool:
    ours, theirs = (np.array(rows, dtype=float) for rows in (got, expected))
    return np.allclose(ours, theirs, rtol=1e-5, atol=1e-5, equal_nan=True)


def parsed(text: str) -> list[list[float | None]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return [[float(row[n]) if row[n] else None for n in NAMES] for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_in_any_order(stream: Any, bundle: Path, delimiter: str, end: str) -> None:
    x = series()
    lines = [["level", "comment", "day", "rain"]]
    for i, (rain, level) in enumerate(x):
        lines += [[str(level), '"a ""b"""', f"2020-01-{i + 1:02d}", f' "{rain}"'.strip()], []]
    text = "\ufeff" + end.join(delimiter.join(line) for line in lines)
    code, out, err = stream(text)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "day,level_1,level_2"
    assert [row["day"] for row in csv.DictReader(io.StringIO(out))][:2] == [
        "2020-01-01",
        "2020-01-02",
    ]
    assert close(parsed(out), forecasts(bundle, x))
    assert parsed(out)[:2] == [[None, None]] * 2  # nothing to say yet


def test_csv_without_a_header_is_answered_without_one(stream: Any, bundle: Path) -> None:
    x = series()
    code, out, _ = stream("".join(f"{a}, {b}\n" for a, b in x))
    assert code == 0
    assert close(parsed("level_1,level_2\n" + out), forecasts(bundle, x))


def test_ndjson_objects_and_arrays(stream: Any, bundle: Path) -> None:
    x = series()
    lines = [
        json.dumps({"day": i, "level": b, "rain": a, "more": {}} if i % 2 else [a, b])
        for i, (a, b) in enumerate(x.tolist())
    ]
    code, out, _ = stream("\n".join(lines))
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row.get("day") for row in rows[:4]] == [None, 1, None, 3]
    assert close([[row[name] for name in NAMES] for row in rows], forecasts(bundle, x))
    code, out, _ = stream("\n".join(lines), "--output", "csv", "--format", "ndjson")
    assert out.splitlines()[0] == "day,level_1,level_2"
    assert close(parsed(out), forecasts(bundle, x))


def test_interleaved_series(stream: Any, bundle: Path) -> None:
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(40), 6))
    data = {i: series(6, seed=i) for i in range(40)}
    lines, at = ["id,rain,level"], dict.fromkeys(range(40), 0)
    for i in order:
        rain, level = data[i][at[i]]
        lines.append(f"s{i},{rain},{level}")
        at[i] += 1
    code, out, _ = stream("\n".join(lines), "--id", "id")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["id"] for row in rows] == [f"s{i}" for i in order]
    for i in range(40):
        mine = [row for row in rows if row["id"] == f"s{i}"]
        got = [[float(r[n]) if r[n] else None for n in NAMES] for r in mine]
        assert close(got, forecasts(bundle, data[i]))
    code, out, err = stream("\n".join(lines), "--id", "id", "--max-series", "7")
    assert code == 2
    assert "--max-series is 7" in err
    assert len({line.split(",")[0] for line in out.splitlines()[1:]}) == 7


BAD = {
    "1,x": "line 4: column 'level': expected a number, got 'x'",
    "1,": "line 4: column 'level': the value is missing",
    "1_0,1": "line 4: column 'rain': expected a number, got '1_0'",
    "1,inf": "line 4: column 'level': expected a finite number, got inf",
    "1,3.5e38": "line 4: column 'level': 3.5e38 is too large for float32",
    "1": "line 4: expected 2 fields (rain, level), got 1",
    "1,2,3": "line 4: expected 2 fields (rain, level), got 3",
    '"1,2': "line 4: a quoted cell is not closed on its line",
    "1,\x00": "line 4: column 'level': expected a number",
    "9" * (LONGEST + 9): f"line 4: longer than {LONGEST} bytes",
}


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_a_bad_line_stops_or_is_skipped(stream: Any, bundle: Path, bad: str) -> None:
    x = series(4)
    good = [f"{a},{b}" for a, b in x]
    text = "\n".join(["rain,level", *good[:2], bad, *good[2:]]) + "\n"
    code, out, err = stream(text)
    assert code == 2
    assert err.startswith(f"error: {BAD[bad]}")
    assert err.count("\n") == 1
    assert len(out.splitlines()) == 3  # everything before it is answered
    code, out, err = stream(text, "--on-error", "skip")
    assert code == 0
    assert err.startswith(f"skipped {BAD[bad]}")
    assert close(parsed(out), forecasts(bundle, x))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"rain": 1, "level": null}', "line 1: column 'level': the value is missing (null)"),
        ('{"rain": 1, "level": "1"}', "line 1: column 'level': expected a number, got '1'"),
        ('{"rain": 1, "level": true}', "column 'level': expected a number, got True"),
        ('{"rain": 1, "level": NaN}', "column 'level': expected a finite number"),
        ('{"rain": 1, "level": 1e999}', "column 'level': expected a finite number"),
        ('{"rain": 1, "level": 1' + "0" * 400 + "}", "too large for float32"),
        ('{"rain": 1}', "line 1: no 'level'; the line has rain"),
        ('{"rain": 1, "rain": 2, "level": 3}', "more than one 'rain'"),
        ("[1]", "an array of rain, level; got 1 values"),
        ("[" * 100_000, "not JSON"),
        ("{", "line 1: not JSON"),
        ("rain,height\n1,2", "line 1: no column 'level'; the header is rain, height"),
        ("rain,level,rain\n1,2,3", "line 1: more than one column 'rain'"),
        (b"rain,level\n1,\xff", "line 2: the byte 0xFF is not UTF-8"),
    ],
)
def test_lines_that_are_refused(stream: Any, text: Any, message: str) -> None:
    code, out, err = stream(text)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert out in ("", "level_1,level_2\n")


def test_a_first_json_line_that_is_skipped(stream: Any, bundle: Path) -> None:
    x = series(4)
    lines = ["[1]", *(json.dumps(row) for row in x.tolist())]
    code, out, err = stream("\n".join(lines), "--on-error", "skip", "--output", "csv")
    assert (code, err.count("\n")) == (0, 1)
    assert close(parsed(out), forecasts(bundle, x))


def test_nothing_in_nothing_out(stream: Any) -> None:
    assert stream("") == stream("\n \r\n") == (0, "", "")


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "tsv"],
        ["--output", "json"],
        ["--on-error", "ignore"],
        ["--id", "rain"],
        ["--max-series", "0"],
        ["--state", "missing/state.npz"],
        ["--state", "."],
    ],
)
def test_options_that_make_no_sense(stream: Any, options: list[str]) -> None:
    code, out, err = stream("rain,level\n1,2\n", *options)
    assert (code, out) == (2, "")
    assert options[0] in err or "missing" in err or "is a folder" in err


def test_the_state_goes_on(stream: Any, bundle: Path, tmp_path: Path) -> None:
    data = {name: series(8, seed) for seed, name in enumerate("abc")}
    state = tmp_path / "state.npz"
    answers: dict[str, list[list[float | None]]] = {name: [] for name in data}
    for first, last in ((0, 1), (1, 5), (5, 8)):
        lines = ["id,rain,level"]
        lines += [
            f"{n},{a},{b}" for i in range(first, last) for n, x in data.items() for a, b in [x[i]]
        ]
        bad = ["a,1,x"] if last == 5 else []
        code, out, _ = stream("\n".join(lines + bad), "--id", "id", "--state", state)
        assert code == (2 if bad else 0)  # what was answered before a bad line is not lost
        for row in csv.DictReader(io.StringIO(out)):
            answers[row["id"]].append([float(row[n]) if row[n] else None for n in NAMES])
    for name, x in data.items():
        assert close(answers[name], forecasts(bundle, x))
    before = state.read_bytes()
    text = "rain,level\n1,2\n"
    for options, message in (
        ([], "was saved with --id id, and now there is no --id"),
        (["--id", "id", "--max-series", "2"], "it has 3 series, and --max-series is 2"),
    ):
        code, out, err = stream(text, *options, "--state", state)
        assert (code, out) == (2, "")
        assert message in err
    assert state.read_bytes() == before
    for damage in (
        b"",
        b"PK\x03\x04",
        before[: len(before) // 2],
        before[:200] + b"?" + before[201:],
    ):
        state.write_bytes(damage)
        code, out, err = stream(text, "--id", "id", "--state", state)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert state.read_bytes() == damage
    code, out, err = stream(text, "--state", bundle / "state.npz")
    assert code == 2
    assert "only export writes" in err


def test_a_state_of_another_model(
    stream: Any, make_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.npz"
    other = Forecast(**{**{n: getattr(TERMS, n) for n in TERMS.__slots__}, "time": None})
    assert stream("1,2", "--state", state)[0] == 0
    assert run(["stream", str(make_bundle(other)), "--state", str(state)]) == 2
    assert "the snapshot is of another model" in capsys.readouterr().err


def started(bundle: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lstm_export", "stream", str(bundle), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_every_line_is_answered_before_the_next_is_sent(bundle: Path, tmp_path: Path) -> None:
    x, state = series(4), tmp_path / "state.npz"
    process = started(bundle, "--state", str(state))
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    answers = []
    for text in ["rain,level", *(f"{a},{b}" for a, b in x)]:
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
        answers.append(process.stdout.readline().decode())
    assert close(parsed("".join(answers)), forecasts(bundle, x))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert b"Traceback" not in process.stderr.read()
    assert state.exists()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_a_reader_that_left(bundle: Path) -> None:
    process = started(bundle)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b"1,2\n")
    process.stdin.flush()
    assert process.stdout.readline() == b",\n"
    process.stdout.close()
    process.stdin.write(b"1,2\n" * 9)
    process.stdin.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_the_bundle_of_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    import lstm_export

    class Tagger(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.GRU(2, 5, batch_first=True)
            self.head = torch.nn.Linear(5, 3)

        def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            y, _ = self.rnn(rows)
            return self.head(y), y[:, -1, :1]

    path = tmp_path / "bundle"
    lstm_export.export_bundle(Tagger().eval(), path, args=(torch.zeros(2, 4, 2),))
    values = series()
    text = "rows_2,rows_1,note\n" + "".join(f"{b},{a},x\n" for a, b in values.tolist())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert run(["stream", str(path)]) == 0
    answers = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(answers[0]) == ["output_0_1", "output_0_2", "output_0_3", "output_1"]
    stream = lstm_export.load(path).stream()
    for row, answer in zip(values.astype(np.float32), answers, strict=True):
        got = stream.step(row)
        expected = [*got["output_0"], *got["output_1"]]
        np.testing.assert_allclose([float(v) for v in answer.values()], expected, rtol=1e-5)


def test_a_module_that_takes_more_than_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    import lstm_export

    class Words(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(9, 4)
            self.rnn = torch.nn.GRU(4, 5, batch_first=True)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.rnn(self.embedding(tokens))[0]

    path = tmp_path / "bundle"
    args = (torch.zeros(2, 4, dtype=torch.int64),)
    lstm_export.export_bundle(Words().eval(), path, args=args)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"1\n")))
    assert run(["stream", str(path)]) == 2
    assert "this model takes tokens: int64" in capsys.readouterr().err
