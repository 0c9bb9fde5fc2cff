"""The manifest: a bundle's contract, origin and checksums in one JSON file.

Its own bytes are covered too: `checksum` is the sha256 of the file with that one value replaced
by 64 zeros, so a change of any byte of any file of a bundle is seen.
"""

# Annotations stay real types here: `decode` reads them, and strings would be compiled each start.

import json
from dataclasses import asdict, field
from typing import Any

from lstm_export.bundle.digest import sha256_hex
from lstm_export.bundle.layout import LAYOUT
from lstm_export.contract import (
    FORMAT_VERSION,
    Contract,
    DataOrigin,
    Forecast,
    GraphSpec,
    Intervals,
    Sequences,
    Start,
    Task,
    checked_version,
)
from lstm_export.decode import decode
from lstm_export.errors import BundleError, ChecksumError, ContractError
from lstm_export.frozen import dataclass

_BLANK = "0" * 64


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size and sha256 of one file of the bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class WeightsOrigin:
    """The file of weights that a bundle was made of: its name without folders, its format and
    sha256; and what it was taken for, as a layer string or in words."""

    file: str
    format: str
    sha256: str
    taken_for: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a bundle comes from. Versions, metrics and notes are plain, for people to read."""

    source_kind: str
    data: DataOrigin | None = None
    seed: int | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    weights: WeightsOrigin | None = None


@dataclass(frozen=True, slots=True)
class ParitySummary:
    """The verdict at export time: of all cases and outputs the one that came nearest its bound."""

    passed: bool
    cases: int
    worst_error: float
    worst_bound: float
    torch_error: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything a bundle says of itself."""

    task: Task
    graphs: dict[str, GraphSpec]
    opset_version: int
    ir_version: int
    files: dict[str, FileEntry]
    provenance: Provenance
    forecast: Forecast | None = None
    variants: dict[str, str] = field(default_factory=dict)
    parity: ParitySummary | None = None
    intervals: Intervals | None = None
    stream_start: dict[str, Start] | None = None
    sequences: Sequences | None = None
    independent_rows: bool | None = None
    """Whether each row of a batch has the outputs that it has alone; None where nobody asked."""

    @property
    def rows_are_independent(self) -> bool:
        """Whether a batch may be run in parts, or single rows as one batch."""
        return self.task != "module" if self.independent_rows is None else self.independent_rows

    def contract(self, graph: str) -> Contract:
        """The contract of one graph of the bundle, by file name."""
        if graph not in self.graphs:
            raise BundleError(f"the bundle has no {graph}; it has {', '.join(sorted(self.graphs))}")
        start = self.stream_start if graph == LAYOUT.stream else None
        return Contract(self.task, self.graphs[graph], self.forecast, start, self.sequences)

    def to_bytes(self) -> bytes:
        """The manifest file, its checksum filled in."""
        body = {"format_version": FORMAT_VERSION, "checksum": _BLANK, **asdict(self)}
        for name in ("intervals", "stream_start", "sequences", "independent_rows"):
            if body[name] is None:  # as manifests were before there were any
                del body[name]
        if self.provenance.weights is None:
            del body["provenance"]["weights"]
        text = json.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        digest = sha256_hex(text.encode())
        return text.replace(f'"checksum": "{_BLANK}"', f'"checksum": "{digest}"', 1).encode()

    @classmethod
    def from_bytes(cls, content: bytes, where: str) -> "Manifest":
        """Reads `to_bytes`. Raises ChecksumError, NewerFormatError or ContractError."""
        try:
            body = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{where} is not a manifest: not JSON ({error})") from None
        body = checked_version(body, where)
        checksum = body.pop("checksum", None)
        blank = content.replace(f'"checksum": "{checksum}"'.encode(), _blank_field(), 1)
        if checksum != sha256_hex(blank):
            raise ChecksumError(
                f"{where} was changed after it was written: its checksum does not match. "
                "Export the bundle again, or fetch it again from where it came"
            )
        body.pop("format_version")
        manifest = decode(cls, body, where)
        terms = {"forecast": manifest.forecast, "module": manifest}.get(
            manifest.task, manifest.sequences
        )
        if terms is None:
            raise ContractError(f"{where}: the task is {manifest.task}, but its terms are missing")
        if isinstance(terms, Sequences) and terms.task != manifest.task:
            raise ContractError(
                f"{where}: the task is {manifest.task}, but its terms are those to {terms.task}"
            )
        return manifest


def _blank_field() -> bytes:
    return f'"checksum": "{_BLANK}"'.encode()
