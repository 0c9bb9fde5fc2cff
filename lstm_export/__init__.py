"""Recurrent networks as ONNX bundles: any batch, any length, the same numbers everywhere.

The names below load when they are first used, so that `import lstm_export` costs nothing and the
runtime never sees torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lstm_export.bundling import export_bundle as export_bundle
    from lstm_export.errors import LstmExportError as LstmExportError
    from lstm_export.exporting.export import export_onnx as export_onnx
    from lstm_export.exporting.report import ExportReport as ExportReport
    from lstm_export.parity.verify import verify as verify
    from lstm_export.runtime.load import load as load
    from lstm_export.runtime.settings import Settings as Settings

_HOMES = {
    "ExportReport": "lstm_export.exporting.report",
    "LstmExportError": "lstm_export.errors",
    "Settings": "lstm_export.runtime.settings",
    "export_bundle": "lstm_export.bundling",
    "export_onnx": "lstm_export.exporting.export",
    "load": "lstm_export.runtime.load",
    "verify": "lstm_export.parity.verify",
}

__all__ = [
    "ExportReport",
    "LstmExportError",
    "Settings",
    "__version__",
    "export_bundle",
    "export_onnx",
    "load",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
