"""Every call that is done by us: what plain data, NumPy and torch need, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from lstm_export.importing.pickles.machine import Rebuild
from lstm_export.importing.pickles.numpy_values import NUMPY
from lstm_export.importing.pickles.python_values import PYTHON
from lstm_export.importing.pickles.torch_values import TORCH
from lstm_export.importing.pickles.values import Global

REBUILDS: Mapping[Global, Rebuild] = {**PYTHON, **NUMPY, **TORCH}
