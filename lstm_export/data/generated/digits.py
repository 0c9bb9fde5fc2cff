"""`digits`: scikit-learn's images of written digits, read row by row."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from lstm_export.data.write import csv_text
from lstm_export.errors import MissingExtraError


def digits_to_train() -> bytes:
    """The 1,437 images to train on."""
    return _split()[0]


def digits_to_test() -> bytes:
    """The 360 images to test on."""
    return _split()[1]


@cache
def _split() -> tuple[bytes, bytes]:
    """All 1,797 images of 8 × 8 pixels, 0 to 16, a fifth of each digit for testing: long tables
    with a row per row of pixels: id (the image's number), t, p0 … p7, digit.

    Raises MissingExtraError where scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise MissingExtraError("scikit-learn", "digits", "the data set digits") from None
    digits = load_digits()
    train, test = train_test_split(
        np.arange(len(digits.target)), test_size=0.2, random_state=0, stratify=digits.target
    )
    return _long(digits, train), _long(digits, test)


def _long(digits: Any, chosen: np.ndarray[Any, np.dtype[np.int64]]) -> bytes:
    images = digits.images[chosen].astype(np.int64)
    count, rows, columns = images.shape
    pixels = images.reshape(count * rows, columns)
    return csv_text(
        {
            "id": np.repeat(chosen, rows).tolist(),
            "t": np.tile(np.arange(rows), count).tolist(),
            **{f"p{i}": pixels[:, i].tolist() for i in range(columns)},
            "digit": np.repeat(digits.target[chosen], rows).tolist(),
        }
    ).encode()
