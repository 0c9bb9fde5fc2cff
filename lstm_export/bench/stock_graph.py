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


def stock_graph(
    module: nn.Module, args: tuple[torch.Tensor, ...], names: Sequence[str] = ("x",)
) -> bytes:
    """`module`, called with `args`, with the first two axes of every input dynamic.

    By `torch.onnx.export(dynamo=False)`: the other exporter bakes the length of a recurrent layer
    in, and its graph has more nodes and is slower. Raises what the exporter raises.
    """
    import torch

    buffer = io.BytesIO()
    axes = {
        name: dict(enumerate(AXES[: value.dim()])) for name, value in zip(names, args, strict=True)
    }
    with quiet():
        torch.onnx.export(
            module,
            args,
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=list(names),
            dynamic_axes=axes,
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
