"""What layers that slide over the steps share: their numbers, and how many steps they leave."""

from __future__ import annotations

from lstm_export.importing.description import Step
from lstm_export.importing.ops.op import misfit


def number(step: Step, name: str, default: int = 1) -> int:
    """kernel, stride, dilation or groups, at least 1; raises CheckpointError."""
    value = int(step.options.get(name, default))
    if value < 1:
        raise misfit(step, f"expected {name} of at least 1, got {value}")
    return value


def channel_axis(step: Step, rank: int = 3) -> int:
    """The axis of the features: the last, or with channels=first the second."""
    return 1 if step.options.get("channels", "last") == "first" else rank - 1


def steps_left(step: Step, size: str | int, lost: int, stride: int) -> str | int:
    """How many windows begin `stride` apart in `size` steps, which `lost` more or fewer hold.

    ⌊(size − lost − 1) / stride⌋ + 1 = ⌈(size − lost) / stride⌉, as torch.nn.Conv1d has it. Raises
    CheckpointError for a known size that is too small for one.
    """
    if isinstance(size, int):
        if size <= lost:
            raise misfit(step, f"{size} steps are too few for a window of {lost + 1}")
        return (size - lost - 1) // stride + 1
    shorter = size if lost == 0 else f"({size}{-lost:+d})"
    return shorter if stride == 1 else f"ceil({shorter}/{stride})"
