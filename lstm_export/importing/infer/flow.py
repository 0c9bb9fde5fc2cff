"""What stands between layers and has no weights: which step goes on, and activations.

Nothing in a file tells these. The defaults, each said as an assumption:

- the head behind the last recurrent layer reads its last step, unless it gives as many values as
  an embedding has ids (a language model) or there is a matrix of transitions (a tagger);
- a ReLU between two linear layers or two convolutions, which without anything between them would
  be one; where torch.nn.Sequential numbers them without a gap there is nothing between them;
- no activation anywhere else: not before the head, and not behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.sequential import Bare, behind, number, steps_between

_MIXING = ("linear", "conv1d")
_NORMS = ("layer_norm", "rms_norm", "group_norm", "batch_norm")
_OTHERS = "tanh, gelu, leaky_relu and none are the likely others"


def with_activations(
    groups: Sequence[Group], every_step: str | None, declared: Mapping[str, Any]
) -> tuple[list[Group | Bare], list[str]]:
    """`groups` of one tower or trunk with what stands between them, and the assumptions made.

    `declared` may name the classes in a Sequential. `every_step` says why the head reads all steps;
    None where it reads the last.
    """
    placed: list[Group | Bare] = []
    said: list[str] = []
    start = _head(groups)
    for index, group in enumerate(groups):
        if index == start:
            recurrent = next(g for g in reversed(groups[:index]) if g.recurrent)
            said.append(_step_said(recurrent, every_step))
            if every_step is None:
                batch_first = recurrent.options.get("batch_first", True)
                options = {} if batch_first else {"batch_first": False}
                placed.append(Bare("last", options))
        last = groups[index - 1] if index else None
        known = steps_between(declared, last, group)
        if index == start and known is None:
            recurrent = next(g for g in reversed(groups[:index]) if g.recurrent)
            said.append(
                f"nothing stands between {recurrent.name or recurrent.kind} and {_called(group)}"
                f"{_before(group)}: relu and tanh are the likely others"
            )
        if known is not None:
            placed += known
        elif group.kind in _MIXING and (place := _open(placed)) is not None:
            first = placed[place]
            assert isinstance(first, Group)
            between = f"between {_called(first)} and {_called(group)}"
            at = _gap_place(placed, place, group)
            if at is None:
                said.append(f"nothing stands {between}: their numbers in torch.nn.Sequential touch")
            else:
                placed.insert(at, Bare("relu"))
                said.append(
                    f"a relu stands {between}, which would be one layer without it: {_OTHERS}"
                )
        placed.append(group)
    if groups and (rest := behind(declared, groups[-1])) is not None:
        placed += rest
    elif groups and groups[-1].kind in _MIXING:
        said.append(
            f"nothing stands behind {_called(groups[-1])}: softmax, sigmoid and tanh are the "
            "likely others"
        )
    return placed, said


def _head(groups: Sequence[Group]) -> int | None:
    """Where the last step is taken: before the norms and linear layers behind the last recurrent
    layer, and behind its convolutions. None where nothing of that kind follows."""
    recurrent = [i for i, group in enumerate(groups) if group.recurrent]
    if not recurrent:
        return None
    start = recurrent[-1] + 1
    convolutions = [i for i, g in enumerate(groups) if i >= start and g.kind == "conv1d"]
    start = convolutions[-1] + 1 if convolutions else start
    return start if any(group.kind == "linear" for group in groups[start:]) else None


def _step_said(recurrent: Group, every_step: str | None) -> str:
    name = recurrent.name or recurrent.kind
    if every_step is not None:
        return f"the head reads every step of {name} ({every_step}): last is the likely other"
    others = "all steps (without last), last_valid with lengths, mean or max"
    if recurrent.sizes["num_directions"] == 2:
        others += (
            ", and the final states of both directions, which are not the last step (the backward "
            "one ends at the first)"
        )
    return f"the head reads the last step of {name}; it may be {others}"


def _open(placed: Sequence[Group | Bare]) -> int | None:
    """The place of the linear layer or convolution that nothing but norms has followed yet."""
    for index in range(len(placed) - 1, -1, -1):
        step = placed[index]
        if isinstance(step, Group) and step.kind in _MIXING:
            return index
        if not (isinstance(step, Group) and step.kind in _NORMS):
            return None
    return None


def _gap_place(placed: Sequence[Group | Bare], place: int, group: Group) -> int | None:
    """Where the activation goes, by the gaps in Sequential's numbers; None where there is no gap.

    Outside a Sequential it goes behind the norms.
    """
    chain = [step for step in placed[place:] if isinstance(step, Group)] + [group]
    numbers = [number(step) for step in chain]
    parents = {step.name.rpartition(".")[0] for step in chain}
    if len(parents) > 1 or None in numbers:
        return len(placed)
    known = [each for each in numbers if each is not None]
    for offset in range(len(known) - 1, 0, -1):
        if known[offset] - known[offset - 1] > 1:
            return place + offset
    return None


def _before(group: Group) -> str:
    """What a first number above 0 in a Sequential says: something without weights is in front."""
    if place := number(group):
        return f", though {group.name} has {place} before it (an activation, or dropout)"
    return ""


def _called(group: Group) -> str:
    return group.name or group.kind
