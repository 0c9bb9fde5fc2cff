"""One-dimensional max pooling as two-dimensional, while a module is traced.

torch.export fixes the length that `nn.MaxPool1d` goes over, but not that of `nn.MaxPool2d` over an
image one pixel high, which is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class PoolingCapture(TorchFunctionMode):
    """Within the block, in this thread, max_pool1d leaves lengths open."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Any = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in (torch.max_pool1d, F.max_pool1d):
            kwargs.pop("return_indices", None)
            return _pooled(*args, **kwargs)
        return func(*args, **kwargs)


def _pooled(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:
    kernel = _number(kernel_size)
    step = kernel if stride is None or stride == [] else _number(stride)
    image = input.unsqueeze(-2)
    margin, spread = (0, _number(padding)), (1, _number(dilation))
    return torch.max_pool2d(image, (1, kernel), (1, step), margin, spread, ceil_mode).squeeze(-2)


def _number(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple | list) else value)
