"""An invented year of weather, one row a day, for the run beside this file: `weather.csv`.

Three series that hang together, on scales far apart: air pressure wanders in units of 1e5 Pa,
temperature follows the season and yesterday's pressure, and wind is stronger where pressure falls.
The run was trained on it, in this folder, with

    lstm-export train weather.csv --out run --time day --target temperature,wind \\
        --features temperature,wind,pressure --unit temperature=°C --unit wind=m/s \\
        --unit pressure=Pa --difference 1 --season 7 --hidden-size 8 --context-length 10 --epochs 12

of which three files are kept, and the graphs depend on these alone.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

DAYS = 366


def weather() -> list[tuple[str, str, str, str]]:
    """Rows of day, temperature [°C], wind [m/s] and pressure [Pa], as text."""
    rng = np.random.default_rng(2024)
    days = np.datetime64("2024-01-01") + np.arange(DAYS)
    pressure, falling = np.zeros(DAYS), np.zeros(DAYS)
    for day in range(1, DAYS):
        pressure[day] = 0.85 * pressure[day - 1] + rng.normal(0, 450)
        falling[day] = pressure[day - 1] - pressure[day]
    season = -np.cos(2 * np.pi * (np.arange(DAYS) - 20) / DAYS)
    temperature = 10 + 9 * season + 0.004 * np.roll(pressure, 1) + rng.normal(0, 1.2, DAYS)
    wind = np.abs(4 + 0.004 * falling + rng.normal(0, 0.8, DAYS))
    return [
        (str(day), f"{degrees:.1f}", f"{speed:.1f}", f"{101_300 + deviation:.0f}")
        for day, degrees, speed, deviation in zip(days, temperature, wind, pressure, strict=True)
    ]


if __name__ == "__main__":
    with Path(__file__).with_name("weather.csv").open("w", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("day", "temperature", "wind", "pressure"))
        table.writerows(weather())
