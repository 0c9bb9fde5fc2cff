"""A module before it is exported: what it holds, what every exporter makes of it, where it may run.

Our own exporter is simply tried, into a folder that is thrown away: what it reports, or the error
that it raises, is the diagnosis.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_export.doctor.finding import Finding
from lstm_export.doctor.runtimes import Runtime, diagnose_graph
from lstm_export.doctor.stock import EXPORTERS, Request, StockOutcome, export_apart
from lstm_export.errors import LstmExportError

if TYPE_CHECKING:
    from torch import nn

    from lstm_export.exporting.report import ExportReport


@dataclass(frozen=True, slots=True)
class FoundLayer:
    """A recurrent layer or cell of torch.nn, or of lstm_export.nn, inside the module."""

    path: str
    kind: str
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    proj_size: int = 0

    def __str__(self) -> str:
        parts = [f"{self.kind} {self.input_size} → {self.hidden_size}"]
        parts += [f"{self.num_layers} layers"] * (self.num_layers > 1)
        parts += ["two directions"] * self.bidirectional
        parts += [f"projected to {self.proj_size}"] * bool(self.proj_size)
        return (f"{self.path}: " if self.path else "") + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class ModuleDiagnosis:
    """`report` is what our exporter gave, or None where it refused, with the reason `refusal`;
    `unregistered` has a sentence for each attribute with parameters that no optimiser sees."""

    source: str
    module: str
    parameters: int
    example: tuple[str, ...]
    guessed: bool
    layers: tuple[FoundLayer, ...]
    unregistered: tuple[str, ...]
    stock: tuple[StockOutcome, ...]
    report: ExportReport | None
    refusal: str
    runtimes: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def blocked(self) -> bool:
        """Whether it cannot be exported, or not for a runtime that was asked about."""
        return self.report is None or any(finding.blocks for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": "module",
            "source": self.source,
            "module": self.module,
            "parameters": self.parameters,
            "example": list(self.example),
            "guessed": self.guessed,
            "layers": [asdict(layer) for layer in self.layers],
            "unregistered": list(self.unregistered),
            "stock": [outcome.to_dict() for outcome in self.stock],
            "report": None if self.report is None else self.report.to_dict(),
            "refusal": self.refusal,
            "runtimes": list(self.runtimes),
            "findings": [finding.to_dict() for finding in self.findings],
            "blocked": self.blocked,
        }


def diagnose_module(
    source: str,
    *,
    weights: Path | None = None,
    example_shapes: Sequence[str] = (),
    runtimes: Sequence[Runtime] = (),
    stock: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> ModuleDiagnosis:
    """The module that `file.py:name` gives, diagnosed; its code is run.

    Without `example_shapes` an input is guessed from its first layers. `say` is told what takes
    time. Raises what load_example and load_into raise.
    """
    from lstm_export.exporting.audit.registration import unregistered
    from lstm_export.exporting.source.example import load_example
    from lstm_export.importing.into_module import load_into

    example = load_example(source, example_shapes)
    if weights is not None:
        load_into(example.module, weights)
    module, lines = example.module, example.lines
    outcomes = []
    for exporter in EXPORTERS if stock else ():
        say(f"trying {exporter}, in a process of its own")
        kept = None if weights is None else str(weights)
        outcomes.append(export_apart(Request(source, exporter, lines, kept)))
    say("trying lstm_export")
    report, refusal, findings = _tried(module, example.args, example.kwargs, runtimes)
    return ModuleDiagnosis(
        source,
        type(module).__name__,
        sum(parameter.numel() for parameter in module.parameters()),
        lines,
        example.guessed,
        tuple(found_layers(module)),
        unregistered(module),
        tuple(outcomes),
        report,
        refusal,
        tuple(map(str, runtimes)),
        findings,
    )


def found_layers(module: nn.Module) -> list[FoundLayer]:
    """The recurrent layers of torch.nn and of lstm_export.nn, and torch's cells, inside `module`,
    subclasses included."""
    from torch import nn

    from lstm_export.exporting.gates import RecurrentLayers, cell_of

    found = []
    for path, child in module.named_modules():
        if isinstance(child, RecurrentLayers):
            relu = getattr(child, "nonlinearity", "tanh") == "relu"
            kind = cell_of(child).upper() + " with ReLU" * relu
            shape = (child.num_layers, bool(child.bidirectional), getattr(child, "proj_size", 0))
            found.append(FoundLayer(path, kind, child.input_size, child.hidden_size, *shape))
        elif isinstance(child, nn.RNNCellBase):
            kind = next(c.__name__ for c in type(child).__mro__ if c.__module__.startswith("torch"))
            found.append(FoundLayer(path, kind, child.input_size, child.hidden_size))
    return found


def _tried(
    module: nn.Module, args: Any, kwargs: dict[str, Any], runtimes: Sequence[Runtime]
) -> tuple[ExportReport | None, str, tuple[Finding, ...]]:
    """What our exporter reports, or why it refuses; and what runtimes do with its graph."""
    from lstm_export.exporting.export import export_onnx

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        try:
            report = export_onnx(module, args, file, kwargs=kwargs)
        except LstmExportError as error:
            return None, str(error), ()
        return report, "", tuple(diagnose_graph(file, runtimes)) if runtimes else ()
