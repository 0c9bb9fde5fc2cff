"""Why a module refused its arguments, by the layer that did."""

from __future__ import annotations

from torch import nn

from lstm_export.exporting.tracing.blame import first_line


def refusal_of(error: BaseException, module: nn.Module) -> str:
    """`error` in one line, after the innermost layer of `module` that raised it, if one did.

    As in: fc (Linear(in_features=40, out_features=3, bias=True)): RuntimeError: mat1 and mat2 …
    """
    paths = {id(child): path for path, child in module.named_modules()}
    found: nn.Module | None = None
    trace = error.__traceback__
    while trace is not None:
        running = trace.tb_frame.f_locals.get("self")
        if isinstance(running, nn.Module) and paths.get(id(running)):
            found = running
        trace = trace.tb_next
    if found is None:
        return first_line(error)
    layer = type(found).__name__
    if not list(found.children()):
        layer += f"({found.extra_repr()})"
    return f"{paths[id(found)]} ({layer}): {first_line(error)}"
