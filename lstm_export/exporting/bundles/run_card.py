"""The README of a run's bundle: what the model is and five lines to run it."""

from __future__ import annotations

from lstm_export.bundle.manifest import ParitySummary
from lstm_export.contract import Column, Forecast, Intervals
from lstm_export.exporting.bundles.card import markdown, render_card


def run_card(
    forecast: Forecast, name: str, parity: ParitySummary, intervals: Intervals | None = None
) -> str:
    """The card of a forecaster trained on the data set `name`."""
    window, recurrent = forecast.window, forecast.recurrent
    directions = ", two directions" if recurrent.bidirectional else ""
    projection = f", projected to {recurrent.proj_size}" if recurrent.proj_size else ""
    facts = [
        ("inputs", ", ".join(_with_unit(column) for column in forecast.features)),
        ("targets", ", ".join(_with_unit(column) for column in forecast.targets)),
        ("horizon", f"{window.horizon} row{'s' if window.horizon != 1 else ''}"),
        ("context", f"{window.context_length} rows"),
        (
            "network",
            f"{recurrent.cell.upper()}, {recurrent.num_layers} layer"
            f"{'s' if recurrent.num_layers != 1 else ''} of {recurrent.hidden_size}"
            f"{projection}{directions}",
        ),
    ]
    if forecast.time is not None:
        facts.append(("time step", f"{forecast.time.step} {forecast.time.unit}"))
    if intervals is not None:
        steps = intervals.steps(0)
        facts.append(
            (
                "intervals",
                f"forecast(history, coverage=0.9): up to {intervals.levels[-1]:g}, and up to "
                f"{steps} row{'s' if steps != 1 else ''} ahead",
            )
        )
    return render_card(
        "run_card.md.jinja",
        title=markdown(f"Forecast of {', '.join(c.name for c in forecast.targets)}"),
        summary=markdown(f"A recurrent forecaster trained on {name}, exported by lstm-export."),
        facts=[(label, markdown(value)) for label, value in facts],
        preprocessing=_preprocessing(forecast),
        history=window.history,
        horizon=window.horizon,
        shortest=window.shortest,
        width=len(forecast.features),
        outputs=len(forecast.targets),
        features=markdown(", ".join(c.name for c in forecast.features)),
        targets=markdown(", ".join(c.name for c in forecast.targets)),
        forecast=forecast,
        known=markdown(", ".join(c.name for c in forecast.known)),
        parity=parity,
    )


def _with_unit(column: Column) -> str:
    return f"{column.name} [{column.unit}]" if column.unit else column.name


def _preprocessing(forecast: Forecast) -> str:
    steps = []
    if forecast.window.difference:
        steps.append(f"differencing over {forecast.window.difference} rows")
    if forecast.input_scaling.kind != "none":
        steps.append(f"{forecast.input_scaling.kind} scaling")
    return f"{' and '.join(steps)} inside the graph" if steps else "no preprocessing is needed"
