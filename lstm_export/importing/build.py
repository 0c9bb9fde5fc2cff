"""From a description to a torch module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstm_export.errors import MissingExtraError
from lstm_export.importing.description import Description

if TYPE_CHECKING:
    from torch import nn


def build(description: Description) -> nn.Module:
    """The module of `description`: float32, in eval mode, the inputs by name in their order.

    forward gives a tensor where the only output is called `output`, else a dict of tensors. Layers
    are named as in the file, with dots as underscores. Raises CheckpointError if the description
    contradicts itself, MissingExtraError without torch.
    """
    try:
        from lstm_export.importing.modules.network import network
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError("torch", "export", "building a module from weights") from None
    return network(description)
