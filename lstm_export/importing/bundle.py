"""A file of weights as a bundle: understood, built, and proved three ways before it is written.

The oracle computes in float64 from the raw tensors in the layout of their file; the torch module
has to give the same in float64, and the ONNX files the same under the parity rule.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstm_export.errors import MissingExtraError, OptionError
from lstm_export.importing.build import build
from lstm_export.importing.description import Description
from lstm_export.importing.example import example
from lstm_export.importing.expect.agreement import require_agreement
from lstm_export.importing.expect.check import check
from lstm_export.importing.expect.read import read_expected
from lstm_export.importing.origin import weights_origin
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.reference import run
from lstm_export.importing.understand import understand

if TYPE_CHECKING:
    from lstm_export.bundle.manifest import Manifest
    from lstm_export.exporting.bundles.module_origin import ModuleOrigin
    from lstm_export.exporting.target import Target
    from lstm_export.importing.understand import Understood

_LONGEST = 2000
_THREE_WAYS = (
    "proved three ways: the equations in float64 on the weights as the file arranges them, the "
    "torch module in both precisions, and the graphs in onnxruntime"
)


def export_weights(
    source: str | Path,
    path: str | Path,
    *,
    key: str | None = None,
    layers: str | None = None,
    allow_unused: bool = False,
    expect: Sequence[str | Path] = (),
    atol: float | None = None,
    target: Target = "portable",
    stream: bool | None = None,
    force: bool = False,
) -> Manifest:
    """The model in the file `source` as a bundle at `path`; returns its manifest.

    `key`, `layers` and `allow_unused` as for `understand`. `expect` are files of the user's own
    inputs and outputs, which the model has to give, within `atol` where that is given. Raises
    CheckpointError and OptionError as `understand` does, ParityError if one of the three ways
    disagrees with another or with `expect`, ExportError, OutputError and MissingExtraError.
    """
    if atol is not None and not expect:
        raise OptionError("atol is the tolerance of expected outputs: expected files of them too")
    understood = understand(source, key=key, layers=layers, allow_unused=allow_unused)
    agreed = _agreed(understood, [Path(each) for each in expect], atol) if expect else ()
    try:
        import torch

        from lstm_export.exporting.bundles.module_bundle import export_module_bundle
        from lstm_export.exporting.options import GraphOptions
    except ImportError as error:
        purpose = "exporting weights"
        raise MissingExtraError(error.name or "torch", "export", purpose) from None
    module = build(understood.description)
    args = tuple(torch.from_numpy(array) for array in example(understood.description).values())
    return export_module_bundle(
        module,
        Path(path),
        args,
        None,
        GraphOptions(target=target),
        stream=stream,
        force=force,
        origin=_origin(Path(source), understood, agreed),
    )


def _agreed(understood: Understood, expect: Sequence[Path], atol: float | None) -> tuple[str, ...]:
    """Notes on the user's own outputs, which agree; raises ParityError where they do not."""
    expected = read_expected(expect, understood.description)
    tensors = understood.description.tensors
    declared = understood.raw.layers or ()
    agreement = check(understood.layers, tensors, declared, expected, atol=atol)
    require_agreement(agreement)
    return agreement.said


def judge(
    description: Description, inputs: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[np.float64]]:
    """What the source says: `run`, on whatever numbers."""
    with np.errstate(all="ignore"):
        return run(description, inputs)


def _origin(source: Path, understood: Understood, agreed: tuple[str, ...]) -> ModuleOrigin:
    from lstm_export.exporting.bundles.module_origin import ModuleOrigin

    weights = weights_origin(source, understood.raw.format, understood.text)
    unused = [
        f"unused: {row.name}, {row.reason}" for row in understood.table if row.use == "unused"
    ]
    assumed = [f"assumed: {sentence}" for sentence in understood.assumptions]
    notes = (*understood.notes, *assumed, *unused, *agreed, _THREE_WAYS)
    return ModuleOrigin(
        source.name,
        "checkpoint",
        weights,
        tuple(shown(note, _LONGEST) for note in notes),
        functools.partial(judge, understood.description),
    )
