"""What the source text in a TorchScript archive says of a class: its constants; nothing is run.

Source: torch/csrc/jit/docs/serialization.md. The class `__torch__.a.b.C` stands in
code/__torch__/a/b.py. Scripting keeps a module's constants (`hidden_size : Final[int] = 4`);
tracing keeps the arguments of the calls alone, `torch.lstm(x, hx, weights, True, 1, 0., …)`.
"""

from __future__ import annotations

import ast
import re
from typing import Any

_CONSTANT = re.compile(r"^  (\w+) : Final\[[^\n]{1,60}\] = ([^\n]{1,200})$", re.MULTILINE)
_LITERAL = r"(True|False|\d+|[\d.e+-]+)"
_CALL = re.compile(
    r"torch\.(lstm|gru|rnn_tanh|rnn_relu)\([^()]{1,4000}?" + rf", {_LITERAL}" * 6 + r"\)"
)
# torch.lstm and its siblings, after input, hx and params.
_ARGUMENTS = ("bias", "num_layers", "dropout", "train", "bidirectional", "batch_first")
_MODES = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN_TANH", "rnn_relu": "RNN_RELU"}


def source_file(module: str) -> str:
    """Where the classes of `module` (`__torch__.a.b`) stand in the archive."""
    return f"code/{module.replace('.', '/')}.py"


def plain_class(module: str, name: str) -> str:
    """The class in Python, without the marks of TorchScript: `torch.nn.modules.rnn.LSTM`."""
    parts = [part for part in module.split(".") if not part.startswith("___torch_mangle_")]
    return ".".join([*parts[1:], name])


def class_constants(source: str, name: str) -> dict[str, Any]:
    """The constants of the class `name` in `source`, and of a recurrent call in it the arguments.

    What is not as expected is passed over: these words only help to guess.
    """
    _, _, after = f"\n{source}".partition(f"\nclass {name}(")
    body = after.partition("\nclass ")[0]
    words = {key: _value(text) for key, text in _CONSTANT.findall(body)}
    calls = _CALL.findall(body)
    if len(calls) == 1:
        kind, *given = calls[0]
        words |= dict(zip(_ARGUMENTS, map(_value, given), strict=True)) | {"mode": _MODES[kind]}
    return {key: value for key, value in words.items() if value is not None}


def _value(text: str) -> Any:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    if isinstance(value, list | tuple):
        return tuple(value) if all(isinstance(v, bool | int | float | str) for v in value) else None
    return value if isinstance(value, bool | int | float | str) else None
