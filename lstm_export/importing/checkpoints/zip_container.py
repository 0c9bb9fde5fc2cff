"""torch.save since 1.6: a zip archive with the pickle as data.pkl, storages as data/0, data/1, …

The layout is described in PyTorch's notes on serialization.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lstm_export.errors import CheckpointError
from lstm_export.importing.archive import Archive, opened, root_of
from lstm_export.importing.checkpoints.stored_tensors import Saved
from lstm_export.importing.pickles.read import read_pickle
from lstm_export.importing.pickles.rebuilds import REBUILDS
from lstm_export.importing.pickles.torch_values import torch_persistent

PICKLE = "data.pkl"


@contextlib.contextmanager
def opened_zip(path: Path) -> Iterator[Saved]:
    """The archive at `path`, whose storages can be read while the block runs.

    Raises CheckpointError if it is damaged, hostile, or no archive of torch.save.
    """
    with opened(path) as archive:
        root = root_of(archive.names, PICKLE)
        if root is None:
            raise CheckpointError(
                f"{path}: expected a {PICKLE} in the archive, as torch.save writes it, found none: "
                "save a state_dict with torch.save"
            )
        order = _word(archive, root + "byteorder") or "little"
        if order not in ("little", "big"):
            raise CheckpointError(
                f"{path}: its byteorder is {order!r}, expected little or big: fetch a whole copy"
            )
        body = archive.read(root + PICKLE)
        calls: dict[str, None] = {}
        value, end = read_pickle(body, f"{path}: {PICKLE}", REBUILDS, torch_persistent, calls=calls)
        if end != len(body):
            raise CheckpointError(
                f"{path}: {PICKLE} ends at byte {end} of {len(body)}: fetch a whole copy"
            )
        yield Saved(
            value,
            "torch.save, zip",
            lambda storage: archive.read(f"{root}data/{storage.key}"),
            order == "big",
            calls,
        )


def _word(archive: Archive, name: str) -> str | None:
    if name not in archive:
        return None
    return archive.read(name)[:40].decode("ascii", "replace").strip()
