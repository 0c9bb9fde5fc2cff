"""Sizes as symbols with which torch's own rules are asked what has to equal what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import sympy
import torch
from sympy import Expr, Symbol
from torch import Tensor
from torch._dynamo.source import ConstantSource
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv


class Symbols:
    """Symbols, each with the number that it was, and what torch found out about them."""

    def __init__(self) -> None:
        self.env = ShapeEnv(specialize_zero_one=False, duck_shape=False)
        self.mode = FakeTensorMode(shape_env=self.env, allow_non_fake_inputs=True)
        self.values: dict[Symbol, int] = {}

    def fresh(self, value: int) -> torch.SymInt:
        """A new one that was `value`."""
        source = ConstantSource(f"size_{len(self.values)}")
        symbol: Any = self.env.create_symbol(
            value, source, DimDynamic.DYNAMIC, constraint_dim=None, do_not_specialize_zero_one=True
        )
        self.values[symbol] = value
        made: Any = self.env.create_symintnode(symbol, hint=value, source=source)
        return cast(torch.SymInt, made)

    def size(self, expression: Expr) -> Any:
        """A size that is an expression of symbols."""
        hint = int(expression.subs(self.values))
        return self.env.create_symintnode(expression, hint=hint)

    def tensor(self, sizes: Sequence[Any], dtype: torch.dtype) -> Tensor:
        """A tensor of these sizes, without values."""
        with self.mode:
            return torch.empty(sizes, dtype=dtype)

    def held(self, tensor: Tensor) -> Tensor:
        """A module's own tensor, without values."""
        return self.mode.from_tensor(tensor.detach(), static_shapes=True)

    def expression(self, size: Any) -> Expr:
        """A size, with equal symbols being the same one, and those that have one value numbers."""
        if not isinstance(size, torch.SymInt):
            return sympy.Integer(int(size))
        return self.env.simplify(size.node._expr)

    def expressions(self, tensor: Tensor) -> list[Expr]:
        return [self.expression(size) for size in tensor.shape]

    def number(self, size: Any) -> int:
        """What a size was."""
        return int(self.expression(size).subs(self.values))

    def numbers(self, tensor: Tensor) -> list[int]:
        return [self.number(size) for size in tensor.shape]

    def bound(self) -> set[Symbol]:
        """The symbols that are held together by more than being equal."""
        found: set[Symbol] = set()
        for guard in self.env.guards:
            left = self.env.simplify(guard.expr)
            if isinstance(left, sympy.Eq) or left.has(sympy.Mod):
                found |= left.free_symbols
        return found
