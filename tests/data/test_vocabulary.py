"""Texts as ids and back."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_export.contract import SymbolLevel
from lstm_export.data.vocabulary import UNKNOWN, encode, fit_vocabulary, words


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Café-bar, 3.5€!", ["Café", "-", "bar", ",", "3", ".", "5", "€", "!"]),
        ("  two\u00a0words\u3000and\r\nthree ", ["two", "words", "and", "three"]),
        ("don't «stop»…", ["don", "'", "t", "«", "stop", "»", "…"]),
        ("cafe\u0301 我喜欢 हिन्दी", ["café", "我喜欢", "हिन्दी"]),
        ("snake_case x²", ["snake", "_", "case", "x²"]),
        ("a\x1cb", ["a\x1cb"]),  # white space to str.split, not to Unicode
        (" \t", []),
    ],
)
def test_words_are_cut_at_white_space_and_punctuation(text: str, cut: list[str]) -> None:
    assert words(text) == cut


def test_frequent_symbols_come_first_then_those_of_low_code_points() -> None:
    assert fit_vocabulary(["banana", "bB"], "character", False).symbols == ("a", "b", "n", "B")
    assert fit_vocabulary(["banana", "bB"], "character", True).symbols == ("a", "b", "n")
    found = fit_vocabulary(["b a b", "a c, d"], "word", False, most=3)
    assert found.symbols == ("a", "b", ",")
    assert found.size == 4


def test_what_is_not_known_has_the_id_0() -> None:
    letters = fit_vocabulary(["abc"], "character", False)
    ids = encode(letters, "cAb\U0001f600\ud800")
    assert ids.dtype == np.int64
    assert ids.tolist() == [3, UNKNOWN, 2, UNKNOWN, UNKNOWN]
    some = fit_vocabulary(["The cat. The dog."], "word", True)
    assert some.symbols == (".", "the", "cat", "dog")
    assert encode(some, "the CAT sat.").tolist() == [2, 3, UNKNOWN, 1]
    assert encode(some, "").shape == (0,)
    nothing = fit_vocabulary([], "character", False)
    assert encode(nothing, "ab").tolist() == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("level", ["character", "word"])
@given(texts=st.lists(st.text(), min_size=1), lowercase=st.booleans())
def test_ids_give_the_symbols_back(level: SymbolLevel, texts: list[str], lowercase: bool) -> None:
    vocabulary = fit_vocabulary(texts, level, lowercase)
    assert len(set(vocabulary.symbols)) == len(vocabulary.symbols)
    for text in texts:
        folded = unicodedata.normalize("NFC", text.lower() if lowercase else text)
        symbols = list(folded) if level == "character" else words(folded)
        ids = encode(vocabulary, text)
        assert [vocabulary.symbols[i - 1] for i in ids.tolist()] == symbols


@given(st.text(), st.text(alphabet="abc"))
def test_symbols_that_were_left_out_are_unknown_and_nothing_else(text: str, known: str) -> None:
    vocabulary = fit_vocabulary([known], "character", False)
    folded = unicodedata.normalize("NFC", text)
    ids = encode(vocabulary, text).tolist()
    assert [i == UNKNOWN for i in ids] == [character not in known for character in folded]
