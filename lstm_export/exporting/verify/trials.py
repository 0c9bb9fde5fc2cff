"""What an exported file is tried on: shapes other than the traced one, and values to go with them.

Every dynamic axis takes several sizes, each apart from the others. An axis that was baked in, or
taken for another of the same size, shows only then.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstm_export.contract import BATCH, GraphSpec
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.verify.roles import Role, roles
from lstm_export.exporting.verify.sizes import size_of
from lstm_export.exporting.verify.values import Style, drawn, with_nan_padding

WORK = 6e8
"""Multiplications, weights times positions, that all trials together may cost; three are always
made, and of a large model the cheap ones."""

_SMALL = 24
"""Up to here a traced size may be doubled without the trials becoming expensive."""

HEAVY = 5_000_000
"""Weights from which a module is asked for no more than is needed."""
_CHEAP_FIRST = (0, 1, 5, 2, 4, 3, 6, 7)

_LEVELS = (
    # The first name (batch, where there is one), the second (a length), and any others.
    ("more", "long", "double"),
    ("one", "one", "one"),
    ("one", "more", "long"),
    ("same", "long", "same"),
    ("more", "same", "one"),
    ("long", "one", "more"),
    ("same", "same", "same"),
    ("double", "double", "double"),
)
_STYLES = (
    Style(ragged=True),
    Style(),
    Style(ragged=True, scale=3.0),
    Style(ragged=True, usual=True),
    Style(zero_states=True),
    Style(ragged=True, usual=True),
    Style(ragged=True),
    Style(ragged=True, zero_states=True, scale=0.5),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One call: `tensors` in the order of the call's inputs, floating ones float32.

    One with NaN in its padding counts only where the module's own answers are free of it.
    """

    name: str
    sizes: Mapping[str, int]
    tensors: tuple[Tensor, ...]
    nan_padding: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes and the kind of values of a trial."""

    sizes: Mapping[str, int]
    style: Style
    seed: int


class Trials:
    """The trials of one graph, each in several versions of which the first that the module takes
    counts: whether integers are lengths, counts or codes is not always to be seen.
    """

    def __init__(
        self,
        module: nn.Module,
        call: Call,
        graph: GraphSpec,
        lengths: Set[str] = frozenset(),
    ) -> None:
        self.weights = sum(parameter.numel() for parameter in module.parameters())
        self.specs = {spec.name: spec for spec in graph.inputs}
        self.traced = _traced_sizes(call, graph)
        self.roles = roles(call, graph, self.traced, lengths, _vocabulary(module))

    def planned(self) -> list[Plan]:
        """At most eight, the most telling first."""
        names = sorted(self.traced, key=lambda name: not name.startswith(BATCH))
        costs, plans = 0.0, dict[Any, Plan]()
        heavy = self.weights > HEAVY
        for index in _CHEAP_FIRST if heavy else range(len(_LEVELS)):
            levels, style = _LEVELS[index], _STYLES[index]
            sizes = {
                name: _size(levels[i % 3] if i > 2 else levels[i], self.traced[name], heavy)
                for i, name in enumerate(names)
            }
            key = tuple(sizes.values()) if names else style
            cost = self.weights * self._positions(sizes)
            if key in plans or (len(plans) >= 3 and costs + cost > WORK):
                continue
            costs += cost
            plans[key] = Plan(sizes, style, index)
        return list(plans.values())

    def other_sizes(self, name: str) -> Iterator[Plan]:
        """More sizes for an axis of which none was taken yet, the others as they were traced."""
        size = self.traced[name]
        for turn, other in enumerate((size + 1, 3 * size, size + 4, size // 2, size - 1, 4 * size)):
            if other > 0:
                yield Plan({**self.traced, name: other}, Style(ragged=True), len(_LEVELS) + turn)

    def versions(self, plan: Plan) -> Iterator[Trial]:
        """One trial with its integers taken for what they seem to be, then more carefully."""
        sizes, style, seed = plan.sizes, plan.style, plan.seed
        guesses = 3 if any(role.uncertain for role in self.roles) else 1
        # A number of steps may equal a length by chance.
        for guess in ((0, 1, 2), (1, 0, 2))[seed % 2][:guesses]:
            generator = torch.Generator().manual_seed(1000 * guess + seed)
            tensors = tuple(
                drawn(role, self._shape(role, sizes), sizes, style, guess, seed, generator)
                for role in self.roles
            )
            name = self._name(sizes, style, tensors)
            axes = {spec.name: spec.axes for spec in self.specs.values()}
            if seed % len(_LEVELS) == 0:
                padded = with_nan_padding(self.roles, axes, tensors)
                if padded is not None:
                    yield Trial(f"{name}, NaN in the padding", dict(sizes), padded, True)
            yield Trial(name, dict(sizes), tensors)

    def scaled(self, trial: Trial, factor: float) -> Trial | None:
        """`trial` with its floating sequences `factor` times what they are, its states as they are;
        None where there are no such inputs.
        """
        if all(role.kind != "float" for role in self.roles):
            return None
        tensors = tuple(
            tensor * factor if role.kind == "float" else tensor
            for role, tensor in zip(self.roles, trial.tensors, strict=True)
        )
        name = f"{trial.name}, {'tiny' if factor < 1 else 'large'}"
        return replace(trial, name=name, tensors=tensors)

    def feeds(self, trial: Trial) -> dict[str, npt.NDArray[Any]]:
        """The trial as the graph takes it: its inputs by name, in its dtypes."""
        return {
            role.leaf.name: tensor.cpu().numpy().astype(self.specs[role.leaf.name].dtype)
            for role, tensor in zip(self.roles, trial.tensors, strict=True)
            if role.kind != "fixed"
        }

    def _shape(self, role: Role, sizes: Mapping[str, int]) -> tuple[int, ...]:
        spec = self.specs.get(role.leaf.name)
        if spec is None:
            return tuple(role.leaf.example.shape)
        return tuple(
            axis if isinstance(axis, int) else size_of(axis, sizes) or 1 for axis in spec.axes
        )

    def _name(self, sizes: Mapping[str, int], style: Style, tensors: tuple[Tensor, ...]) -> str:
        parts = [f"{name}={size}" for name, size in sizes.items()]
        kinds = {role.kind for role in self.roles}
        if kinds & {"lengths", "mask"}:
            parts.append("ragged" if style.ragged else "full")
        for role, tensor in zip(self.roles, tensors, strict=True):
            if tensor.dim() == 0 and role.kind == "count":
                parts.append(f"{role.leaf.name}={tensor.item()}")
        if "state" in kinds and style.zero_states:
            parts.append("zero states")
        if style.scale != 1 and "float" in kinds:
            parts.append(f"scale {style.scale:g}")
        return ", ".join(parts) or "other values"

    def _positions(self, sizes: Mapping[str, int]) -> int:
        axes = [{axis for axis in spec.axes if axis in sizes} for spec in self.specs.values()]
        return max((math.prod(sizes[str(axis)] for axis in named) for named in axes), default=1)


def _vocabulary(module: nn.Module) -> int:
    """How many codes every embedding of the module knows."""
    kinds = nn.Embedding | nn.EmbeddingBag
    sizes = [child.num_embeddings for child in module.modules() if isinstance(child, kinds)]
    return min(sizes, default=0)


def _traced_sizes(call: Call, graph: GraphSpec) -> dict[str, int]:
    """The size that each named axis has in the examples, but for those that follow from others."""
    examples = {leaf.name: leaf.example for leaf in call.inputs}
    found = {
        axis: size
        for spec in graph.inputs
        for axis, size in zip(spec.axes, examples[spec.name].shape, strict=True)
        if isinstance(axis, str)
    }
    plain = {axis: size for axis, size in found.items() if axis.isidentifier()}
    return {axis: size for axis, size in found.items() if axis in plain or not size_of(axis, plain)}


def _size(level: str, traced: int, heavy: bool) -> int:
    modest = heavy or traced > _SMALL
    return {
        "one": 1,
        "same": traced,
        "more": traced + (1 if heavy else 2),
        "long": traced + 3 - 2 * heavy if modest else 2 * traced + 3,
        "double": traced + 1 if modest else 2 * traced,
    }[level]
