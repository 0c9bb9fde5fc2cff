"""Classifying, regressing and tagging by the commands alone, and what is said to bad input."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lstm_export.cli.main import run
from lstm_export.data.write import csv_text
from lstm_export.runtime.load import load

Said = Callable[..., str]

LABELS = ("rot, grün", "日本", 'a "b"')
TINY = ["--epochs", "1", "--hidden-size", "3"]


def long_rows() -> dict[str, list[object]]:
    """Twelve sequences of 3 to 5 steps, with a time that runs backwards in the file."""
    rows = [
        (f"s{i}", -step, round(np.sin(i + step), 3), (i % 3) * 0.5, LABELS[i % 3])
        for i in range(12)
        for step in range(3 + i % 3)
    ]
    names = ("who", "t", "level", "rain", "kind")
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def wide_rows() -> dict[str, list[object]]:
    """Sixteen sequences in rows of up to four steps, with two numbers to answer."""
    level = np.random.default_rng(0).normal(size=(16, 4)).round(3)
    columns: dict[str, list[object]] = {f"s{i + 1}": level[:, i].tolist() for i in range(4)}
    columns["s4"] = [None if i % 2 else value for i, value in enumerate(columns["s4"])]
    return {**columns, "sum": level.sum(axis=1).tolist(), "top": level.max(axis=1).tolist()}


def tagged_rows() -> dict[str, list[object]]:
    texts = ["we eat rice.", "they eat soup", "we cook.", "cook rice, they eat"] * 3
    kinds = {"we": "who", "they": "who", "eat": "does", "cook": "does", ".": "mark", ",": "mark"}
    words = [text.replace(".", " .").replace(",", " ,").split() for text in texts]
    return {"text": texts, "tags": [" ".join(kinds.get(w, "what") for w in row) for row in words]}


TASKS = {
    "classify": (long_rows, "--target kind --series-id who"),
    "regress": (wide_rows, "--target sum,top --unit sum=kg"),
    "tag": (tagged_rows, "--target tags --text text --lowercase"),
}


def write(path: Path, columns: dict[str, list[object]]) -> Path:
    path.write_text(csv_text(columns), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def task(made_once: Callable[..., Path]) -> Callable[[str], Path]:
    """A function from a task to a folder with its `data.csv`, a `run` and a `bundle`."""

    def make(name: str) -> Path:
        rows, options = TASKS[name]

        def fill(folder: Path) -> None:
            data, trained = write(folder / "data.csv", rows()), folder / "run"
            command = ["train", str(data), "--task", name, "--out", str(trained)]
            assert run([*command, *options.split(), *TINY]) == 0
            assert run(["export", str(trained), "--out", str(folder / "bundle")]) == 0

        return made_once(f"cli-{name}", fill)

    return make


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """A function from words to what a command prints; `code` is how it ends, else its messages."""

    def ask(*words: str | Path, code: int = 0) -> str:
        capsys.readouterr()
        assert run([str(word) for word in words]) == code
        told = capsys.readouterr()
        if code == 0:
            return told.out
        assert told.out == ""
        assert "Traceback" not in told.err
        return told.err

    return ask


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_classes_with_commas_and_unicode_go_the_whole_way(
    task: Callable[[str], Path], said: Said, tmp_path: Path
) -> None:
    folder = task("classify")
    out = tmp_path / "answers.csv"
    said("predict", folder / "bundle", folder / "data.csv", "--out", out)
    answers = rows_of(out.read_text(encoding="utf-8"))
    assert [row["sequence"] for row in answers] == [f"s{i}" for i in range(12)]
    assert [row["kind truth"] for row in answers] == [LABELS[i % 3] for i in range(12)]
    model = load(folder / "bundle")
    columns, steps = long_rows(), [3 + i % 3 for i in range(12)]
    values = np.column_stack([columns["level"], columns["rain"]]).astype(float)
    sequences = [one[::-1] for one in np.split(values, np.cumsum(steps)[:-1])]  # by time
    assert [row["kind prediction"] for row in answers] == model.classify(sequences)
    probabilities = [
        [float(row[f"probability of {name}"]) for name in model.classes] for row in answers
    ]
    np.testing.assert_array_equal(np.float32(probabilities), model(sequences))
    assert rows_of((folder / "run" / "predictions.csv").read_text(encoding="utf-8"))[0].keys() == (
        answers[0].keys()
    )


def test_json_of_labels_beside_the_truth(task: Callable[[str], Path], said: Said) -> None:
    folder = task("classify")
    told = json.loads(said("predict", folder / "bundle", folder / "data.csv", "--json"))
    assert told.keys() == {
        *("bundle", "data", "mode", "answer", "sequences", "classes", "metrics", "labels"),
        *("confusion", "by_class", "unseen", "columns", "rows", "out", "plot", "notes"),
    }
    right = sum(row["kind truth"] == row["kind prediction"] for row in told["rows"])
    assert told["metrics"]["accuracy"] == pytest.approx(right / 12)
    assert np.sum(told["confusion"]) == 12
    assert told["labels"] == told["classes"] == sorted(LABELS)
    assert told["unseen"] == {}


def test_a_label_never_seen_is_wrong_and_named(
    task: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, columns = task("classify") / "bundle", long_rows()
    columns["kind"] = [
        "new" if who == "s1" else k for who, k in zip(columns["who"], columns["kind"], strict=True)
    ]
    data = write(tmp_path / "d.csv", columns)
    assert run(["predict", str(bundle), str(data), "--json"]) == 0
    output = capsys.readouterr()
    told = json.loads(output.out)
    assert told["unseen"] == {"new": 1}
    assert told["labels"] == [*told["classes"], "new"]
    assert told["by_class"]["new"] == {"precision": 0, "recall": 0, "count": 1}
    assert "the label 'new' was never seen in training: 1 of 12 wrong by that" in output.err


def test_without_the_answer_there_is_nothing_to_compare(
    task: Callable[[str], Path], said: Said, tmp_path: Path
) -> None:
    columns = long_rows()
    del columns["kind"]
    data = write(tmp_path / "d.csv", columns)
    told = json.loads(said("predict", task("classify") / "bundle", data, "--json"))
    assert told["metrics"] is told["confusion"] is told["unseen"] is None
    assert told["columns"][:2] == ["sequence", "kind prediction"]
    columns["Kind"] = ["x"] * len(columns["who"])
    data = write(tmp_path / "e.csv", columns)
    told = json.loads(said("predict", task("classify") / "bundle", data, "--json"))
    assert "there is no column 'kind'; did you mean 'Kind'?" in told["notes"]
    message = said(
        "predict", task("classify") / "bundle", data, "--plot", tmp_path / "p.png", code=2
    )
    assert "does not have it in 'kind'" in message
    assert not (tmp_path / "p.png").exists()


def test_numbers_of_a_wide_table_of_any_length(
    task: Callable[[str], Path], said: Said, tmp_path: Path
) -> None:
    folder = task("regress")
    told = json.loads(said("predict", folder / "bundle", folder / "data.csv", "--json"))
    assert told["targets"] == {"sum": "kg", "top": ""}
    error = [row["sum prediction"] - row["sum truth"] for row in told["rows"]]
    assert told["metrics"]["sum"]["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(error))))
    assert told["metrics"]["top"].keys() == {"rmse", "mae", "r2"}
    longer = write(tmp_path / "d.csv", {f"s{i}": [0.5, 1.0, None][:2] for i in range(1, 8)})
    rows = rows_of(said("predict", folder / "bundle", longer))
    expected = load(folder / "bundle")([np.full(7, 0.5), np.full(7, 1.0)])
    np.testing.assert_array_equal(
        np.float32([row["sum prediction"] for row in rows]), expected[:, 0]
    )


def test_tags_have_a_row_per_word(task: Callable[[str], Path], said: Said, tmp_path: Path) -> None:
    folder = task("tag")
    data = write(tmp_path / "d.csv", {"text": ["They sleep.", "we"]})
    rows = rows_of(said("predict", folder / "bundle", data))
    assert [(row["sequence"], row["step"], row["word"]) for row in rows] == [
        *(("line 2", "1", "They"), ("line 2", "2", "sleep"), ("line 2", "3", ".")),
        ("line 3", "1", "we"),
    ]
    tags = load(folder / "bundle").tag(["They sleep.", "we"])
    assert [row["tags prediction"] for row in rows] == [tag for text in tags for tag in text]
    told = json.loads(said("predict", folder / "bundle", folder / "data.csv", "--json"))
    assert np.sum(told["confusion"]) == len(told["rows"])


@pytest.mark.parametrize("name", TASKS)
def test_a_run_has_a_report_and_agrees_with_its_bundle(
    name: str, task: Callable[[str], Path], said: Said, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    folder = task(name)
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    assert "Answers against truth" in page
    assert "Parity holds" in page
    for label in LABELS if name == "classify" else ():
        assert label.replace('"', "&#34;") in page
    assert ("coloured bands" in page) == (name == "tag")
    said(
        "predict",
        folder / "bundle",
        folder / "data.csv",
        "--out",
        tmp_path / "a.csv",
        "--plot",
        tmp_path / "p.svg",
    )
    assert (tmp_path / "p.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_streams_name_a_label_after_every_row(
    task: Callable[[str], Path], said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = task("classify") / "bundle"
    model = load(bundle)
    lines = b'{"who": "a", "level": 1, "rain": 2}\n{"who": "a", "level": 0, "rain": 1}\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    told = [json.loads(line) for line in said("stream", bundle, "--id", "who").splitlines()]
    expected = model.stream().run([[1, 2], [0, 1]])
    for answer, probabilities in zip(told, expected, strict=True):
        assert answer["who"] == "a"
        assert answer["label"] == model.classes[int(probabilities.argmax())]
        assert list(answer["probabilities"]) == list(model.classes)
        np.testing.assert_array_equal(
            np.float32([*answer["probabilities"].values()]), probabilities
        )


def test_streams_read_a_symbol_a_line(
    task: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = task("tag") / "bundle"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"We\neat rice\neat\n")))
    capsys.readouterr()
    assert run(["stream", str(bundle), "--on-error", "skip"]) == 0
    told = capsys.readouterr()
    assert [line.split(",")[0] for line in told.out.splitlines()] == load(bundle).tag("we eat")
    assert "line 2: column 'text': expected one word, got 2 in 'eat rice'" in told.err


BAD_DATA = [
    ("classify", {"kind": ["only"] * 48}, "expected at least two different ones"),
    ("classify", {"who": ["", *["a"] * 47]}, "no series is named in the column 'who'"),
    ("classify", {"level": [None, *range(47)]}, "missing values: 1 in the column 'level'"),
    ("classify", {"level": ["inf", *range(47)]}, "1 infinite value"),
    ("classify", {"kind": ["", *["a", "b"] * 24][:48]}, "1 empty label"),
    ("tag", {"text": ["", *["a"] * 11]}, "1 text is empty in the column 'text': line 2"),
    ("tag", {"tags": ["a b"] * 12}, "expected one for each word"),
    ("regress", {"sum": ["x", *range(15)]}, "'x'"),
]


@pytest.mark.parametrize(("name", "wrong", "message"), BAD_DATA)
def test_bad_data_is_one_message_and_no_run(
    name: str, wrong: dict[str, list[object]], message: str, said: Said, tmp_path: Path
) -> None:
    rows, options = TASKS[name]
    columns = {**rows(), **wrong}
    data = write(tmp_path / "d.csv", columns)
    out = tmp_path / "run"
    told = said("train", data, "--task", name, "--out", out, *options.split(), code=2)
    assert message in told
    assert not out.exists()


def test_a_label_of_the_test_file_that_training_lacks(said: Said, tmp_path: Path) -> None:
    columns = long_rows()
    data = write(tmp_path / "d.csv", columns)
    tested = write(tmp_path / "t.csv", {**columns, "kind": ["neu, ü"] * 48})
    words = ["--target", "kind", "--series-id", "who", "--test-data", tested]
    told = said("train", data, "--task", "classify", "--out", tmp_path / "run", *words, code=2)
    assert "the label 'neu, ü' of s0 never occurs in the training part" in told
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--task classify --horizon 3", "--horizon is of no use with --task classify"),
        ("--task forecast --text kind", "--text is of no use with --task forecast"),
        ("--task clasify", "--task must be one of"),
        ("--task tag --text kind --level character", "--level character cannot go with"),
    ],
)
def test_options_of_another_task(options: str, message: str, said: Said, tmp_path: Path) -> None:
    data = write(tmp_path / "d.csv", long_rows())
    words = [*options.split(), "--target", "kind"]
    assert message in said("train", data, "--out", tmp_path / "run", *words, code=2)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("classify", "--horizon 3 --coverage 0.9", "--horizon and --coverage are for forecasts"),
        ("regress", "--backtest", "--backtest is for forecasts, and this model answers"),
        ("tag", "--future f.csv", "--future is for forecasts, and this model tags steps"),
        ("classify", "--text kind", "reads rows of numbers: leave out --text"),
        ("tag", "--series-id text", "leave out --series-id"),
        ("classify", "--series-id whom", "no column 'whom'; did you mean 'who'?"),
        ("tag", "--text txt", "no column 'txt'; did you mean 'text'?"),
    ],
)
def test_predict_refuses_what_does_not_fit(
    name: str, options: str, message: str, task: Callable[[str], Path], said: Said, tmp_path: Path
) -> None:
    folder, out = task(name), tmp_path / "out.csv"
    told = said(
        "predict",
        folder / "bundle",
        folder / "data.csv",
        "--out",
        out,
        *shlex.split(options),
        code=2,
    )
    assert message in told
    assert not out.exists()


def test_a_missing_feature_is_told_with_the_nearest_name(
    task: Callable[[str], Path], said: Said, tmp_path: Path
) -> None:
    columns = long_rows()
    columns["Levels"] = columns.pop("level")
    data = write(tmp_path / "d.csv", columns)
    told = said("predict", task("classify") / "bundle", data, code=2)
    assert "no column 'level'; did you mean 'Levels'?" in told


def test_another_run_is_refused(
    task: Callable[[str], Path], said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, other = task("classify") / "bundle", task("tag") / "run"
    assert run(["verify", str(bundle), "--against", str(other)]) == 1
    assert "the manifest is not of this run" in capsys.readouterr().out
    told = said("bench", bundle, "--against", other, "--seconds", "0.001", code=2)
    assert "that run takes and gives texts and tags for every step" in told
    assert "data.csv" in said("doctor", task("classify") / "data.csv", code=2)
