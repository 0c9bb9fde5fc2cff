"""The weights of the module bundles: drawn once, and kept in a file, so that no bundle depends on a
random number generator. Those of one bundle are drawn anew by, for example,

    python artifacts/draw_weights.py classifier:Classifier

They are wide enough that the gates work, and far from symmetric: equal or tiny weights would hide
exchanged gates, layers or directions.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from torch import nn

from lstm_export.exporting.source.factory import load_factory

HERE = Path(__file__).resolve().parent
REACH = 1.5
"""Of the usual bound for a layer's weights, one over the root of its width."""


def draw(folder: Path, module: nn.Module) -> None:
    """Writes `weights.safetensors` for `module` into `folder`; the name of the folder is the
    seed.
    """
    rng = np.random.default_rng(zlib.crc32(folder.name.encode()))
    weights = {}
    for name, parameter in module.state_dict().items():
        bound = REACH / np.sqrt(parameter.shape[-1])
        weights[name] = rng.uniform(-bound, bound, parameter.shape).astype(np.float32)
    save_file(weights, folder / "weights.safetensors")


if __name__ == "__main__":
    for chosen in sys.argv[1:]:
        name, _, kind = chosen.partition(":")
        draw(HERE / name, load_factory(f"{HERE / name / name}.py:{kind}"))
