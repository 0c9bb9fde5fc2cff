"""The graphs of a model: its own, and those inside the nodes of Scan, Loop and If."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir


def graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    """`graph` and the graphs inside its nodes, at every depth, outer ones first."""
    yield graph
    for node in graph:
        for inner in bodies(node):
            yield from graphs(inner)


def bodies(node: ir.Node) -> Iterator[ir.Graph]:
    """The graphs that are attributes of `node`."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()
        elif attribute.type == ir.AttributeType.GRAPHS:
            yield from attribute.as_graphs()
