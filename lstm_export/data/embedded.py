"""Data sets that come with the package."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import resources

import numpy as np

from lstm_export.data.generated.digits import digits_to_test, digits_to_train
from lstm_export.data.generated.recall import STEPS, recall, steps_of
from lstm_export.data.generated.sums import sums_to_test, sums_to_train
from lstm_export.data.generated.tags import tags
from lstm_export.data.generated.texts import texts
from lstm_export.data.write import csv_text
from lstm_export.errors import DataError

_COMPUTED = "computed with a fixed seed"


@dataclass(frozen=True, slots=True)
class EmbeddedDataset:
    """One data set: how to get its CSV, what it is, and the options that suit it."""

    name: str
    title: str
    unit: str
    source: str
    csv: Callable[[], bytes]
    """The canonical CSV, the same bytes on every machine."""
    options: Mapping[str, object]
    """Recommended options for training, by the names that `lstm-export train` has."""
    test: Callable[[], bytes] | None = None
    """A part of its own to test on, the table `NAME:test`; None: it is split off."""


def _sunspots() -> bytes:
    return resources.files("lstm_export.data").joinpath("embedded", "sunspots.csv").read_bytes()


def _sine() -> bytes:
    i = np.arange(1, 1001)
    noise = np.random.default_rng(0).normal(0.0, 0.2, size=i.size)
    # Six decimals: libm's sin differs in its last bit between machines, the file must not.
    x = np.round(np.sin(0.01 * i) + noise, 6)
    return csv_text({"i": i.tolist(), "x": x.tolist()}).encode()


EMBEDDED: dict[str, EmbeddedDataset] = {
    "sunspots": EmbeddedDataset(
        name="sunspots",
        title="Yearly mean sunspot number, 1700–2008 (309 rows)",
        unit="sunspot number",
        source="NOAA NGDC by way of statsmodels; public domain",
        csv=_sunspots,
        options={
            "target": ["sunspots"],
            "time": "year",
            "unit": {"sunspots": "sunspot number"},
            "season": 11,
            "difference": 1,
            "cell": "gru",
            "context_length": 12,
            "weight_decay": 6e-3,
        },
    ),
    "sine": EmbeddedDataset(
        name="sine",
        title="sin(0.01·i) + N(0, 0.2), i = 1…1000: the classic tutorial series (1000 rows)",
        unit="1",
        source=_COMPUTED,
        csv=_sine,
        options={
            "target": ["x"],
            "time": "i",
            "difference": 0,
            "context_length": 48,
            "lr": 3e-3,
            "patience": 40,
            "input_noise": 0.3,
        },
    ),
}


def _recall(steps: int) -> EmbeddedDataset:
    return EmbeddedDataset(
        name="recall" if steps == STEPS else f"recall:{steps}",
        title=f"name the letter seen {steps} steps ago: recall:T for T steps (2000 texts)",
        unit="1",
        source=_COMPUTED,
        csv=lambda: recall(steps),
        options={
            "task": "classify",
            "target": ["letter"],
            "text": "text",
            "level": "character",
            "pooling": "last",
            "epochs": 60,
            "schedule": "cosine",
            "patience": 0,
        },
    )


EMBEDDED["recall"] = _recall(STEPS)
EMBEDDED |= {
    "sum": EmbeddedDataset(
        name="sum",
        title="the sum of 2 to 20 random numbers (1000 sequences; sum:test has 200 of 21 to 60)",
        unit="1",
        source=_COMPUTED,
        csv=sums_to_train,
        options={
            "task": "regress",
            "target": ["sum"],
            "features": ["x"],
            "time": "t",
            "series_id": "id",
            "pooling": "sum",
            "hidden_size": 16,
            "epochs": 200,
            "schedule": "cosine",
            "patience": 0,
        },
        test=sums_to_test,
    ),
    "tags": EmbeddedDataset(
        name="tags",
        title="flat, rising or falling: a label for each step (400 sequences, 18055 rows)",
        unit="1",
        source=_COMPUTED,
        csv=tags,
        options={
            "task": "tag",
            "target": ["label"],
            "features": ["x"],
            "time": "t",
            "series_id": "id",
            "hidden_size": 64,
            "batch_size": 8,
            "epochs": 60,
            "schedule": "cosine",
            "patience": 0,
        },
    ),
    "texts": EmbeddedDataset(
        name="texts",
        title="short sentences about weather, sport, food or travel (1200 texts)",
        unit="1",
        source=_COMPUTED,
        csv=texts,
        options={
            "task": "classify",
            "target": ["topic"],
            "text": "text",
            "level": "word",
            "lowercase": True,
            "pooling": "max",
            "epochs": 20,
        },
    ),
    "digits": EmbeddedDataset(
        name="digits",
        title="written digits of 8 × 8 pixels, row by row (1437 images; digits:test has 360 more)",
        unit="1",
        source="scikit-learn's load_digits: UCI Optical Recognition of Handwritten Digits, "
        "CC BY 4.0",
        csv=digits_to_train,
        options={
            "task": "classify",
            "target": ["digit"],
            "features": [f"p{i}" for i in range(8)],
            "time": "t",
            "series_id": "id",
            "bidirectional": True,
            "hidden_size": 64,
            "input_noise": 0.5,
            "dropout": 0.5,
            "validation": 0.0,
            "epochs": 60,
            "schedule": "cosine",
        },
        test=digits_to_test,
    ),
}


def known(name: str) -> EmbeddedDataset | None:
    """The data set called `name`, `recall:T` and `NAME:test` among them; None if there is none.

    Raises DataError for recall:T where T is no number of steps.
    """
    if name in EMBEDDED:
        return EMBEDDED[name]
    base, colon, argument = name.partition(":")
    if base == "recall" and colon:
        return _recall(steps_of(argument))
    found = EMBEDDED.get(base)
    if found is not None and found.test is not None and argument == "test":
        return replace(
            found, name=name, title=f"{found.title}: the test part", csv=found.test, test=None
        )
    return None


def dataset(name: str) -> EmbeddedDataset:
    """The data set called `name`. Raises DataError with the nearest name."""
    if found := known(name):
        return found
    close = difflib.get_close_matches(name, EMBEDDED, n=1)
    nearest = f" (did you mean {close[0]}?)" if close else ""
    raise DataError(
        f"no embedded data set is called {name!r}{nearest}: there are {', '.join(EMBEDDED)}"
    )
