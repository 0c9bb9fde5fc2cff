"""One small run and its bundle, made once for all tests of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

TARGET = 'Größe, "a"\n<b>&amp;</b>'


@pytest.fixture(scope="session")
def made(made_once: Callable[..., Path]) -> SimpleNamespace:
    """`data`, `run`, `bundle`, `target`: two epochs on sixty rows, by the commands themselves."""
    folder = made_once("cli-forecast", _fill)
    data, trained, bundle = folder / "data.csv", folder / "run", folder / "bundle"
    return SimpleNamespace(data=data, run=trained, bundle=bundle, target=TARGET)


def _fill(folder: Path) -> None:
    from lstm_export.cli.main import run
    from lstm_export.data.write import csv_text

    data, trained, bundle = folder / "data.csv", folder / "run", folder / "bundle"
    columns = {
        "year": list(range(1950, 2010)),
        "other": [i % 5 for i in range(60)],
        TARGET: [round(i % 7 + 0.3 * i, 2) for i in range(60)],
    }
    data.write_text("\ufeff" + csv_text(columns).replace("\n", "\r\n"), encoding="utf-8")
    quoted = '"' + TARGET.replace('"', '""') + '"'
    options = ["--epochs", "2", "--hidden-size", "4", "--context-length", "5", "--difference", "1"]
    assert run(["train", str(data), "--out", str(trained), "--target", quoted, *options]) == 0
    assert run(["export", str(trained), "--out", str(bundle)]) == 0
