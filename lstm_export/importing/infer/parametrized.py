"""Weights that torch computes from others: weight norm, spectral norm, pruning, weight drop.

The formulas are those of torch.nn.utils.weight_norm, spectral_norm (in evaluation: the stored u
and v, no power iteration) and prune. Older forms keep `weight_g` and `weight_v`, or `weight_orig`
with `weight_u` or `weight_mask`, beside each other; newer ones `parametrizations.weight.original*`.
AWD-LSTM keeps the recurrent weight as `weight_hh_l0_raw` and drops parts of it in training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lstm_export.errors import CheckpointError
from lstm_export.importing.raw import Array

_NEW = re.compile(r"(?P<module>(?:.*\.)?)parametrizations\.(?P<name>[^.]+)\.(?P<rest>.+)")
_HINT = (
    "call torch.nn.utils.parametrize.remove_parametrizations(module, {name!r}) (or prune.remove, "
    "remove_spectral_norm) before saving, and save the state dict again"
)


@dataclass(slots=True)
class Resolved:
    """`tensors` in the file's order; `made_of` for those that are computed."""

    tensors: dict[str, Array]
    made_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def resolve(path: str, tensors: Mapping[str, Array]) -> Resolved:
    """`tensors` with every parametrized weight computed, in float64 and rounded to its own dtype.

    Raises CheckpointError for a parametrization whose function the names do not tell.
    """
    found = _Parametrized(path, tensors)
    made: dict[str, tuple[str, Array, tuple[str, ...]]] = {}
    ignored: dict[str, str] = {}
    kinds: dict[str, list[str]] = {}
    for name in tensors:
        computed = found.newer(name) or found.older(name)
        if computed is not None:
            weight, array, parts, kind = computed
            made[name] = weight, array, parts
            kinds.setdefault(kind, []).append(weight)
            if weight in tensors and weight not in parts:
                ignored[weight] = f"a copy that is computed from {' and '.join(parts)}"
    consumed = {part for _, _, parts in made.values() for part in parts} | ignored.keys()
    result = Resolved({}, ignored=ignored)
    for name, array in tensors.items():
        if name in made:
            weight, value, parts = made[name]
            result.tensors[weight] = value
            result.made_of[weight] = parts
        elif name not in consumed:
            result.tensors[name] = array
    result.notes = tuple(
        f"{kind}: {', '.join(weights)} computed from what is stored"
        for kind, weights in kinds.items()
    )
    return result


Computed = tuple[str, Array, tuple[str, ...], str]


class _Parametrized:
    def __init__(self, path: str, tensors: Mapping[str, Array]) -> None:
        self.path, self.tensors = path, tensors

    def newer(self, name: str) -> Computed | None:
        """`parametrizations.*`; `name` is the first of its tensors, the others give None."""
        match = _NEW.fullmatch(name)
        if match is None:
            return None
        around = name[: -len(match["rest"])]
        rest = {n.removeprefix(around): n for n in self.tensors if n.startswith(around)}
        weight = match["module"] + match["name"]
        if next(iter(rest.values())) != name:
            return None
        parts = tuple(rest.values())
        if set(rest) == {"original0", "original1"}:
            g, v = (self.tensors[rest[key]] for key in ("original0", "original1"))
            if _is_norm(g, v):
                return weight, _weight_norm(g, v), parts, "weight norm"
        if set(rest) == {"original", "0._u", "0._v"}:
            original, u, v = (self.tensors[rest[k]] for k in ("original", "0._u", "0._v"))
            if _is_spectral(original, u, v):
                return weight, _spectral_norm(original, u, v), parts, "spectral norm"
        raise CheckpointError(
            f"{self.path}: {weight} is parametrized ({', '.join(parts)}), and the file does not "
            f"say by which function: {_HINT.format(name=match['name'])}"
        )

    def older(self, name: str) -> Computed | None:
        if name.endswith("_g") and (v := f"{name[:-2]}_v") in self.tensors:
            if _is_norm(self.tensors[name], self.tensors[v]):
                value = _weight_norm(self.tensors[name], self.tensors[v])
                return name[:-2], value, (name, v), "weight norm"
        elif name.endswith("_raw") and (weight := self._dropped(name[:-4])) is not None:
            return weight, self.tensors[name], (name,), "weight drop"
        elif name.endswith("_orig"):
            return self._orig(name, name[:-5])
        return None

    def _orig(self, name: str, weight: str) -> Computed:
        original = self.tensors[name]
        mask, u, v = (self.tensors.get(f"{weight}_{end}") for end in ("mask", "u", "v"))
        if mask is not None and mask.shape == original.shape and _real(mask, original):
            return (
                weight,
                _as(original, original.astype(np.float64) * mask.astype(np.float64)),
                (name, f"{weight}_mask"),
                "pruning",
            )
        if u is not None and v is not None and _is_spectral(original, u, v):
            value = _spectral_norm(original, u, v)
            return weight, value, (name, f"{weight}_u", f"{weight}_v"), "spectral norm"
        raise CheckpointError(
            f"{self.path}: {name} is the source of {weight}, but neither {weight}_mask (pruning) "
            f"nor {weight}_u and {weight}_v (spectral norm) of fitting shapes are there to compute "
            f"it from: {_HINT.format(name=weight.rpartition('.')[2])}"
        )

    def _dropped(self, weight: str) -> str | None:
        """Where the weight of an AWD-LSTM belongs: beside the others, which may lie in `module.`"""
        module, _, leaf = weight.rpartition(".")
        around = f"{module}." if module else ""
        sibling = leaf.replace("weight_hh", "weight_ih")
        for place in (around, f"{around}module."):
            if sibling != leaf and f"{place}{sibling}" in self.tensors:
                return f"{place}{leaf}"
        return None


def _is_norm(g: Array, v: Array) -> bool:
    """Whether g has, for every axis of v, one norm over all of it or one for each of its places."""
    if not _real(g, v) or g.ndim == 0 or g.shape == (1,):
        return _real(g, v)
    pairs = zip(g.shape, v.shape, strict=False)
    return g.ndim == v.ndim and 1 in g.shape and all(n in (1, size) for n, size in pairs)


def _is_spectral(weight: Array, u: Array, v: Array) -> bool:
    return _real(weight, u, v) and u.shape + v.shape == _matrix_shape(weight)


def _real(*arrays: Array) -> bool:
    return all(array.dtype.kind in "fb" for array in arrays)


def _weight_norm(g: Array, v: Array) -> Array:
    """g · v / ‖v‖, the norm over every axis along which g has one number."""
    axes = None if g.ndim != v.ndim else tuple(i for i, n in enumerate(g.shape) if n == 1)
    wide = v.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        norm = np.sqrt(np.sum(wide * wide, axis=axes, keepdims=True))
        return _as(v, g.astype(np.float64) * wide / norm)


def _matrix_shape(weight: Array) -> tuple[int, int]:
    rows = weight.shape[0] if weight.ndim else 1
    return rows, weight.size // max(rows, 1)


def _spectral_norm(weight: Array, u: Array, v: Array) -> Array:
    """W / (uᵀ W v), W as a matrix of its first axis by the others."""
    wide = weight.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = u.astype(np.float64) @ wide.reshape(_matrix_shape(weight)) @ v.astype(np.float64)
        return _as(weight, wide / sigma)


def _as(like: Array, value: Array) -> Array:
    with np.errstate(over="ignore"):
        return value.astype(like.dtype)
