"""Rebuilds the bundles of this folder from their checkpoints: `make artifacts`.

Graphs must come out byte for byte as they are; then nothing is touched. Where they do not, the
bundle is replaced and the script says so, so that the difference can be looked at.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from lstm_export.bundle.read import open_bundle
from lstm_export.bundling import export_bundle

HERE = Path(__file__).resolve().parent


def rebuild(run: Path, bundle: Path) -> bool:
    """Exports `run` again; returns whether the graphs of `bundle` are what came out."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "bundle"
        export_bundle(run, fresh)
        graphs = open_bundle(fresh).manifest.graphs
        same = all(
            (bundle / name).is_file()
            and (bundle / name).read_bytes() == (fresh / name).read_bytes()
            for name in graphs
        )
    if not same:
        export_bundle(run, bundle, force=True)
    return same


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def main() -> None:
    for run in sorted(HERE.glob("*/run")):
        bundle = run.with_name("bundle")
        same = rebuild(run, bundle)
        print(f"{bundle.relative_to(HERE)}: {'identical' if same else 'REPLACED, graphs differ'}")


if __name__ == "__main__":
    main()
