"""From a table to labelled sequences: what is read, and the one message for what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lstm_export.data.csv_reader import read_csv
from lstm_export.data.sequences.answers import check_labels
from lstm_export.data.sequences.read import read_sequences
from lstm_export.data.sequences.sequence_set import SequenceSet
from lstm_export.errors import DataError, OptionError


def read(*lines: str, task: Any = "classify", target: Any = "y", **options: Any) -> SequenceSet:
    table = read_csv("t.csv", "\n".join(lines).encode(), "0" * 64)
    return read_sequences(table, task, target=target, **options)


def rows(found: SequenceSet) -> list[list[list[float]]]:
    assert found.values is not None
    return [part.tolist() for part in np.split(found.values, found.starts[1:-1])]


LONG = ("id,t,u,v,y", "b,0,1,2,p", "b,1,3,4,p", "a,0,5,6,q", "b,2,7,8,p", "a,1,9,10,q")


def test_a_long_table_gathers_the_rows_of_each_id() -> None:
    found = read(*LONG, series_id="id")
    assert (found.names, found.features, found.answer) == (("b", "a"), ("u", "v"), ("y",))
    assert rows(found) == [[[1, 2], [3, 4], [7, 8]], [[5, 6], [9, 10]]]
    assert found.labels == ("p", "q")
    assert found.starts.dtype == np.int64
    assert found.notes == ("2 labels occur only once: 'p', 'q'",)
    assert not found.tagged


def test_features_are_those_that_are_named() -> None:
    found = read(*LONG, series_id="id", features=["v"])
    assert rows(found)[1] == [[6], [10]]
    assert "columns not used: u" in found.notes
    assert read(*LONG, series_id="id", features="all").features == ("u", "v")


def test_rows_out_of_order_are_put_into_the_order_of_time() -> None:
    lines = ("id,day,x,y", "a,2024-01-03,3,p", "a,2024-01-01,1,p", "b,2024-01-01,4,q")
    for options in ({}, {"time": "day"}):
        found = read(*lines, series_id="id", **options)
        assert rows(found) == [[[1], [3]], [[4]]]
        assert "put into the order of the time column 'day': the rows of 1 sequence: a" in (
            found.notes
        )
    shuffled = ("id,t,x,y", "a,2,3,p", "a,0,1,p", "a,1,2,p", "b,1,5,q", "b,0,4,q")
    assert rows(read(*shuffled, series_id="id")) == [[[1], [2], [3]], [[4], [5]]]


def test_a_feature_that_is_only_called_like_a_time_stays_one() -> None:
    lines = ("id,t,y", "a,5,p", "a,2,p", "a,2,p", "b,7,q", "b,1,q")
    found = read(*lines, series_id="id")
    assert found.features == ("t",)
    assert rows(found)[0] == [[5], [2], [2]]
    assert found.notes[0].startswith("the column 't' is not taken as time: it neither increases")


def test_labels_stay_the_strings_that_they_are() -> None:
    found = read(
        *("x,z,y", '1,2," café, ""noir"" "', "3,4,NA", "5,6,null", "7,8,01", '9,9,"café, ""noir"""')
    )
    assert found.labels == ('café, "noir"', "NA", "null", "01", 'café, "noir"')


def test_a_row_has_a_label_to_tag() -> None:
    found = read("id,x,y", "a,1,p", "b,2,q", "a,3,q", task="tag", series_id="id")
    assert found.labels == ("p", "q", "q")
    assert found.tagged
    assert found.label_names == ("a", "a", "b")


def test_target_numbers_are_one_row_for_each_sequence() -> None:
    lines = ("id,x,m,n", "a,1,5,-1", "a,2,5,-1", "b,3,6.5,0")
    found = read(*lines, task="regress", target=["m", "n"], series_id="id")
    assert found.numbers is not None
    assert found.numbers.tolist() == [[5, -1], [6.5, 0]]
    assert (found.labels, found.answer, found.features) == (None, ("m", "n"), ("x",))


def test_a_wide_table_has_a_sequence_in_each_row() -> None:
    found = read("case,y,a,note,b,c", "u,p,1,?,2,3", "v,q,4,?,5,", "w,q,6,?,,")
    assert (found.names, found.features) == (("u", "v", "w"), ("value",))
    assert rows(found) == [[[1], [2], [3]], [[4], [5]], [[6]]]
    assert "columns not used: note" in found.notes
    numbered = read("id,y,a", "7,p,1", "7,q,2")
    assert (rows(numbered), numbered.names) == ([[[1]], [[2]]], ("line 2", "line 3"))
    assert "the column 'id' is called like an id and is not taken as a step" in numbered.notes
    chosen = read("case,y,a,b,c", "u,p,1,2,3", "u,q,4,5,6", features=["c", "a"])
    assert rows(chosen) == [[[3], [1]], [[6], [4]]]
    assert chosen.names == ("line 2", "line 3")


def test_steps_that_are_called_like_times_make_no_long_table() -> None:
    found = read("y,day 1,day 2,day 3", "p,0,1,0", "q,1,0,1", "p,0,1,0", "q,1,1,1")
    assert rows(found)[1] == [[1], [0], [1]]


def test_a_step_that_no_row_of_a_wide_table_has_is_missing_and_not_skipped() -> None:
    with pytest.raises(DataError, match="2 missing values before the end of a row: line 2 in 'b'"):
        read("y,a,b,c,d", "p,1,,3,", "q,4,,6,")
    assert rows(read("y,a,b,c", "p,1,2,", "q,4,5,")) == [[[1], [2]], [[4], [5]]]


@pytest.mark.parametrize(
    ("missing", "wide", "long"),
    [
        ("interpolate", [[[1], [2], [3]], [[5], [6]]], [[[1], [2], [3]], [[5], [6]]]),
        ("drop", [[[1], [3]], [[5], [6]]], [[[1], [3]], [[5], [6]]]),
    ],
)
def test_missing_values_are_dealt_with_as_asked(missing: Any, wide: Any, long: Any) -> None:
    found = read("y,a,b,c", "p,1,,3", "q,,5,6", missing=missing)
    assert rows(found) == wide
    assert any("left out as missing" in note for note in found.notes)
    lines = ("id,x,y", "a,1,p", "a,,p", "a,3,p", "b,,q", "b,5,q", "b,6,q", "c,,q")
    found = read(*lines, series_id="id", missing=missing)
    assert rows(found) == long
    assert found.names == ("a", "b")
    assert found.labels == ("p", "q")
    assert "left out, as no row is complete: 1 sequence: c" in found.notes


def test_texts_are_kept_as_they_are() -> None:
    found = read("text,y", '" Hello, ""you"" ",p', "NA,q", task="classify", text="text")
    assert found.texts == (' Hello, "you" ', "NA")
    assert (found.values, found.features, found.labels) == (None, (), ("p", "q"))
    assert found.starts.tolist() == [0, 0, 0]
    assert found.names == ("line 2", "line 3")
    found = read("text,y", "a,1", "b,2.5", task="regress", text="text")
    assert found.numbers is not None
    assert found.numbers.tolist() == [[1], [2.5]]


def test_tags_of_a_text_are_one_for_each_word() -> None:
    found = read("text,y", '"Cats, sit.","N , V ."', "go,V", task="tag", text="text")
    assert found.labels == ("N", ",", "V", ".", "V")
    assert found.starts.tolist() == [0, 4, 5]
    assert found.label_names == ("line 2",) * 4 + ("line 3",)
    assert found.take(np.array([1])).labels == ("V",)
    with pytest.raises(DataError, match=r"line 3: the text in 'text' has 2 words \(go, !\) but"):
        read("text,y", "a,V", "go!,V", task="tag", text="text")


def test_to_predict_no_answer_is_needed() -> None:
    assert read("a,b", "1,2", target="y", role="predict").labels is None
    assert read("y,a,b", "p,1,2", role="predict").labels == ("p",)
    found = read("y,a,b", "p,1,2", ",1,2", role="predict")
    assert (found.labels, found.answer, rows(found)) == (None, (), [[[1], [2]], [[1], [2]]])
    found = read("id,x", "a,1", "b,2", target="y", series_id="id", role="predict")
    assert (found.labels, found.names) == (None, ("a", "b"))
    found = read("id,x,y", "a,1,", "b,2,3", task="regress", series_id="id", role="predict")
    assert (found.numbers, found.features) == (None, ("x",))
    assert read("text", "hello", text="text", role="predict").texts == ("hello",)


def test_one_class_is_enough_to_test() -> None:
    assert read("y,a,b", "p,1,2", "p,1,2", role="test").labels == ("p", "p")
    with pytest.raises(DataError, match=r"empty label in the column 'y': line 3"):
        read("y,a,b", "p,1,2", ",1,2", role="test")


LONG_BY_ID: dict[str, Any] = {"series_id": "id"}


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (("id,x,label", "a,1,p"), LONG_BY_ID, "has no column 'y'"),
        (("id,x,labels", "a,1,p"), {"target": "label"}, "did you mean 'labels'"),
        (("id,x,y", "a,1,p", "b,2,p"), LONG_BY_ID, "every label in the column 'y' is 'p'"),
        (("id,x,y", "a,1,p", "b,2, "), LONG_BY_ID, "1 empty label in the column 'y': line 3"),
        (("id,x,y", "a,1,p", ",2,q"), LONG_BY_ID, "no series is named .* in 1 row: line 3"),
        (
            ("id,x,y", "a,1,p", "b,2,q", "a,3,q"),
            LONG_BY_ID,
            "sequence 'a' has two answers in the column 'y': 'p' at line 2 and 'q' at line 4.*"
            "--task tag",
        ),
        (
            ("id,x,y", "a,1,2", "a,2,3"),
            {**LONG_BY_ID, "task": "regress"},
            "sequence 'a' has two answers in the column 'y': '2' at line 2 and '3' at line 3",
        ),
        (
            ("id,t,x,y", "a,0,1,p", "a,1,2,p", "b,0,1,q", "a,1,3,p"),
            {**LONG_BY_ID, "time": "t"},
            "sequence 'a' has the time '1' in the column 't' twice, at line 3 and line 5",
        ),
        (("id,x,y", "a,1,p", "b,,q"), LONG_BY_ID, r"1 in the column 'x' \(line 3\)"),
        (("id,x,y", "a,inf,p", "b,1,q"), LONG_BY_ID, r"infinite value: line 2 \('inf'\)"),
        (("id,y", "a,p", "b,q"), LONG_BY_ID, "beside id, y there is no numeric column"),
        (("id,x,y", "a,1,p"), {**LONG_BY_ID, "features": ["y"]}, "cannot be a feature"),
        (("id,x,y", "a,1,p"), {**LONG_BY_ID, "features": ["id"]}, "cannot be the series id"),
        (("id,x,y", "a,1,p"), {"series_id": "case"}, "has no column 'case'"),
        (("y,a,b", "p,1,x", "q,3,4"), {}, r"'b' has 1 cell that is not a number: line 2 \('x'\)"),
        (("y,a,b", "p,1,2", "q,,"), {}, "1 row has no value in a, b: line 3"),
        (("y,a,b", "p,,2", "q,3,4"), {}, "1 missing value before the end of a row: line 2 in 'a'"),
        (("y,a", "p,x", "q,z"), {}, "no column of numbers.*--text"),
        (("y,a,b", ",1,2", "1,3,4"), {"task": "regress"}, "1 value is missing in the target 'y'"),
        (LONG, {}, "looks like a long table.*'t' starts over.*--series-id"),
        (
            ("case,t,x,y", "3,0,1,p", "3,1,2,p", "4,0,3,p", "4,1,2,p", "4,2,3,p"),
            {},
            r"--series-id \(perhaps 'case'\)",
        ),
        (("t,x,y", "1,5,p", "2,3,p", "3,4,p", "4,1,q"), {}, "its column 't' counts the rows"),
        (("text,y", "a,p", " ,q"), {"text": "text"}, "1 text is empty in the column 'text': line"),
        (("text,y", "a,p"), {"text": "texts"}, "did you mean 'text'"),
        (("text,y", "a,p"), {"text": "y"}, "cannot be the text and the target"),
    ],
)
def test_what_cannot_be_used_gets_one_message(
    lines: tuple[str, ...], options: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(*lines, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": None}, "to classify, name the column of labels with --target"),
        ({"task": "regress", "target": []}, "to regress, name the column of numbers"),
        ({"target": ["y", "x"]}, "one column of labels is the target, got y, x"),
        ({"task": "tag"}, "to tag, each step needs a row with its label"),
        ({"time": "t"}, "--time is the time of a long table"),
        ({"text": "id", "series_id": "id"}, "leave out --series-id"),
        ({"missing": "zero"}, "missing must be"),
    ],
)
def test_arguments_that_make_no_sense_together(options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        read("id,t,x,y", "a,0,1,p", "b,1,2,q", **options)


def test_a_label_that_training_never_saw_is_named() -> None:
    check_labels(["p", "q"], ["q", "q"], ["line 7", "line 8"])
    with pytest.raises(
        DataError, match=r"the label 'r' of line 8 \(and 1 more\) never occurs .* are 'p', 'q'\."
    ):
        check_labels(["p", "q", "p"], ["q", "r", "s"], ["line 7", "line 8", "line 9"])
