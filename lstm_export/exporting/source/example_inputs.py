"""Examples of a module's arguments, from a line of text each.

x=2,5,3                float32, normally distributed
2,5,3                  the same, where forward requires one argument
tokens=2,5:int64<100   integers from 1 to 99, each row in descending order
state_0=1,2,8          the first tensor of the tuple that the argument `state` is
options_mask=2,5:bool  the entry `mask` of the dict that the argument `options` is
lengths:=[5,3]         a value as it stands: a list is a tensor, anything else stays what it is
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lstm_export.errors import OptionError

_SHAPE = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<sizes>\d+(?:,\d+)*,?)?(?::(?P<dtype>[a-z]+\d*)(?:<(?P<below>\d+))?)?"
)
_VALUE = re.compile(r"(?P<name>[A-Za-z_]\w*):=(?P<value>.+)", re.DOTALL)
_DTYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8")
_BELOW = 3

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def example_arguments(module: nn.Module, shapes: Sequence[str]) -> Arguments:
    """(args, kwargs) for `module` out of lines such as `x=2,5,3`; the same values each time.

    Integers without a bound stay below 3, or below the smallest embedding of the module. Raises
    OptionError for a line that makes no sense, a name that forward does not have, an argument that
    it requires and does not get.
    """
    generator = torch.Generator().manual_seed(0)
    smallest = [m.num_embeddings for m in module.modules() if isinstance(m, nn.Embedding)]
    below = min([_BELOW, *smallest])
    values: dict[str, Any] = {}
    signature = inspect.signature(module.forward)
    for text in shapes:
        name, value = _read(text.strip(), generator, below)
        name = name or _only_argument(text, signature)
        if name in values:
            raise OptionError(f"--example-shape gives {name} twice")
        values[name] = value
    return _arranged(module, signature, values)


def _read(text: str, generator: torch.Generator, below: int) -> tuple[str | None, Any]:
    if match := _VALUE.fullmatch(text):
        try:
            value = ast.literal_eval(match["value"].strip())
            return match["name"], torch.tensor(value) if isinstance(value, list) else value
        except (ValueError, SyntaxError, TypeError):
            raise OptionError(
                f"--example-shape {text}: expected a plain value after `:=`, such as [5, 3]"
            ) from None
    match = _SHAPE.fullmatch(text)
    dtype = (match["dtype"] or "float32") if match else ""
    if match is None or not (match["sizes"] or match["dtype"]) or dtype not in (*_DTYPES, "bool"):
        raise OptionError(
            f"--example-shape {text}: expected NAME=SIZES or NAME=SIZES:DTYPE, such as x=2,5,3 or "
            f"tokens=2,5:int64<100, with a dtype of {', '.join((*_DTYPES, 'bool'))}"
        )
    sizes = [int(size) for size in (match["sizes"] or "").split(",") if size]
    if 0 in sizes:
        raise OptionError(f"--example-shape {text}: a size of 0 shows nothing; use at least 1")
    if match["below"] is not None:
        below = int(match["below"])
    if match["below"] is not None and ("int" not in dtype or below < 1):
        raise OptionError(f"--example-shape {text}: `<` bounds integers, and above 0")
    return match["name"], _drawn(sizes, dtype, below, generator)


def _drawn(sizes: list[int], dtype: str, below: int, generator: torch.Generator) -> Tensor:
    kind: torch.dtype = getattr(torch, dtype)
    if dtype == "bool":
        return torch.rand(sizes, generator=generator) < 0.5
    if "int" in dtype:
        drawn = torch.randint(min(1, below - 1), below, sizes, generator=generator)
        # In this order they are lengths that every packing function takes.
        drawn = drawn.sort(dim=-1, descending=True).values if sizes else drawn
        return drawn.to(kind)
    return torch.randn(sizes, generator=generator).to(kind)


def _only_argument(text: str, signature: inspect.Signature) -> str:
    parameters = list(signature.parameters.values())
    required = [p.name for p in parameters if is_required(p)] or [p.name for p in parameters[:1]]
    if len(required) != 1:
        raise OptionError(
            f"--example-shape {text}: forward{signature} takes several arguments; say which, as in "
            f"{next(iter(signature.parameters), 'x')}={text}"
        )
    return required[0]


def _arranged(
    module: nn.Module, signature: inspect.Signature, values: Mapping[str, Any]
) -> Arguments:
    """`values` in the places of forward's parameters, nested ones gathered."""
    parameters = signature.parameters
    varying = {
        p.kind: p.name for p in parameters.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }
    positional = varying.get(inspect.Parameter.VAR_POSITIONAL)
    keywords = varying.get(inspect.Parameter.VAR_KEYWORD)
    whole: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        owner = next((p for p in _owners(name) if p in parameters), None)
        if name in parameters and name not in (positional, keywords):
            whole[name] = value
        elif owner is not None and owner != keywords:
            parts.setdefault(owner, {})[name[len(owner) + 1 :]] = value
        elif keywords is not None:
            whole[name] = value
        else:
            raise OptionError(
                f"--example-shape {name}: {type(module).__name__}.forward{signature} has no such "
                "argument"
            )
    for owner, inner in parts.items():
        if owner in whole:
            raise OptionError(f"--example-shape gives {owner} both whole and in parts")
        whole[owner] = _gathered(owner, inner)
    missing = [p.name for p in parameters.values() if is_required(p) and p.name not in whole]
    if missing:
        raise OptionError(
            f"{type(module).__name__}.forward{signature} also needs {', '.join(missing)}: give "
            f"--example-shape {missing[0]}=SIZES"
        )
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    in_row = True
    for parameter in parameters.values():
        name = parameter.name
        if name == positional:
            args += whole.get(name, ()) if in_row else ()
        elif name not in whole:
            in_row = False
        elif in_row and parameter.kind is not parameter.KEYWORD_ONLY:
            args.append(whole[name])
        else:
            kwargs[name] = whole[name]
    kwargs |= {name: value for name, value in whole.items() if name not in parameters}
    return tuple(args), kwargs


def _owners(name: str) -> Iterator[str]:
    """The names that `name` may be a part of, longest first: `a_b_0` may be of `a_b` or of `a`."""
    pieces = name.split("_")
    for count in range(len(pieces) - 1, 0, -1):
        yield "_".join(pieces[:count])


def _gathered(owner: str, parts: Mapping[str, Any]) -> Any:
    """A tuple out of parts named 0, 1, … or a dict out of others, as deep as the names go."""
    if not all(re.fullmatch(r"\d+(_.*)?", key) for key in parts):
        return dict(parts)
    inner: dict[int, dict[str, Any]] = {}
    for key, value in parts.items():
        position, _, rest = key.partition("_")
        inner.setdefault(int(position), {})[rest] = value
    if sorted(inner) != list(range(len(inner))):
        raise OptionError(
            f"--example-shape gives {', '.join(f'{owner}_{i}' for i in sorted(inner))}: the parts "
            f"of {owner} count from 0 without a gap"
        )
    return tuple(
        inner[i][""] if "" in inner[i] else _gathered(f"{owner}_{i}", inner[i])
        for i in range(len(inner))
    )


def is_required(parameter: inspect.Parameter) -> bool:
    """Whether a call must give this parameter."""
    varying = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in varying
