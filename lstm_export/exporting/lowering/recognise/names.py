"""What the weights of a cell are called: after the parameters that they come from."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import onnx_ir as ir


def cell_name(values: Iterable[ir.Value], stops: Collection[ir.Value]) -> str:
    """The module path that the parameters behind `values` share; `cell` if they share none.

    What lies behind `stops` belongs to other cells.
    """
    seen: set[ir.Value] = set(stops).difference(values)
    pending, paths = list(values), []
    while pending:
        value = pending.pop()
        if value in seen:
            continue
        seen.add(value)
        node = value.producer()
        if node is not None:
            pending.extend(part for part in node.inputs if part is not None)
        elif value.is_initializer() and value.name and "." in value.name:
            paths.append(value.name.split(".")[:-1])
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared) or "cell"
