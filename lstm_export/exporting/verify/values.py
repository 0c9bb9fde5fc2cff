"""Values for a trial: random, and such as the input can really have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from lstm_export.exporting.verify.roles import Role

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """What kind of values a trial has."""

    ragged: bool = False
    zero_states: bool = False
    scale: float = 1.0
    usual: bool = False
    """Floating values spread as the example's are, rather than around 0 with a spread of 1."""


def drawn(
    role: Role,
    shape: Shape,
    sizes: Mapping[str, int],
    style: Style,
    guess: int,
    seed: int,
    generator: Generator,
) -> Tensor:
    """A tensor of `shape` for the leaf of `role`, in its dtype and on its device.

    `guess` is how boldly integers are understood: 0 and 1 as what they seem, 2 as the example's own
    values.
    """
    example = role.leaf.example
    if role.kind == "fixed":
        return example.clone()
    if role.kind in ("float", "state"):
        value = _floats(role, shape, style, generator)
    elif role.kind in ("mask", "flags"):
        value = _two_values(role, shape, style, generator)
    elif role.kind == "count":
        value = _count(role, sizes, guess, seed)
    elif role.kind == "lengths" and (guess < 2 or not role.uncertain):
        value = _lengths(role, shape, sizes, style, generator)
    else:
        value = _codes(role, shape, guess, generator)
    return value.to(example.dtype).to(example.device)


def with_nan_padding(
    roles: Sequence[Role], axes: Mapping[str, Sequence[str | int]], tensors: Sequence[Tensor]
) -> tuple[Tensor, ...] | None:
    """`tensors` with NaN wherever a row of lengths says that there is nothing; None without one."""
    found = list(tensors)
    for lengths, ends in zip(roles, tensors, strict=True):
        if lengths.kind != "lengths" or lengths.along is None:
            continue
        batch = axes[lengths.leaf.name][0]
        for position, role in enumerate(roles):
            own = list(axes.get(role.leaf.name, ()))
            if role.kind != "float" or not {batch, lengths.along} <= set(own):
                continue
            value = found[position]
            place = torch.arange(value.shape[own.index(lengths.along)], device=value.device)
            padding = place >= ends.to(value.device).unsqueeze(1)  # (batch, sequence_length)
            if own.index(batch) > own.index(lengths.along):
                padding = padding.T
            shape = [
                size if own[i] in (batch, lengths.along) else 1
                for i, size in enumerate(value.shape)
            ]
            found[position] = value.masked_fill(padding.reshape(shape), torch.nan)
    return None if all(a is b for a, b in zip(found, tensors, strict=True)) else tuple(found)


def _floats(role: Role, shape: Shape, style: Style, generator: Generator) -> Tensor:
    """Normal, and never negative where the example is not: it may be a rate or a probability."""
    example = role.leaf.example.detach().double().cpu()
    noise = torch.randn(shape, generator=generator, dtype=torch.float64)
    if role.kind == "state" and style.zero_states:
        return torch.zeros(shape)
    finite = example[example.isfinite()]
    spread = float(finite.std()) if finite.numel() > 1 else 0.0
    positive = bool(finite.numel() and finite.min() >= 0 and finite.max() > 0)
    if spread > 0 and (style.usual or positive):
        if positive:
            noise = torch.rand(shape, generator=generator, dtype=torch.float64)
            low, high = float(finite.min()), float(finite.max())
            return low + (high - low) * noise
        return float(finite.mean()) + spread * style.scale * noise
    if positive:  # one value, repeated
        return noise.abs() * float(finite.max())
    return noise * style.scale


def _two_values(role: Role, shape: Shape, style: Style, generator: Generator) -> Tensor:
    """Every row starts with the value that the example's rows start with, so none is empty."""
    assert role.values is not None
    first, other = role.values
    steps = shape[-1]
    place = torch.arange(steps)
    if role.kind == "mask":
        ends = _ends(shape[:-1], steps, style.ragged, generator)
        same = place < ends.unsqueeze(-1)
    else:
        same = torch.rand(shape, generator=generator) < 0.5
        same[..., :1] = True
    return torch.where(same, torch.tensor(first), torch.tensor(other))


def _lengths(
    role: Role, shape: Shape, sizes: Mapping[str, int], style: Style, generator: Generator
) -> Tensor:
    assert role.along is not None
    ends = _ends(shape, sizes[role.along], style.ragged, generator)
    example = role.leaf.example
    descending = bool((example[:-1] >= example[1:]).all())
    return ends.sort(descending=True).values if descending and role.leaf.kind == "tensor" else ends


def _ends(shape: Shape, longest: int, ragged: bool, generator: Generator) -> Tensor:
    """Lengths from 1 to `longest`, which at least one of them is."""
    if not ragged:
        return torch.full(shape, longest)
    ends = torch.randint(1, longest + 1, shape, generator=generator)
    if ends.numel():
        full = torch.randint(ends.numel(), (), generator=generator)
        ends.view(-1)[full] = longest
    return ends


def _count(role: Role, sizes: Mapping[str, int], guess: int, seed: int) -> Tensor:
    """A number of steps: as long as the sequence where the example's is, or another number."""
    value = int(role.leaf.example)
    if guess == 0 and role.along is not None:
        return torch.tensor(sizes[role.along])
    if guess == 2 or value < 0:
        return torch.tensor(value)
    turns = [1, value + 3, value + 1, value, 2, value + 2]
    return torch.tensor(turns[seed % len(turns)])


def _codes(role: Role, shape: Shape, guess: int, generator: Generator) -> Tensor:
    """Within the module's vocabulary, between the example's extremes, or of its very values."""
    example = role.leaf.example
    known = example.detach().cpu().flatten()
    if known.numel() == 0:
        return torch.zeros(shape, dtype=example.dtype)
    if guess == 2 or example.dtype == torch.bool:
        return known[torch.randint(known.numel(), shape, generator=generator)]
    low, high = int(known.min()), int(known.max())
    if guess == 0 and role.vocabulary > high:
        low, high = 0, role.vocabulary - 1
    return torch.randint(low, high + 1, shape, generator=generator)
