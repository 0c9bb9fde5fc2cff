"""A graph on disk: one ONNX file, or one and a file of its weights beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from lstm_export.exporting.graph.serialise import LIMIT, model_contents
from lstm_export.files import new_files, writing


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """The files of a graph, while they wait to be put in place.

    `model` is where the ONNX file is for now, with its data beside it. `path` is where it goes, and
    `data` where its weights go, None if they are in it. `bytes` counts both.
    """

    model: Path
    path: Path
    data: Path | None
    bytes: int


@contextlib.contextmanager
def written(
    model: ir.Model, path: Path, *, external_data: bool = False, limit: int = LIMIT
) -> Iterator[WrittenFiles]:
    """The file of `model`, complete within the block, and at `path` when that ends well.

    If it does not, nothing is left and what was at `path` is untouched. With `external_data`, or
    where one file would have more than `limit` bytes, the weights are in `path` + ".data" beside
    it. A link is followed.

    Raises ExportError if `model` is not valid ONNX, OutputError if a file cannot be written.
    """
    path = path.resolve() if path.is_symlink() else path
    contents = model_contents(model, path.name, external_data=external_data, limit=limit)
    # The weights first: a reader that finds the new graph finds them too.
    names = sorted(contents, key=lambda name: name == path.name)
    with new_files(path.parent, names) as folder:
        for name in names:
            with writing(path.parent / name), (folder / name).open("wb") as stream:
                stream.writelines(contents[name].pieces)
        beside = [path.parent / name for name in names if name != path.name]
        yield WrittenFiles(
            folder / path.name,
            path,
            beside[0] if beside else None,
            sum(content.size for content in contents.values()),
        )
