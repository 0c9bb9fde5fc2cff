"""Rebuilds the bundles of this folder from what they were made of: `make artifacts`.

Each folder here has a `bundle`, and beside it its source: a training run in `run`, or a module in a
Python file of the folder's name with its weights in `weights.safetensors`. Graphs must come out
byte for byte as they are; then nothing is touched. Where they do not, the bundle is replaced and
the script says so, so that the difference can be looked at; `--check` replaces nothing, and is 1
where a graph differs. `--force` writes all bundles anew, golden values, cards and manifests too.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

from lstm_export.bundle.manifest import Manifest
from lstm_export.bundle.read import open_bundle
from lstm_export.bundling import export_bundle

HERE = Path(__file__).resolve().parent


def sources() -> list[Path]:
    """The folders that hold a bundle's source, by name."""
    return sorted(folder for folder in HERE.iterdir() if _run(folder) or _module(folder))


def export(folder: Path, bundle: Path, *, force: bool = False) -> Manifest:
    """Exports the source in `folder` as a bundle at `bundle`."""
    if run := _run(folder):
        return export_bundle(run, bundle, force=force)
    spec = importlib.util.spec_from_file_location(folder.name, _module(folder))
    assert spec is not None
    assert spec.loader is not None
    source = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(source)
    return export_bundle(source.build(), bundle, args=source.example(), force=force)


def differing(one: Path, other: Path) -> list[str]:
    """The graphs that the bundles `one` and `other` do not have alike, byte for byte."""
    names = {name for bundle in (one, other) if bundle.is_dir() for name in _graphs(bundle)}
    return sorted(name for name in names if _bytes(one / name) != _bytes(other / name))


def main(arguments: list[str]) -> int:
    different = False
    for folder in sources():
        bundle = folder / "bundle"
        with tempfile.TemporaryDirectory() as temporary:
            fresh = Path(temporary) / "bundle"
            export(folder, fresh)
            found = differing(bundle, fresh)
        told = f"differs: {', '.join(found)}" if found else "identical"
        if "--force" in arguments or (found and "--check" not in arguments):
            export(folder, bundle, force=True)
            told += ", REPLACED"
        print(f"{bundle.relative_to(HERE)}: {told}")
        different = different or bool(found)
    return int(different and "--check" in arguments)


def _run(folder: Path) -> Path | None:
    return run if (run := folder / "run").is_dir() else None


def _module(folder: Path) -> Path | None:
    return file if (file := folder / f"{folder.name}.py").is_file() else None


def _graphs(bundle: Path) -> list[str]:
    return list(open_bundle(bundle).manifest.graphs)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
