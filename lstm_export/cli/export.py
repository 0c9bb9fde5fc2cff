"""`lstm-export export SOURCE --out BUNDLE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lstm_export.cli.console import Force, Json, emit, emit_json


def export(
    source: Annotated[Path, typer.Argument(metavar="RUN", help="A finished training run.")],
    out: Annotated[Path, typer.Option("--out", help="The bundle to write, a folder.")],
    force: Force = False,
    json: Json = False,
) -> None:
    """Export a training run as a bundle that runs without torch.

    With --json: bundle, files (name to bytes and sha256), opset_version, ir_version, parity.
    """
    from dataclasses import asdict

    from lstm_export.errors import MissingExtraError

    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "torch", "train", "exporting") from None
    from lstm_export.exporting.bundle import export_bundle

    manifest = export_bundle(source, out, force=force)
    parity = manifest.parity
    assert parity is not None
    if json:
        files = {name: asdict(entry) for name, entry in manifest.files.items()}
        emit_json(
            {
                "bundle": str(out),
                "files": files,
                "opset_version": manifest.opset_version,
                "ir_version": manifest.ir_version,
                "parity": asdict(parity),
            }
        )
        return
    emit(f"bundle    {out}")
    for name, entry in manifest.files.items():
        emit(f"          {name:<12} {entry.bytes:>9,} bytes")
    emit(
        f"parity    {parity.cases} cases within the rule; worst error {parity.worst_error:.2g} "
        f"(bound {parity.worst_bound:.2g}), torch's own {parity.torch_error:.2g}"
    )
    emit(f"next      lstm-export verify {out} --against {source}")
