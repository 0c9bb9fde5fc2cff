"""Data sets that come with the package."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources

import numpy as np

from lstm_export.data.write import csv_text
from lstm_export.errors import DataError


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
        source="computed with a fixed seed",
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


def dataset(name: str) -> EmbeddedDataset:
    """The data set called `name`. Raises DataError with the nearest name."""
    if name in EMBEDDED:
        return EMBEDDED[name]
    close = difflib.get_close_matches(name, EMBEDDED, n=1)
    nearest = f" (did you mean {close[0]}?)" if close else ""
    raise DataError(
        f"no embedded data set is called {name!r}{nearest}: there are {', '.join(EMBEDDED)}"
    )
