"""Whole sequences: the public API beside everything else that computes them."""

from __future__ import annotations

from typing import Any

from lstm_export.bench.field import OURS, OWN_GRAPH, STOCK_GRAPH, TORCH, Field
from lstm_export.bench.inputs import Feeds, feeds_for
from lstm_export.bench.limit import recurrent_flops
from lstm_export.bench.openvino_side import NAME as OPENVINO
from lstm_export.bench.openvino_side import openvino_runner
from lstm_export.bench.plain_session import plain_runner
from lstm_export.bench.subject import Subject
from lstm_export.bench.torch_models import TorchModel
from lstm_export.bundle.layout import LAYOUT


def sequence_field(
    subject: Subject, model: Any, torch: TorchModel | str, batch: int, length: int
) -> Field:
    """`model`, loaded from `subject`, at (batch, length). Raises OptionError for other shapes."""
    feeds = feeds_for(subject, LAYOUT.model, batch, length)
    field = Field("sequences", batch, length, recurrent_flops(subject.model, batch, length))
    only = next(iter(feeds.values())) if len(feeds) == 1 else None
    given: Any = feeds if only is None else only
    answer = model(given)
    field.enter(OURS, lambda: model(given))
    where = str(subject.files[LAYOUT.model])
    plain = plain_runner(subject.content(LAYOUT.model), where)
    field.enter(OWN_GRAPH, lambda: plain(feeds))
    field.compare(OWN_GRAPH, plain(feeds), answer)
    _openvino(field, subject, feeds, answer)
    if isinstance(torch, str):
        field.missing.update({TORCH: torch, STOCK_GRAPH: torch})
    else:
        _torch(field, subject, torch, feeds, answer)
    return field


def _openvino(field: Field, subject: Subject, feeds: Feeds, answer: object) -> None:
    try:
        runner = openvino_runner(subject.content(LAYOUT.model))
        first = list(runner(feeds).values())  # type: ignore[attr-defined]
    except ImportError:
        field.missing[OPENVINO] = "openvino is not installed: pip install openvino"
        return
    except RuntimeError as error:
        field.missing[OPENVINO] = f"OpenVINO refuses the graph: {first_line(error)}"
        return
    field.enter(OPENVINO, lambda: runner(feeds))
    field.compare(OPENVINO, first, answer)


def _torch(field: Field, subject: Subject, torch: TorchModel, feeds: Feeds, answer: object) -> None:
    from lstm_export.bench.stock_graph import stock_graph
    from lstm_export.bench.torch_side import inference

    call = torch.call(feeds, field.batch, field.length)
    suffix = f" ({torch.what})" if torch.what else ""
    try:
        with inference():
            expected = call()
    except Exception as error:  # the user's own module may raise anything
        field.missing[TORCH] = f"the module does not take the bundle's inputs: {first_line(error)}"
        field.missing[STOCK_GRAPH] = field.missing[TORCH]
        return
    for name in field.enter_torch(TORCH + suffix, call):
        if torch.exact:
            field.compare(name, expected, answer)
    try:
        args = torch.arguments(feeds, field.batch, field.length)
        names = tuple(feeds) if not torch.layers_alone else ("x",)
        stock = plain_runner(stock_graph(torch.module, args, names), STOCK_GRAPH)
        own = {name: value.numpy() for name, value in zip(names, args, strict=True)}
        found = stock(own)
    except Exception as error:  # exporters fail in many ways, each with a class of its own
        field.missing[STOCK_GRAPH] = f"torch's exporter, or its graph: {first_line(error)}"
        return
    field.enter(STOCK_GRAPH + suffix, lambda: stock(own))
    if torch.exact:
        field.compare(STOCK_GRAPH, found, answer)


def first_line(error: Exception) -> str:
    """The first line of what an error says, or its kind."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
