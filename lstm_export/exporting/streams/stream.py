"""The stream graph of a module, proved and with golden values; or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from lstm_export.bundle.golden import GoldenCase
from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import Contract
from lstm_export.errors import ExportError
from lstm_export.exporting.bundles.check import settle_golden
from lstm_export.exporting.exported import Exported, finished
from lstm_export.exporting.graph.serialise import serialise
from lstm_export.exporting.options import GraphOptions
from lstm_export.exporting.streams.carry import carrying
from lstm_export.exporting.streams.draws import Draws
from lstm_export.exporting.streams.golden import stream_candidates
from lstm_export.exporting.streams.mixing import mixing_places
from lstm_export.exporting.streams.proof import prove
from lstm_export.exporting.streams.refusal import NoStreamError
from lstm_export.exporting.streams.start import starts
from lstm_export.exporting.streams.stepwise import stream_sizes
from lstm_export.exporting.tracing.blame import Place, first_line

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ModuleStream:
    """A stream graph: its file, what it promises, and its golden values."""

    content: bytes
    contract: Contract
    golden: tuple[GoldenCase, ...]


def module_stream(module: nn.Module, result: Exported, options: GraphOptions) -> ModuleStream:
    """The stream of a module that was exported as `result`, while it is `ready`.

    Raises NoStreamError with the reason where it has none.
    """
    try:
        return _streamed(module, result, options)
    except NoStreamError:
        raise
    except Exception as error:
        # Whatever goes wrong here, the module's own graph is right: it alone is the bundle then.
        raise NoStreamError(f"its stream cannot be made: {first_line(error)}") from error


def _streamed(module: nn.Module, result: Exported, options: GraphOptions) -> ModuleStream:
    names = result.opened.names
    sizes = stream_sizes(names)
    carried = carrying(result.translated, names, sizes)
    draws = Draws(module, result.call, result.contract.graph, carried, sizes)
    contract = Contract("module", carried.graph)
    contract = replace(contract, stream_start=starts(result, carried, options, draws))
    finished(carried.model, contract, options)
    content = serialise(carried.model)
    places = mixing_places(names, sizes)
    try:
        prove(module, draws, content, contract.stream_start, doubtful=bool(places))
    except NoStreamError as error:
        raise NoStreamError(f"{error}{_told(places)}") from None
    candidates = stream_candidates(module, draws)
    try:
        golden, _ = settle_golden({LAYOUT.stream: content}, candidates)
    except ExportError as error:
        raise NoStreamError(str(error)) from None
    return ModuleStream(content, contract, tuple(golden))


def _told(places: Sequence[Place]) -> str:
    """The lines that may be why, if there are any."""
    return f"; steps meet at {', '.join(map(str, places[:_SHOWN]))}" if places else ""
