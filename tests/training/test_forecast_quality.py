"""The benchmark of forecasts on real series, one seed each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.data
def test_models_beat_the_naive_forecast(shared_data: Path) -> None:
    command = [sys.executable, "benchmarks/forecast_quality.py", "--seeds", "1"]
    command += ["--data", str(shared_data)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    results = json.loads(done.stdout)
    for name in ("sunspots", "co2", "seattle", "sine"):
        assert results[name]["median"] < results[name]["baselines"]["naive"]
