"""The graph that torch's own exporter writes, as one would run it without this package."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

AXES = ("batch", "sequence_length")


def stock_graph(module: nn.Module, x: torch.Tensor) -> bytes:
    """`module`, of one input (batch, sequence_length, features), with both axes dynamic.

    By `torch.onnx.export(dynamo=False)`: the other exporter bakes the length of a recurrent layer
    in, and its graph has more nodes and is slower. Raises what the exporter raises.
    """
    import torch

    buffer = io.BytesIO()
    with quiet():
        torch.onnx.export(
            module,
            (x,),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=["x"],
            output_names=["output"],
            dynamic_axes={"x": dict(enumerate(AXES)), "output": {0: AXES[0]}},
            opset_version=18,
        )
    return buffer.getvalue()


@contextlib.contextmanager
def quiet(names: Sequence[str] = ("torch.onnx",)) -> Iterator[None]:
    """What the exporter says of itself while it works is not the reader's concern."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        levels = {name: logging.getLogger(name).level for name in names}
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
