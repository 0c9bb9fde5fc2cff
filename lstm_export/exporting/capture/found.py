"""What a traced program holds, as its opaque nodes tell: recurrent layers, lengths of sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from lstm_export.exporting.capture.opaque import DOMAIN
from lstm_export.exporting.capture.ragged import LENGTHS
from lstm_export.exporting.capture.recurrent import OP_TYPE


@dataclass(frozen=True, slots=True)
class FoundRecurrent:
    """One opaque recurrent node: its attributes, and x as the tracer saw it."""

    attributes: dict[str, Any]
    x: Tensor
    y: Tensor
    W: Tensor
    ragged: bool

    @property
    def path(self) -> str:
        """Where the layer stands in the module; empty where it is the module."""
        return str(self.attributes["path"])

    @property
    def directions(self) -> int:
        return int(self.W.shape[0])

    @property
    def proj_size(self) -> int:
        """Width of h where the layer projects it, else 0."""
        width = int(self.y.shape[2]) // self.directions
        return width if width != self.attributes["hidden_size"] else 0

    @property
    def batch_and_time(self) -> tuple[Any, Any]:
        """The sizes of x along its two leading axes, numbers or symbols."""
        batch, time = (0, 1) if self.attributes["batch_first"] else (1, 0)
        return self.x.shape[batch], self.x.shape[time]


def found_recurrent(program: torch.export.ExportedProgram) -> list[FoundRecurrent]:
    """Every recurrent node of `program`, bodies of loops included, in order."""
    return [
        FoundRecurrent(
            _attributes(node),
            x=inputs[0].meta["val"],
            y=node.meta["val"][0],
            W=inputs[4].meta["val"],
            ragged=inputs[3] is not None,
        )
        for node, inputs in _opaque(program, OP_TYPE)
    ]


def found_lengths(program: torch.export.ExportedProgram) -> frozenset[int]:
    """Which inputs of `program`, by position, hold the lengths of sequences that it packs."""
    positions = {name: i for i, name in enumerate(program.graph_signature.user_inputs)}
    found = set()
    for _, inputs in _opaque(program, LENGTHS):
        lengths = inputs[0]
        while lengths.op == "call_function" and lengths.all_input_nodes:  # casts, copies
            lengths = lengths.all_input_nodes[0]
        if lengths.name in positions and inputs[0].meta["val"].shape == lengths.meta["val"].shape:
            found.add(positions[lengths.name])
    return frozenset(found)


def found_loop_lengths(program: torch.export.ExportedProgram) -> list[Any]:
    """The number of steps of each time loop of `program`, numbers or symbols."""
    return [
        sequence.meta["val"].shape[0]
        for node in program.graph.nodes
        if node.target is torch.ops.higher_order.scan
        for sequence in node.args[2][:1]
    ]


def _opaque(
    program: torch.export.ExportedProgram, op_type: str
) -> Iterator[tuple[Node, list[Any]]]:
    """The nodes of ours of one type, with their inputs."""
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, GraphModule) else ():
            if node.op == "call_function" and str(node.target).startswith("onnx_symbolic."):
                inputs, kind = node.args[:2]
                if kind == op_type and node.kwargs.get("domain") == DOMAIN:
                    yield node, inputs


def _attributes(node: Node) -> dict[str, Any]:
    """The attributes of a symbolic node, which torch stores flattened by type."""
    given: Any = node.kwargs
    stores = {"i": given["attr_ints"], "f": given["attr_floats"], "s": given["attr_strs"]}
    attributes = {}
    rows = zip(given["attr_keys"], given["attr_types"], given["attr_pos"], strict=True)
    for key, kind, (start, stop) in rows:
        values = list(stores[kind[0]][start:stop])
        attributes[key] = values[0] if len(kind) == 1 else values
    return attributes
