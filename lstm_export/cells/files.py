"""What a comparison leaves for machines: compare.json, and compare.csv with a row per run."""

from __future__ import annotations

import json
from pathlib import Path

from lstm_export.cells.comparison import Comparison
from lstm_export.data.write import write_table
from lstm_export.files import write_atomic

NUMBERS, TABLE = "compare.json", "compare.csv"


def write_numbers(folder: Path, found: Comparison) -> tuple[Path, ...]:
    """Writes both files into `folder`, in the place of earlier ones. Raises OutputError."""
    document = json.dumps(found.to_dict(), indent=2, ensure_ascii=False)
    write_atomic(folder / NUMBERS, document + "\n")
    write_table(folder / TABLE, found.columns(), force=True)
    return folder / NUMBERS, folder / TABLE
