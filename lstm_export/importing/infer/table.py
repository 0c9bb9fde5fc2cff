"""Every tensor of a file: what it is used as, or why it is not used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from lstm_export.errors import CheckpointError
from lstm_export.importing.description import Step
from lstm_export.importing.infer.state import State
from lstm_export.importing.raw import RawFile

HEADER = ("tensor", "shape", "stored as", "used as")


@dataclass(frozen=True, slots=True)
class TensorRow:
    """One tensor of the file.

    `use` is "used" with `layer` and `role`; "ignored" with a `reason` for what no prediction reads
    (an optimizer, a counter, a copy); "unused" with a `reason` for what one may have read.
    """

    name: str
    shape: tuple[int, ...]
    stored: str
    use: Literal["used", "ignored", "unused"]
    layer: str = ""
    role: str = ""
    reason: str = ""


def tensor_table(
    raw: RawFile,
    state: State,
    steps: Iterable[Step],
    ignored: Mapping[str, str],
    unused: Mapping[str, str],
) -> tuple[TensorRow, ...]:
    """One row for each tensor of `raw`, in the file's order.

    `ignored` and `unused` give reasons by the names of `state.tensors`; a tensor that is in no
    step and in neither is unused as well.
    """
    used = _used(state, steps)
    harmless = {**_by_source(state, ignored), **state.ignored}
    left = {**_by_source(state, unused), **state.unused}
    return tuple(_rows(raw, used, harmless, left))


def used_by(
    table: Iterable[TensorRow], state: State, steps: Iterable[Step]
) -> tuple[TensorRow, ...]:
    """`table` as it is with `steps`, which may be others than those that it was made for."""
    used = _used(state, steps)
    return tuple(_again(row, used.get(row.name)) for row in table)


def _again(row: TensorRow, place: tuple[str, str] | None) -> TensorRow:
    if place is not None:
        return replace(row, use="used", layer=place[0], role=place[1], reason="")
    if row.use == "used":
        reason = "none of the layers given takes it"
        return replace(row, use="unused", layer="", role="", reason=reason)
    return row


def _used(state: State, steps: Iterable[Step]) -> dict[str, tuple[str, str]]:
    """Layer and role by the names in the file."""
    return {
        source: (step.name or step.op, role)
        for step in steps
        for role, name in step.tensors.items()
        for source in state.sources[name]
    }


def _rows(
    raw: RawFile,
    used: Mapping[str, tuple[str, str]],
    harmless: Mapping[str, str],
    left: Mapping[str, str],
) -> Iterator[TensorRow]:
    for name, array in raw.tensors.items():
        stored = raw.stored.get(name, str(array.dtype))
        shape = tuple(int(size) for size in array.shape)
        if name in used:
            layer, role = used[name]
            yield TensorRow(name, shape, stored, "used", layer, role)
        elif name in harmless:
            yield TensorRow(name, shape, stored, "ignored", reason=harmless[name])
        else:
            reason = left.get(name, "none of the layers takes it")
            yield TensorRow(name, shape, stored, "unused", reason=reason)


def _by_source(state: State, reasons: Mapping[str, str]) -> dict[str, str]:
    return {source: reason for name, reason in reasons.items() for source in state.sources[name]}


def require_all_used(path: str, table: Sequence[TensorRow], allow_unused: bool = False) -> None:
    """Raises CheckpointError, naming each with its reason, if a tensor is unused."""
    unused = [row for row in table if row.use == "unused"]
    if not unused or allow_unused:
        return
    shown = "; ".join(f"{row.name} {row.shape}: {row.reason}" for row in unused[:12])
    more = f"; and {len(unused) - 12} more" if len(unused) > 12 else ""
    raise CheckpointError(
        f"{path}: {len(unused)} of its {len(table)} tensors would not be used: {shown}{more}. A "
        "model without them may be another model: name them in --layers, or accept it with "
        "--allow-unused"
    )


def text_rows(table: Sequence[TensorRow]) -> list[tuple[str, str, str, str]]:
    """Rows of text under `HEADER`."""
    return [(row.name, _shape(row.shape), row.stored, _used_as(row)) for row in table]


def table_dicts(table: Sequence[TensorRow]) -> list[dict[str, Any]]:
    """Rows as plain values under the names of the fields, shapes as lists."""
    return [{**asdict(row), "shape": list(row.shape)} for row in table]


def _used_as(row: TensorRow) -> str:
    if row.use == "used":
        return f"{row.layer} {row.role}"
    return f"{'UNUSED' if row.use == 'unused' else 'ignored'}: {row.reason}"


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one number"
