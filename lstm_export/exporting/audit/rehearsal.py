"""A module called several times from one state, to see what a call leaves for the next.

Random numbers are rewound before each call, so that what differs comes from what the module kept.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstm_export.exporting.audit.attributes import Content, changed, contents, marks, restore
from lstm_export.exporting.tracing.call import Call
from lstm_export.exporting.tracing.results import named_outputs
from lstm_export.exporting.unchanged.held import held
from lstm_export.exporting.unchanged.kept import Snapshot
from lstm_export.exporting.unchanged.single_thread import single_thread

Outputs = tuple[Tensor, ...]

_CLOSE = 1e-5
"""Of the largest value: the last places may depend on where in memory a tensor lies."""

_LARGE = 1 << 22
"""Parameters of a module that is not called more often than has to be."""


@dataclass(frozen=True, slots=True)
class Performance:
    """One call: what came out, or how it was refused, and what the module held afterwards."""

    outputs: Outputs | Exception
    after: Content


class Rehearsal:
    """Calls of `module` on the examples of `call`, on other values, and on the examples again.

    The caller has it in eval mode and wrapped in `kept`. Raises what the module raises on its own
    examples.
    """

    def __init__(self, module: nn.Module, call: Call) -> None:
        self.module, self.call = module, call
        self.before = contents(module)
        self._snapshot = Snapshot(module, weights=False)
        self.generators = Generators(module)
        written = marks(module)
        self.first = self.perform(call.examples)
        if isinstance(self.first.outputs, Exception):
            raise self.first.outputs
        self.draws = self.generators.moved()
        steady = marks(module) == written and not changed(self.before, self.first.after)
        if steady and not self.draws and self._large():
            # Nothing was written, so nothing is there to be read by another, costly call.
            self.other = self.again = self.first
            return
        self.other = self.perform([_varied(example) for example in call.examples])
        self.again = self.perform(call.examples)
        self.reset()

    def perform(self, tensors: Sequence[Tensor], *, rewind: bool = True) -> Performance:
        """One call on copies of `tensors`, from the state in which the last one left the module."""
        if rewind:
            self.generators.rewind()
        args, kwargs = self.call.bind([tensor.clone() for tensor in tensors])
        outputs: Outputs | Exception
        try:
            with single_thread():
                given = named_outputs(self.module(*args, **kwargs))
            outputs = tuple(t.detach().clone() for t in given.values())
        except Exception as error:
            outputs = error
        return Performance(outputs, contents(self.module))

    def _large(self) -> bool:
        """Whether calls are costly; where a hook may keep something out of sight they are made."""
        if any(one._forward_hooks or one._forward_pre_hooks for one in self.module.modules()):
            return False
        return sum(p.numel() for p in self.module.parameters()) > _LARGE

    def reset(self) -> None:
        """The module as it was before the first call."""
        self._snapshot.restore()
        restore(self.before)

    @contextlib.contextmanager
    def from_the_start(self) -> Iterator[None]:
        """The block begins and ends with the module as it was before the first call."""
        self.reset()
        try:
            yield
        finally:
            self.reset()


class Generators:
    """The random generators of the process and those that a module holds, at one moment."""

    def __init__(self, module: nn.Module) -> None:
        self._torch = [torch.default_generator]
        self._numpy: list[np.random.Generator] = []
        for one in held(module):
            if isinstance(one, torch.Generator):
                self._torch.append(one)
            elif isinstance(one, np.random.Generator):
                self._numpy.append(one)
        self._states = self._now()

    def moved(self) -> bool:
        """Whether anything was drawn since."""
        torch_states, rest = self._now()
        return rest != self._states[1] or not all(map(torch.equal, torch_states, self._states[0]))

    def rewind(self) -> None:
        if not self.moved():
            return
        states, (words, key, positions) = self._states
        for generator, state in zip(self._torch, states, strict=True):
            generator.set_state(state)
        random.setstate(words)
        name, content, *rest = key
        np.random.set_state((name, np.frombuffer(content, np.uint32), *rest))
        for held_one, position in zip(self._numpy, positions, strict=True):
            held_one.bit_generator.state = position

    def reseed(self, seed: int) -> None:
        """Other numbers from all of them."""
        for generator in self._torch:
            generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        for held_one in self._numpy:
            held_one.bit_generator.state = np.random.default_rng(seed).bit_generator.state

    def _now(self) -> tuple[list[Tensor], tuple[Any, Any, list[Any]]]:
        name, content, *rest = np.random.get_state(legacy=True)
        return (
            [generator.get_state() for generator in self._torch],
            (
                random.getstate(),
                (name, np.asarray(content).tobytes(), *rest),
                [one.bit_generator.state for one in self._numpy],
            ),
        )


def differ(one: Outputs | Exception, other: Outputs | Exception) -> bool:
    """Whether two calls gave different results, or only one of them gave any."""
    if isinstance(one, Exception) or isinstance(other, Exception):
        return type(one) is not type(other)
    return len(one) != len(other) or any(map(_differ, one, other))


def _differ(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return True
    if not one.is_floating_point():
        return not torch.equal(one, other)
    finite = one[torch.isfinite(one)]
    largest = float(finite.abs().max()) if finite.numel() else 0.0
    return not torch.allclose(one, other, rtol=0, atol=_CLOSE * largest, equal_nan=True)


def _varied(example: Tensor) -> Tensor:
    """Other values that are as plausible: the same ones in another order, and floats moved."""
    rolled = torch.roll(example.flatten(), 1).reshape(example.shape)
    if not example.is_floating_point():
        return rolled
    ramp = torch.linspace(0.8, 1.25, max(example.numel(), 1)).to(example.dtype)
    return rolled * ramp[: example.numel()].reshape(example.shape)
