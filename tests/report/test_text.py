import math

import pytest

from lstm_export.report.text import duration, number, printable, scientific, short, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (17.25361, "17.25"),
        (-0.0123456, "−0.01235"),
        (1234567.0, "1,234,567"),
        (1e-9, "1.000e−9"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "NaN"),
        (None, "–"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


def test_scientific() -> None:
    assert scientific(1.234e-7) == "1.2e−7"
    assert scientific(0.0) == "0"
    assert scientific(None) == "–"
    assert scientific(math.inf) == "∞"


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999 B"), (1000, "1.0 kB"), (15_900, "15.9 kB"), (999_700, "1.0 MB")],
)
def test_size(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(9.72e-6, "9.72 µs"), (0.0013, "1.30 ms"), (2.875, "2.88 s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_label_has_one_line_and_no_control_characters() -> None:
    assert short("a\nb\x00c\ud800") == "a b\ufffdc\ufffd"
    assert short("x" * 50, 10) == "x" * 9 + "…"


def test_printable_keeps_lines() -> None:
    assert printable("a\n\tb\x1b[0m") == "a\n\tb\ufffd[0m"
