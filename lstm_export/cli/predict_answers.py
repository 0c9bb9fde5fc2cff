"""What `lstm-export predict` does with a model that answers sequences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_export.cli.console import emit_json, emit_table, say
from lstm_export.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstm_export.data.missing import Missing
    from lstm_export.runtime.answer_model import AnswerModel
    from lstm_export.runtime.answer_scores import LabelScores
    from lstm_export.runtime.forecast_model import ForecastModel
    from lstm_export.runtime.sequence_table import Answered

Told = tuple[dict[str, Any], list[str]]
"""What is known of answers: keys of --json, the same ones if nothing is, and lines."""
_TASKS = {"classify": "classifies sequences", "regress": "answers sequences", "tag": "tags steps"}


def refuse_forecasts(model: AnswerModel, flags: Mapping[str, object]) -> None:
    """Raises OptionError for `flags` (option to what was given) that only forecasts have."""
    given = [option for option, value in flags.items() if value not in (None, False)]
    if given:
        verb = "is" if len(given) == 1 else "are"
        raise OptionError(
            f"{' and '.join(given)} {verb} for forecasts, and this model "
            f"{_TASKS[model.contract.task]}: leave {'it' if len(given) == 1 else 'them'} out"
        )


def forecaster(bundle: Path, model: object, *, time: str | None, text: str | None) -> ForecastModel:
    """`model`, a forecaster. Raises BundleError where it is none, OptionError for what one has no
    use for: its time column is the one that it was trained with, and texts it does not read."""
    from lstm_export.errors import BundleError
    from lstm_export.runtime.forecast_model import ForecastModel

    if not isinstance(model, ForecastModel):
        raise BundleError(
            f"{bundle} is no forecaster, nor a model of sequences: it says nothing of a table's "
            "columns. Call it in Python: lstm_export.load"
        )
    for option, value in (("--time", time), ("--text", text)):
        if value is not None:
            raise OptionError(f"{option} is for models of sequences, and this one forecasts")
    return model


def predict_answers(
    model: AnswerModel,
    bundle: Path,
    data: str,
    *,
    series_id: str | None,
    time: str | None,
    text: str | None,
    missing: Missing,
    out: Path | None,
    plot: Path | None,
    force: bool,
    json: bool,
) -> None:
    """Answers the sequences of the table `data`, into `out` or on stdout."""
    from lstm_export.data.load import load_table
    from lstm_export.data.write import csv_text, write_table
    from lstm_export.runtime.answer_columns import answer_columns
    from lstm_export.runtime.answer_scores import label_scores
    from lstm_export.runtime.sequence_table import answer_sequences, sequences_for

    given = sequences_for(
        model, load_table(data), series_id=series_id, time=time, text=text, missing=missing
    )
    answered = answer_sequences(model, given)
    found = label_scores(answered)
    keys, lines = _numbers(answered) if model.terms.targets else _labels(answered, found)
    columns = answer_columns(answered)
    for note in given.notes:
        say(f"note: {note}")
    if plot is not None:
        from lstm_export.report.answers_plot import save_answers

        save_answers(plot, answered, found)
        say(f"wrote {plot}")
    if out is not None:
        write_table(out, columns, force=force)
        say(f"wrote {out}")
    for line in lines:
        say(line)
    if not json:
        if out is None:
            emit_table(csv_text(columns))
        return
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    emit_json(
        {
            "bundle": str(bundle),
            "data": data,
            "mode": model.contract.task,
            "answer": list(model.terms.answer),
            "sequences": len(given),
            **keys,
            "columns": list(columns),
            "rows": rows if out is None else None,
            "out": str(out) if out else None,
            "plot": str(plot) if plot else None,
            "notes": list(given.notes),
        }
    )


def _numbers(answered: Answered) -> Told:
    from lstm_export.runtime.answer_scores import number_scores

    errors = number_scores(answered)
    units = {target.name: target.unit for target in answered.terms.targets}
    lines = [
        f"{name}: RMSE {found['rmse']:.4g}, MAE {found['mae']:.4g}"
        + ("" if found["r2"] is None else f", R² {found['r2']:.4g}")
        for name, found in (errors or {}).items()
    ]
    return {"targets": units, "metrics": errors}, lines


def _labels(answered: Answered, found: LabelScores | None) -> Told:
    terms = answered.terms
    keys: dict[str, Any] = {
        "classes": list(terms.classes),
        **dict.fromkeys(("metrics", "labels", "confusion", "by_class", "unseen")),
    }
    if found is None:
        return keys, []
    keys["metrics"] = {"accuracy": found.accuracy, "macro_f1": found.macro_f1}
    keys |= {"labels": list(found.labels), "confusion": found.confusion.tolist()}
    keys |= {"by_class": found.by_class(), "unseen": found.unseen}
    count = int(found.confusion.sum())
    lines = [
        f"the label {label!r} was never seen in training: {times:,} of {count:,} wrong by that"
        for label, times in found.unseen.items()
    ]
    what = "steps" if terms.pooling is None else "sequences"
    lines.append(
        f"{terms.answer[0]}: accuracy {found.accuracy:.4f}, macro-F1 {found.macro_f1:.4f} "
        f"over {count:,} {what}"
    )
    return keys, lines
