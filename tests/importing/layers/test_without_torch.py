"""Reading layers and computing them in float64 need numpy alone."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
sys.modules.update(dict.fromkeys(("torch", "onnx", "safetensors")))
import numpy as np
from lstm_export.errors import MissingExtraError
from lstm_export.importing.build import build
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.layers.toml import from_toml
from lstm_export.importing.reference import run
weights = {"rnn.weight_ih_l0": np.ones((4, 2)), "rnn.weight_hh_l0": np.zeros((4, 1))}
description = bind(parse("rnn:lstm, last"), weights)
print(run(description, {"x": np.zeros((3, 5, 2))})["output"].tolist())
try:
    build(description)
except MissingExtraError as error:
    print(error)
"""


def test_the_reference_runs_without_torch_and_building_says_what_is_missing() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    numbers, message = done.stdout.splitlines()
    assert numbers == "[[0.0], [0.0], [0.0]]"
    assert message == (
        "building a module from weights needs torch, which is not installed: "
        "pip install 'lstm-export[export]'"
    )
