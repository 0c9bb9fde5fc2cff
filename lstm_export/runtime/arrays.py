"""Types of arrays. Imported by type checkers alone: numpy.typing costs a cold start 2 ms."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]
