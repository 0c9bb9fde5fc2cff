"""The graph run in onnxruntime: as it is, with a look at a node's tensors, and without the node."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_export.explain.nodes import RecurrentNode
from lstm_export.explain.onnx_edit import with_outputs, without_node
from lstm_export.explain.source import Source
from lstm_export.explain.subject import Feeds
from lstm_export.runtime.session import Session, refused

Tensors = dict[str, npt.NDArray[Any]]


class TappedGraph:
    """The graph with everything that enters and leaves its recurrent nodes as outputs too."""

    def __init__(self, source: Source, nodes: tuple[RecurrentNode, ...]) -> None:
        """Raises BundleError if onnxruntime refuses the copy."""
        self._nodes = nodes
        graph = source.model.graph
        self._fed = {spec.name for spec in graph.inputs}
        known = self._fed | {spec.name for spec in graph.outputs}
        names = dict.fromkeys(
            name for node in nodes for name in (*node.inputs.values(), *node.outputs.values())
        )
        taps = [name for name in names if name not in known]
        body = with_outputs(source.body, taps)
        self._session = Session(lambda: body, f"{source.where}, with its gates' inputs shown")

    def run(self, node: RecurrentNode, feeds: Feeds) -> tuple[Tensors, Tensors]:
        """What enters the node and what leaves it, by role. Raises InputError."""
        # What other nodes have is not asked for: with many layers it would be many times as much.
        got = self._values([*node.inputs.values(), *node.outputs.values()], feeds)
        return (
            {role: got[name] for role, name in node.inputs.items()},
            {role: got[name] for role, name in node.outputs.items()},
        )

    def lost_steps(self, feeds: Feeds, steps: int) -> int:
        """How many of a sequence's `steps` do not reach the node that gets the fewest.

        A graph that takes differences, say, has nothing left of a sequence as short as that, and
        onnxruntime ends the whole process over an empty one.
        """
        names = [node.inputs["X"] for node in self._nodes]
        return max(0, steps - min(len(x) for x in self._values(names, feeds).values()))

    def _values(self, names: list[str], feeds: Feeds) -> Tensors:
        wanted = [name for name in dict.fromkeys(names) if name not in self._fed]
        try:
            got = self._session.live().run(wanted, dict(feeds)) if wanted else []
        except Exception as error:
            raise refused(self._session.where, feeds, error) from None
        fed = {name: feeds[name] for name in names if name in self._fed}
        return dict(zip(wanted, got, strict=True)) | fed


class Answering:
    """The graph's answer: `output`, of the graph as it is or, with `node`, of the rest of it."""

    def __init__(self, source: Source, output: str, node: RecurrentNode | None = None) -> None:
        """Raises BundleError if onnxruntime refuses the graph."""
        self._node, self._output = node, output
        if node is None:
            body, where = source.body, source.where
        else:
            body = without_node(source.body, node.position, node.outputs.values())
            where = f"{source.where}, without {node.name}"
        self._session = Session(partial(bytes, body), where)

    def __call__(
        self, feeds: Feeds, leaving: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> npt.NDArray[Any]:
        """The answer to `feeds`; what leaves the node, by role, is given. Raises InputError."""
        fed = dict(feeds)
        if self._node is not None and leaving is not None:
            for role, name in self._node.outputs.items():
                fed[name] = leaving[role].astype(np.float32)
        found = self._session.run(fed)
        return found[self._session.outputs.index(self._output)]
