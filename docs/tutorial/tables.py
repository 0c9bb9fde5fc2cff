"""The tables of the page, each from the runs that its commands made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from figures import forecasts
from runs import Json, Runs


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """The first `words` columns are set to the left, numbers to the right."""
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def _rmse(errors: Sequence[float] | np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def _spread(row: Json, digits: str = ".2f") -> str:
    median, *ends = (format(row["score"][key], digits) for key in ("median", "smallest", "largest"))
    return f"{median} ({ends[0]} to {ends[1]})"


def sine(runs: Runs) -> str:
    x = np.array(runs.column("sine.csv", "x"))
    noise = x - np.sin(0.01 * np.arange(1, len(x) + 1))
    means = np.convolve(x, np.full(4, 0.25), "valid")[:-1]
    rows = [
        ("naive: the last value", runs.test("four", "naive")["rmse"]),
        ("the mean of the last four", _rmse((x[4:] - means)[-200:])),
        ("**LSTM, a window of 4**", runs.test("four")["rmse"]),
        ("**LSTM, a window of 48**", runs.test("many")["rmse"]),
        ("who knows the sine", _rmse(noise[-200:])),
    ]
    return _table(("forecast by", "test RMSE"), [(name, f"{value:.3f}") for name, value in rows])


def _gates(layer: Json) -> str:
    rows = [
        (name, f"{gate['near_zero']:.0%}", f"{gate['near_one']:.0%}", f"{gate['mean']:.2f}")
        for name, gate in layer["gates"].items()
    ]
    units = [np.inf if unit is None else unit for unit in layer["memory"]["units"]]
    memory = f"{min(units):.2g} to {max(units):.3g} steps, half of the units over"
    return (
        _table(("gate", "below 0.1", "above 0.9", "mean"), rows)
        + f"\n\nMemory of the units: {memory} {np.median(units):.2g}."
    )


def gates(runs: Runs) -> str:
    return _gates(runs.json("explain bundles/recall")["layers"][0])


def sunspot_gates(runs: Runs) -> str:
    return _gates(runs.json("explain bundles/sunspots")["layers"][0])


def switches(runs: Runs) -> str:
    recall = runs.json("explain bundles/recall")["layers"][0]["switches"]
    sunspots = runs.json("explain bundles/sunspots")["layers"][0]["switches"]
    rows = [
        (name, effect["meaning"], *(f"{one[name]['relative']:.2f}" for one in (recall, sunspots)))
        for name, effect in recall.items()
    ]
    return _table(("held", "which means", "`recall`", "sunspots"), rows, words=2)


def recall(runs: Runs) -> str:
    found = runs.json("compare recall --steps")["results"]
    places = sorted({row["steps"] for row in found})
    by_cell: dict[str, list[Json]] = {}
    for row in found:
        by_cell.setdefault(row["cell"], []).append(row)
    rows = [(cell.upper(), *(_spread(row) for row in own)) for cell, own in by_cell.items()]
    return _table(("accuracy", *(f"T = {place}" for place in places)), rows)


def chrono(runs: Runs) -> str:
    plain = runs.json("compare recall --steps")["results"]
    begun = runs.json("compare recall --cells")["results"]
    rows = []
    for row in begun:
        (before,) = [p for p in plain if (p["cell"], p["steps"]) == (row["cell"], row["steps"])]
        rows.append((row["cell"].upper(), _spread(before), _spread(row)))
    return _table(("accuracy at T = 100", "`--init default`", "`--init chrono`"), rows)


def compare(runs: Runs) -> str:
    rows = []
    for data in ("sunspots", "sum"):
        found = runs.json(f"compare {data}")
        for row in found["results"]:
            seconds = row["training_seconds"]
            latency = found["latency"][row["cell"]]
            rows.append(
                (
                    f"`{data}`, {row['cell'].upper()}",
                    f"{row['parameters']:,}",
                    "-" if seconds is None else f"{seconds['median']:.1f} s",
                    f"{1e6 * latency['seconds']:.0f} µs",
                    _spread(row, ".3g"),
                )
            )
    return _table(("", "weights", "training", "a sequence", "test RMSE"), rows)


def overfitting(runs: Runs) -> str:
    rows = []
    for run, words in (("large", "without dropout"), ("dropout", "dropout 0.5")):
        epochs = runs.epochs(run)
        best = min(epochs, key=lambda epoch: epoch["validation_loss"])
        last = epochs[-1]
        rows.append(
            (
                words,
                *(f"{e[k]:.3f}" for e in (best, last) for k in ("train_loss", "validation_loss")),
                str(best["epoch"]),
                f"{runs.test(run)['rmse']:.1f}",
            )
        )
    header = (
        *("", "training, best epoch", "validation", "training, epoch 150", "validation"),
        *("best epoch", "test RMSE of the best"),
    )
    return _table(header, rows)


def scaling(runs: Runs) -> str:
    truth = np.array(runs.column("growth.csv", "x"))[-120:]
    rows = [("naive: the last value", runs.test("growth", "naive")["rmse"])]
    rows += [
        (words, _rmse(truth - np.array(forecasts(runs, run))))
        for run, words in (
            ("growth", "scaled by the training part"),
            ("peeked", "scaled by all rows, the test part included"),
            ("difference", "on differences"),
        )
    ]
    return _table(("forecast by", "test RMSE"), [(name, f"{value:.3f}") for name, value in rows])


def sequences(runs: Runs) -> str:
    rows = []
    for run, what in (("digits", "handwritten digits"), ("texts", "topics of short texts")):
        metrics = runs.checkpoint(run)["metrics"]["test"]
        scores = {method: f"{one['accuracy']:.3f}" for method, one in metrics.items()}
        rows.append((what, scores["majority"], scores.get("1-NN", "-"), f"**{scores['model']}**"))
    return _table(("accuracy on the test part", "majority", "1-NN", "LSTM"), rows)


TABLES: dict[str, Callable[[Runs], str]] = {
    "sine": sine,
    "gates": gates,
    "switches": switches,
    "sunspot gates": sunspot_gates,
    "recall": recall,
    "chrono": chrono,
    "compare": compare,
    "overfitting": overfitting,
    "scaling": scaling,
    "sequences": sequences,
}
