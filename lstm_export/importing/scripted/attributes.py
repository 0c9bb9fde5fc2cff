"""What a script's modules hold, and the tree of plain modules that holds it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lstm_export.importing.scripted.refusal import Unsupported
from lstm_export.importing.scripted.terms import Held, Term, constant

_PLAIN: dict[str, Callable[[Tensor], nn.Module]] = {
    "Linear": lambda weight: nn.Linear(weight.shape[1], weight.shape[0], device="meta"),
    "Embedding": lambda weight: nn.Embedding(weight.shape[0], weight.shape[1], device="meta"),
    "Conv1d": lambda weight: nn.Conv1d(
        weight.shape[1], weight.shape[0], weight.shape[2], device="meta"
    ),
}
"""Layers that stay of their own class: what they take shows from it."""


_VALUES = (bool, int, float, str, list, tuple, dict, torch.device, type(None))


class Attributes:
    """The tensors that the code written for `script` reads, and the recurrent layers it calls."""

    def __init__(self, script: torch.jit.ScriptModule) -> None:
        self._script = script
        self._tensors: dict[str, Tensor] = {}
        self._parameters = {name for name, _ in script.named_parameters(remove_duplicate=False)}
        self._constants = 0
        self._taken = {name.partition(".")[0] for name, _ in script.named_modules()}
        self._taken |= {name.partition(".")[0] for name, _ in script.state_dict().items()}
        self.layers: dict[str, nn.RNNBase] = {}

    def get(self, holder: Held, name: str) -> Term:
        """Attribute `name` of `holder`. Raises Unsupported for an object of a class of its own."""
        path = f"{holder.path}.{name}" if holder.path else name
        if name in holder.script._modules:
            inner: Any = holder.script._modules[name]
            return Term("None", Held(inner, path))
        value = holder.script._c.getattr(name)
        return self._tensor(path, value) if isinstance(value, Tensor) else self.plain(value, path)

    def plain(self, value: Any, what: str) -> Term:
        """A value that stands in the code. Raises Unsupported, of `what`, for an object."""
        if isinstance(value, Tensor):
            return self.constant(value)
        if isinstance(value, list | tuple) and any(isinstance(one, Tensor) for one in value):
            parts = tuple(self.plain(one, what) for one in value)
            return Term(f"[{', '.join(one.text for one in parts)}]", parts=parts)
        if isinstance(value, _VALUES):
            return constant(value)
        kind = type(value).__name__
        if isinstance(value, torch._C.ScriptObject):
            kind = str(value._type()).removeprefix("__torch__.")
        held = "quantised weights" if "torch.classes" in kind else "no module, tensor or number"
        raise Unsupported(f"{what} holds {held} ({kind})")

    def constant(self, value: Tensor) -> Term:
        """A tensor that stands in the code, or that has no name of its own."""
        for name, one in self._script.named_parameters():
            if one.data_ptr() == value.data_ptr() and one.shape == value.shape:
                return self._tensor(name, one)
        return self._tensor(self.free("constant"), value)

    def free(self, name: str) -> str:
        """`name` with the first number that nothing at the top of the module is called by."""
        number = 0
        while f"{name}_{number}" in self._taken:
            number += 1
        self._taken.add(f"{name}_{number}")
        return f"{name}_{number}"

    def fill(self, module: nn.Module) -> None:
        """Gives `module` everything that was read, each at its path."""
        order = {name: number for number, (name, _) in enumerate(self._script.named_modules())}
        for path, layer in self.layers.items():
            self._owner(module, path).add_module(path.rpartition(".")[2], layer)
        for path, value in self._tensors.items():
            owner, name = self._owner(module, path), path.rpartition(".")[2]
            if name in owner._parameters and not owner.get_parameter(name).is_meta:
                continue
            if path in self._parameters:
                owner.register_parameter(name, nn.Parameter(value.detach()))
            else:
                owner.register_buffer(name, value.detach())
        _sort(module, order)

    def _tensor(self, path: str, value: Tensor) -> Term:
        self._tensors[path] = value
        return Term(reached(path), weight=lambda: value.detach(), path=path)

    def _owner(self, module: nn.Module, path: str) -> nn.Module:
        *parts, _ = path.split(".")
        script: Any = self._script
        for part in parts:
            script = _inner(script, part)
            if part not in module._modules:
                module.add_module(part, _plain(script))
            module = module.get_submodule(part)
        return module


def reached(path: str) -> str:
    """The expression for what stands at `path` in self."""
    text = "self"
    for part in path.split("."):
        text = f"{text}.{part}" if part.isidentifier() else f'getattr({text}, "{part}")'
    return text


def _plain(script: Any) -> nn.Module:
    """A layer of the same class as `script`, with its weights, or a module that only holds."""
    make = _PLAIN.get(getattr(script, "original_name", ""))
    own = dict(script.named_parameters(recurse=False)) if script is not None else {}
    if make is None or "weight" not in own or not set(own) <= {"weight", "bias"}:
        return nn.Module()
    layer: nn.Module = make(own["weight"])
    if not hasattr(layer, "bias") or "bias" not in own:
        if "bias" in own:
            return nn.Module()
        layer.register_parameter("bias", None)
    for name, value in own.items():
        layer.register_parameter(name, nn.Parameter(value.detach()))
    return layer


def _inner(script: Any, name: str) -> Any:
    """The module `name` of a script's module, None where there is none."""
    if script is None or name not in script._modules:
        return None
    return script._modules[name]


def _sort(module: nn.Module, order: Mapping[str, int], path: str = "") -> None:
    """Brings the modules within `module` into the order in which the script has them."""
    start = f"{path}." if path else ""
    inner = sorted(module._modules.items(), key=lambda one: order.get(start + one[0], len(order)))
    module._modules.clear()
    module._modules.update(inner)
    for name, one in inner:
        if one is not None:
            _sort(one, order, start + name)
