"""Random models as layer strings and random tensors for them, in both source layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from lstm_export.importing.description import Description
from lstm_export.importing.layers.bind import bind
from lstm_export.importing.layers.grammar import parse
from lstm_export.importing.raw import RawLayer

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
LETTERS = {"lstm": "ifgo", "gru": "rzn"}
Arrays = dict[str, npt.NDArray[Any]]


class Weights:
    """Collects tensors, float32 as most files hold them, and the layers that declare them."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.tensors: Arrays = {}
        self.declared: list[RawLayer] = []

    def array(self, *shape: int) -> npt.NDArray[np.float32]:
        return (self.random.normal(size=shape) / 2).astype(np.float32)

    def add(self, kind: str, name: str, layout: str, roles: dict[str, tuple[int, ...]]) -> None:
        for role, shape in roles.items():
            values = self.array(*shape)
            if role.endswith(("var", "variance")):
                values = np.abs(values) + np.float32(0.5)
            self.tensors[f"{name}.{role}"] = values
        if layout != "torch":
            named = {role: f"{name}.{role}" for role in roles}
            self.declared.append(RawLayer(kind, name, {}, named, layout))

    def description(self, text: str) -> Description:
        return bind(parse(text), self.tensors, self.declared)


def recurrent_roles(
    kind: str, layout: str, sizes: tuple[int, int], *, layers: int = 1, ways: int = 1,
    proj: int = 0, bias: str = "both", reset_after: bool = True, suffix: bool = True,
) -> dict[str, tuple[int, ...]]:  # fmt: skip
    """Roles and shapes of a recurrent step; `bias` is "both", "one" or "none"."""
    width, hidden = sizes
    rows, state = GATES[kind] * hidden, proj or hidden
    roles: dict[str, tuple[int, ...]] = {}
    for layer in range(layers):
        for way in range(ways):
            end = (f"_l{layer}" if suffix else "") + "_reverse" * way
            columns = state * ways if layer else width
            if layout == "torch":
                roles[f"weight_ih{end}"] = (rows, columns)
                roles[f"weight_hh{end}"] = (rows, state)
                for role in {"both": ("bias_ih", "bias_hh"), "one": ("bias_ih",)}.get(bias, ()):
                    roles[role + end] = (rows,)
                if proj:
                    roles[f"weight_hr{end}"] = (proj, hidden)
            elif layout == "nam":
                roles |= {f"weight{end}": (rows, columns + hidden), f"bias{end}": (rows,)}
                roles |= {f"initial_h{end}": (hidden,), f"initial_c{end}": (hidden,)}
            else:
                roles |= {f"kernel{end}": (columns, rows), f"recurrent_kernel{end}": (hidden, rows)}
                if bias != "none":
                    doubled = kind == "gru" and reset_after
                    roles[f"bias{end}"] = (2, rows) if doubled else (rows,)
    return roles


RECURRENT = (
    *((kind, "torch", True) for kind in GATES),
    *((kind, "keras", True) for kind in GATES),
    ("gru", "keras", False),
    ("lstm", "nam", True),
)
"""Kind, layout, and where a GRU's reset gate is: each of them has equations of its own."""


@st.composite
def arrangements(draw: st.DrawFn, kind: str, roles: dict[str, tuple[int, ...]]) -> list[str]:
    """Options that say how the tensors of `roles` are meant, those that fit them."""
    options = []
    if kind in LETTERS and draw(st.booleans()):
        options.append(f"gates={''.join(draw(st.permutations(LETTERS[kind])))}")
    there = {role.split("_l")[0].removesuffix("_reverse"): shape for role, shape in roles.items()}
    biases = [role for role in ("bias_ih", "bias_hh") if role in there]
    if "bias" in there:
        biases = ["bias_ih", "bias_hh"][: len(there["bias"])]
    words = ["both", "none", *(["twice"] if len(biases) == 1 else [])]
    words += ["input"] * ("bias_ih" in biases) + ["recurrent"] * ("bias_hh" in biases)
    if draw(st.booleans()):
        options.append(f"bias={draw(st.sampled_from(words))}")
    if draw(st.booleans()):
        options.append("initial=zeros")
    return options


@st.composite
def recurrent_models(
    draw: st.DrawFn, kind: str, layout: str, reset_after: bool
) -> tuple[Description, str]:
    """One recurrent layer, its outputs all returned."""
    layers = draw(st.integers(1, 3))
    ways = draw(st.integers(1, 2))
    proj = draw(st.sampled_from((0, 2))) if kind == "lstm" and layout == "torch" else 0
    bias = draw(st.sampled_from(("both", "one", "none")))
    weights = Weights(draw(st.integers(0, 2**16)))
    roles = recurrent_roles(
        kind, layout, (3, 4), layers=layers, ways=ways, proj=proj, bias=bias,
        reset_after=reset_after, suffix=layers > 1 or draw(st.booleans()),
    )  # fmt: skip
    if layout == "torch" and draw(st.booleans()):
        roles["initial_h"] = (layers * ways, 1, proj or 4)
        if kind == "lstm" and draw(st.booleans()):
            roles["initial_c"] = (layers * ways, 4)
    weights.add(kind, "net.rnn", layout, roles)
    declarations, options = "", []
    if time_major := draw(st.booleans()):
        options.append("batch_first=false")
    if draw(st.booleans()):
        declarations += "; n:lengths"
        options.append("lengths=n")
    if draw(st.booleans()):
        declarations += "; h0:state"
        options.append("initial_h=h0")
        if kind == "lstm":
            declarations += "; c0:state"
            options.append("initial_c=c0")
    if kind == "rnn":
        options.append(f"activation={draw(st.sampled_from(('tanh', 'relu')))}")
    if kind == "gru" and layout == "keras":
        options.append(f"reset_after={str(reset_after).lower()}")
    options += draw(arrangements(kind, roles))
    targets = "y, h, c" if kind == "lstm" else "y, h"
    source = "x:floats(time_major=true)" if time_major else "x:floats"
    text = f"{source}{declarations}; {targets} = x > net.rnn:{kind}({', '.join(options)})"
    return weights.description(text), text


def feed(description: Description, batch: int, time: int, seed: int = 0) -> Arrays:
    """Random inputs that fit the description: ids below 7."""
    random = np.random.default_rng(seed)
    named = {"batch": batch, "sequence_length": time}
    inputs: Arrays = {}
    for each in description.inputs:
        shape = tuple(named[axis] if isinstance(axis, str) else axis for axis in each.axes)
        if each.kind == "lengths":
            inputs[each.name] = random.integers(1, time + 1, size=shape)
        elif each.kind == "ids":
            inputs[each.name] = random.integers(0, 7, size=shape)
        else:
            inputs[each.name] = random.normal(size=shape)
    return inputs
