"""The data sets in the package."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from lstm_export.data.embedded import EMBEDDED, dataset
from lstm_export.data.load import load_table
from lstm_export.data.series import read_series
from lstm_export.errors import DataError

SHA256 = {
    "sunspots": "74b8e3acb9886b68abe9c56f6081257d522e2cb2470f17dbf597b396f4ea1706",
    "sine": "eb51283c362027a296d371ea23987ab0738edf98024347df7f70304ff3d8606d",
    "recall": "cbeb46578f22ee03239ce83b7ead0216faeca0b2f3357d131e09649eaed59d05",
    "recall:100": "ba248b805ce310766b952dda0567e4774a83558551c8708da29defd2eec4160d",
    "sum": "bd987aaab2adb4f9f4a76bf88b097c0c0042ec98ccaa1c19ffd55f0256f497b0",
    "sum:test": "6c386fd175568418618c6d0a6aece4c2c8cc52599991be388e26c2ad5860879b",
    "tags": "fcd46707303db831380a845d013e47c6274924ce7a4edfce13752b765b5890f6",
    "texts": "f9cb10bc19d6ba52b43e3ff3d9f0b1d4824f8a2989e837b3d729d2645fc90d95",
}
FORECASTS = [name for name in EMBEDDED if "task" not in EMBEDDED[name].options]


@pytest.mark.parametrize("name", SHA256)
def test_the_bytes_never_change(name: str) -> None:
    assert load_table(name).sha256 == SHA256[name]


@pytest.mark.parametrize("name", FORECASTS)
def test_the_recommended_options_fit(name: str) -> None:
    options = dict(EMBEDDED[name].options)
    series = read_series(load_table(name), targets=options["target"], features=None)  # type: ignore[arg-type]
    assert series.time is not None
    assert series.time.column == options["time"]
    assert len(series.segments) == 1


def test_sunspots_are_whole() -> None:
    series = read_series(load_table("sunspots"), targets=None, features=None)
    assert (series.targets, len(series.values)) == (("sunspots",), 309)
    assert (series.timestamps[0], series.timestamps[-1]) == ("1700", "2008")
    assert float(series.values.max()) == 190.2
    assert series.notes == ()


def test_sunspots_say_where_they_are_from() -> None:
    source = (
        resources.files("lstm_export.data").joinpath("embedded", "SOURCE.md").read_text("utf-8")
    )
    assert "This data is public domain." in source
    assert "statsmodels" in source


def test_sine_is_the_tutorial_series() -> None:
    columns = load_table("sine").columns
    i, x = columns["i"].numbers().values, columns["x"].numbers().values
    noise = x - np.sin(0.01 * i)
    assert i.tolist() == list(range(1, 1001))
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 0.2) < 0.01


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(DataError, match=r"'sunspot' \(did you mean sunspots\?\): there are"):
        dataset("sunspot")


def test_reading_a_small_table_imports_numpy_alone() -> None:
    program = (
        "import sys\n"
        "from lstm_export.data.load import load_table\n"
        "from lstm_export.data.series import read_series\n"
        "import lstm_export.data.baselines, lstm_export.data.scaling\n"
        "read_series(load_table('sunspots'), targets=None, features=None)\n"
        "heavy = {'torch', 'polars', 'pandas', 'onnx', 'onnxruntime', 'matplotlib', 'typer'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
