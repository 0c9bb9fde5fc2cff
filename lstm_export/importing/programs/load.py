"""A `.pt2` through torch's own loader, after ours found nothing in it that a load would run."""

from __future__ import annotations

import contextlib
import io
import logging
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from lstm_export.errors import CheckpointError, OptionError
from lstm_export.importing.archive import opened, root_of
from lstm_export.importing.formats import pt2
from lstm_export.importing.read import read
from lstm_export.importing.scripted.refusal import refusal


def loaded(path: Path) -> torch.export.ExportedProgram:
    """The program at `path`.

    Raises OptionError for a file of another format; CheckpointError for a damaged one, for one
    whose example inputs are no plain tensors, and where torch cannot load it.
    """
    form = read(path).format
    if form != pt2.NAME:
        raise OptionError(f"{path} is of format {form}, expected a .pt2 of torch.export.save")
    _refuse_pickles(path)
    try:
        with warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            from torch.export.pt2_archive._package import load_pt2

            programs = load_pt2(str(path)).exported_programs
            (program,) = programs.values()
            return program
    except Exception as error:  # whatever a graph of another version leads to
        reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise CheckpointError(
            f"{path}: expected a program of torch.export.save, but torch cannot load it: "
            f"{reason.strip()}: save it again with a version of torch that is not newer than this "
            "one, and without operators of one's own"
        ) from None


def _refuse_pickles(path: Path) -> None:
    """Raises CheckpointError where torch's loader would go on to a pickle that can run code.

    Source: torch/_export/serde/serialize.py, deserialize_torch_artifact.
    """
    with opened(path) as archive:
        start = f"{root_of(archive.names, 'archive_format')}data/sample_inputs/"
        for name in archive.names:
            if not name.startswith(start):
                continue
            body = archive.read(name)
            try:
                torch.load(io.BytesIO(body), weights_only=True)
            except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError) as error:
                reason = str(error).splitlines()[0]
                raise refusal(
                    str(path),
                    f"its example inputs are more than tensors in tuples, lists and dicts, and "
                    f"unpickling them could run code ({reason})",
                    "",
                    "program",
                ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within the block nothing is logged: torch's loader logs what it then raises."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
