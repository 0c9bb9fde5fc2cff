"""A model in a sentence and in a list of facts."""

from __future__ import annotations

from lstm_export.checkpoint import Description
from lstm_export.contract import Cell, Forecast, Recurrent
from lstm_export.report.page import Facts
from lstm_export.report.text import number, percent, short

CELLS: dict[Cell, str] = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}


def one_line(description: Description) -> str:
    """What the model is and what it sees, as one sentence."""
    terms = description.forecaster
    parameters = description.metrics.get("parameters")
    size = f" ({parameters:,} parameters)" if isinstance(parameters, int) else ""
    rows = "row" if terms.window.horizon == 1 else f"{terms.window.horizon} rows"
    return (
        f"{layers_and_ways(terms.recurrent)}{size} that sees {terms.window.history} rows and "
        f"forecasts the next {rows}."
    )


def layers_and_ways(spec: Recurrent) -> str:
    """For example: A bidirectional GRU with 2 layers of 50 units."""
    layers = f"{spec.num_layers} layers of" if spec.num_layers > 1 else "one layer of"
    ways = "bidirectional " if spec.bidirectional else ""
    article = "An" if not spec.bidirectional and spec.cell in ("lstm", "rnn") else "A"
    return f"{article} {ways}{CELLS[spec.cell]} with {layers} {spec.hidden_size} units"


def model_facts(description: Description) -> Facts:
    """What one needs to know to judge or repeat the run."""
    terms, metrics = description.forecaster, description.metrics
    spec = terms.recurrent
    windows = metrics.get("windows", {})
    pairs = [
        ("Targets", names([column.name for column in terms.targets])),
        ("Features", names([column.name for column in terms.features])),
        ("Cell", _cell(terms)),
        ("Context", f"{terms.window.context_length} rows"),
        ("Horizon", f"{terms.window.horizon} rows" if terms.window.horizon > 1 else "1 row"),
        ("Differencing", _difference(terms)),
        ("Scaling", f"{terms.input_scaling.kind}, fitted on the training part"),
        ("Streams", "yes" if terms.causal else "no: it reads a sequence in both directions"),
    ]
    if spec.proj_size:
        pairs.insert(3, ("Projection", f"{spec.proj_size} values"))
    if windows:
        counts = " / ".join(f"{windows.get(p, 0):,}" for p in ("train", "validation", "test"))
        pairs.append(("Windows: train / validation / test", counts))
    if "epochs" in metrics:
        pairs.append(("Epochs, best", f"{metrics['epochs']}, {metrics.get('best_epoch', '–')}"))
    if isinstance(loss := metrics.get("validation_loss"), int | float):
        pairs.append(("Validation loss", number(float(loss))))
    pairs += _intervals(description)
    pairs.append(("Seed", str(description.seed)))
    return Facts(pairs)


def _intervals(description: Description) -> list[tuple[str, str]]:
    found, tested = description.intervals, description.metrics.get("test_coverage")
    if found is None:
        return []
    steps = found.steps(0)
    rows = f"{steps} rows" if steps > 1 else "1 row"
    pairs = [("Intervals", f"up to {found.levels[-1]:g} and {rows} ahead")]
    if tested:
        shares = [
            f"{percent(share)} of {short(name)}" for name, share in tested["one_step"].items()
        ]
        pairs.append((f"Test truth within {tested['level']:g}, one step", names(shares)))
    return pairs


def _cell(terms: Forecast) -> str:
    spec = terms.recurrent
    layers = f"{spec.num_layers} × " if spec.num_layers > 1 else ""
    ways = ", bidirectional" if spec.bidirectional else ""
    return f"{layers}{CELLS[spec.cell]}({spec.input_size} → {spec.hidden_size}){ways}"


def _difference(terms: Forecast) -> str:
    lag = terms.window.difference
    return f"x[t] − x[t−{lag}]" if lag else "none"


def names(given: list[str], limit: int = 8) -> str:
    """The first `limit` names, and how many more there are."""
    shown = ", ".join(short(name) for name in given[:limit])
    return shown + (f" and {len(given) - limit} more" if len(given) > limit else "")
