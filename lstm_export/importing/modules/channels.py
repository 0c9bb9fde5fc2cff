"""Where the features of a value stand, for torch's layers that want them in the second axis."""

from __future__ import annotations

from torch import Tensor, nn

from lstm_export.importing.description import Step


class ChannelsLast(nn.Module):
    """A layer that wants (batch, features, sequence_length), given (batch, sequence_length, …)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 3:
            result: Tensor = self.inner(x)
        else:
            result = self.inner(x.transpose(1, -1)).transpose(1, -1)
        return result


def placed(step: Step, inner: nn.Module) -> nn.Module:
    """`inner` as it is with channels=first, else with the axes turned around it."""
    return inner if step.options.get("channels", "last") == "first" else ChannelsLast(inner)
