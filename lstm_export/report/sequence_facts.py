"""A model of sequences in a sentence and in a list of facts."""

from __future__ import annotations

from lstm_export.checkpoint import Description
from lstm_export.contract import Sequences
from lstm_export.report.model_facts import CELLS, layers_and_ways, names
from lstm_export.report.page import Facts
from lstm_export.report.text import number

_POOLINGS = {
    "last": "the last step",
    "mean": "the mean over all steps",
    "max": "the largest values over all steps",
    "sum": "the sum over all steps",
}


def sequence_sentence(description: Description) -> str:
    """What the model is, what it reads and what it answers, as one sentence."""
    terms = description.sequence_terms
    parameters = description.metrics.get("parameters")
    size = f" ({parameters:,} parameters)" if isinstance(parameters, int) else ""
    columns = len(terms.features)
    reads = "texts" if terms.vocabulary else f"{columns} column{'s' if columns > 1 else ''}"
    if terms.pooling is None:
        answers = f"names one of {len(terms.classes)} labels for every step"
    elif terms.classes:
        answers = f"names one of {len(terms.classes)} classes for a whole sequence"
    else:
        answers = f"gives {names([target.name for target in terms.targets])} of a whole sequence"
    return f"{layers_and_ways(terms.recurrent)}{size} that reads {reads} and {answers}."


def sequence_facts(description: Description) -> Facts:
    """What one needs to know to judge or repeat the run."""
    terms, metrics = description.sequence_terms, description.metrics
    spec = terms.recurrent
    layers = f"{spec.num_layers} × " if spec.num_layers > 1 else ""
    ways = ", bidirectional" if spec.bidirectional else ""
    pairs = [
        ("Answers", names(list(terms.answer))),
        *([("Classes", names(list(terms.classes)))] if terms.classes else []),
        *_input(terms),
        ("Cell", f"{layers}{CELLS[spec.cell]}({spec.input_size} → {spec.hidden_size}){ways}"),
        *([("Projection", f"{spec.proj_size} values")] if spec.proj_size else []),
        ("Answer from", _POOLINGS[terms.pooling] if terms.pooling else "every step"),
        ("Streams", "yes" if terms.causal else "no: it needs whole sequences"),
    ]
    counts = metrics.get("sequences", {})
    if counts:
        shown = " / ".join(f"{counts.get(p, 0):,}" for p in ("train", "validation", "test"))
        pairs.append(("Sequences: train / validation / test", shown))
    if "epochs" in metrics:
        pairs.append(("Epochs, best", f"{metrics['epochs']}, {metrics.get('best_epoch', '–')}"))
    if isinstance(loss := metrics.get("validation_loss"), int | float):
        pairs.append(("Validation loss", number(float(loss))))
    pairs.append(("Seed", str(description.seed)))
    return Facts(pairs)


def _input(terms: Sequences) -> list[tuple[str, str]]:
    vocabulary = terms.vocabulary
    if vocabulary is None:
        scaling = f"{terms.input_scaling.kind}, fitted on the training part"
        return [
            ("Features", names([column.name for column in terms.features])),
            ("Scaling", scaling),
        ]
    letters = ", in small letters" if vocabulary.lowercase else ""
    known = f"{len(vocabulary.symbols):,} {vocabulary.level}s of the training part{letters}"
    return [("Vocabulary", known), ("Embedding", f"{terms.embedding_size} values")]
