"""What a bundle's manifest says of the file of weights that it was made of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_export.errors import CheckpointError

if TYPE_CHECKING:
    from lstm_export.bundle.manifest import WeightsOrigin


def weights_origin(path: Path, form: str, taken_for: str) -> WeightsOrigin:
    """The origin of a model whose weights are in the file at `path`, of the format `form`.

    Raises CheckpointError if it cannot be read any more.
    """
    from lstm_export.bundle.manifest import WeightsOrigin

    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from None
    return WeightsOrigin(path.name, form, digest, taken_for)
