"""`.pt2`: programs of torch.export, whose weights are raw bytes beside a JSON list; nothing is run.

Source: what torch 2.13 writes, and torch/export/pt2_archive (_package.py, constants.py) and
torch/_export/serde/schema.py. `data/weights/*_weights_config.json` and `data/constants/
*_constants_config.json` give each tensor its file, dtype, sizes, strides and offset;
`models/*.json` is the graph, whose nodes name the modules and arguments they came from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lstm_export.errors import CheckpointError
from lstm_export.importing.archive import MAGIC, Archive, member_names, opened, root_of
from lstm_export.importing.formats.json_text import parsed
from lstm_export.importing.formats.pt2_graph import graph_words
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.raw import Array, RawFile
from lstm_export.importing.stored_numbers import decoded, item_size, strided

NAME = "pt2 program"
_OLD = "serialized_exported_program.json"
_DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    34: "uint32",
    35: "uint64",
}


def matches(path: Path, head: bytes) -> bool:
    """Whether the archive says that it is one, or is one of torch before 2.8."""
    if not head.startswith(MAGIC):
        return False
    names = member_names(path)
    return root_of(names, "archive_format") is not None or root_of(names, _OLD) is not None


def read(path: Path) -> RawFile:
    """The parameters, buffers and constants of the program at `path`.

    `declared` has what its graph says: the modules' classes and the arguments of recurrent calls.
    Raises CheckpointError for a damaged archive, weights that are pickles (tensor subclasses), and
    sizes that the bytes contradict.
    """
    tensors, stored, declared = dict[str, Array](), dict[str, str](), dict[str, Any]()
    with opened(path) as archive:
        root = root_of(archive.names, "archive_format")
        if root is None:
            raise CheckpointError(
                f"{path}: a .pt2 of torch before 2.8, expected one of 2.8 or later: load it there "
                "with torch.export.load and save it again"
            )
        for folder in ("weights", "constants"):
            start, end = f"{root}data/{folder}/", f"_{folder}_config.json"
            configs = [n for n in archive.names if n.startswith(start) and n.endswith(end)]
            if len(configs) > 1:
                raise CheckpointError(
                    f"{path}: expected one program, found {len(configs)}: save each by itself"
                )
            for config in configs:
                for name, entry in _config(archive.read(config), f"{path}: {config}").items():
                    where = f"{path}: {shown(name)}"
                    tensors[name], stored[name] = _tensor(archive, start, entry, where)
        for model in archive.names:
            if model.startswith(f"{root}models/") and model.endswith(".json"):
                declared |= graph_words(parsed(archive.read(model), f"{path}: {model}"))
    if not tensors:
        raise CheckpointError(f"{path}: expected weights in the program, found none")
    return RawFile(str(path), NAME, tensors, stored, declared=declared)


def _config(body: bytes, where: str) -> dict[str, Any]:
    value = parsed(body, where)
    entries = value.get("config") if isinstance(value, dict) else None
    if not isinstance(entries, dict):
        raise CheckpointError(f"{where}: expected a config of names, found {str(value)[:60]}")
    return entries


def _tensor(archive: Archive, folder: str, entry: Any, where: str) -> tuple[Array, str]:
    meta = entry.get("tensor_meta") if isinstance(entry, dict) else None
    if not isinstance(meta, dict) or not isinstance(entry.get("path_name"), str):
        raise CheckpointError(f"{where}: expected a file and a tensor_meta, found {entry!r:.60}")
    if entry.get("use_pickle"):
        raise CheckpointError(
            f"{where} is a tensor subclass, stored as a pickle, expected a plain tensor: convert "
            "the weights before torch.export.export"
        )
    code = meta.get("dtype")
    if type(code) is not int or code not in _DTYPES or meta.get("layout") != 7:
        raise CheckpointError(
            f"{where}: expected a dense tensor of numbers, found dtype {code!r:.20} and layout "
            f"{meta.get('layout')!r:.20} of torch's schema: convert it to float32 first"
        )
    dtype, body = _DTYPES[code], archive.read(folder + entry["path_name"])
    shape, strides = _sizes(meta.get("sizes"), where), _sizes(meta.get("strides"), where)
    (offset,) = _sizes([meta.get("storage_offset")], where)
    whole = len(body) - len(body) % item_size(dtype)
    array = strided(decoded(body[:whole], dtype), shape, strides, offset)
    if array is None:
        raise CheckpointError(
            f"{where}: {dtype} of shape {shape}, strides {strides} and offset {offset} does not "
            f"fit the {len(body)} bytes stored for it"
        )
    return array, dtype


def _sizes(value: object, where: str) -> tuple[int, ...]:
    found = (
        [n.get("as_int") if isinstance(n, dict) else n for n in value]
        if (isinstance(value, list))
        else [None]
    )
    sizes = tuple(n for n in found if type(n) is int and 0 <= n < 1 << 48)
    if len(sizes) != len(found) or len(sizes) > 32:
        raise CheckpointError(f"{where}: expected sizes, found {str(value)[:60]}")
    return sizes
