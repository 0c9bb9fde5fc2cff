"""`golden.npz`: inputs with torch's and the oracle's outputs, so that parity replays without torch.

Entries are named `graph/case/role/tensor`, for example `model.onnx/batch2-length9/torch/output`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.errors import BundleError

Tensors = Mapping[str, npt.NDArray[Any]]
_ROLES = ("input", "torch", "oracle")


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One run of one graph: float32 inputs, torch float32 outputs, oracle float64 outputs."""

    graph: str
    name: str
    inputs: Tensors
    torch: Tensors
    oracle: Tensors


def golden_bytes(cases: Iterable[GoldenCase]) -> bytes:
    """The file for `cases`; the same cases give the same bytes."""
    entries: dict[str, Any] = {}
    for case in cases:
        for role, tensors in zip(_ROLES, (case.inputs, case.torch, case.oracle), strict=True):
            for name, value in tensors.items():
                entries[f"{case.graph}/{case.name}/{role}/{name}"] = np.asarray(value)
    buffer = io.BytesIO()
    np.savez(buffer, **entries)
    return buffer.getvalue()


def read_golden(content: bytes, where: str) -> tuple[GoldenCase, ...]:
    """The cases in a golden file, in its order. Raises BundleError naming `where`."""
    found: dict[tuple[str, str], dict[str, dict[str, npt.NDArray[Any]]]] = {}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            for entry in archive.files:
                parts = entry.split("/", 3)
                if len(parts) != 4 or parts[2] not in _ROLES:
                    raise BundleError(f"{where}: unexpected entry {entry!r}")
                graph, case, role, name = parts
                roles = found.setdefault((graph, case), {role: {} for role in _ROLES})
                roles[role][name] = archive[entry]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{where} is not a readable npz file: {error}") from None
    return tuple(
        GoldenCase(graph, case, roles["input"], roles["torch"], roles["oracle"])
        for (graph, case), roles in found.items()
    )
