"""The process that runs one of torch's exporters: `python -m lstm_export.doctor.stock_process`.

It gets the paths of a request and of an answer. The answer always says how far it has come, so that
whoever waits knows what the process was at when it died.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from lstm_export.exporting.tracing.call import Call
    from lstm_export.exporting.tracing.eager_axes import Groups

_LONGEST = 1 << 20


def main(asked: str, answered: str) -> None:
    """Carries out the request and writes the answer."""
    request = json.loads(Path(asked).read_text(encoding="utf-8"))
    target = Path(answered)

    def tell(**answer: Any) -> None:
        target.write_text(json.dumps(answer), encoding="utf-8")

    tell(stage="importing")
    import torch

    from lstm_export.doctor.stock_judge import judge_file, reason
    from lstm_export.exporting.source.example_inputs import example_arguments
    from lstm_export.exporting.source.factory import load_factory
    from lstm_export.exporting.tracing.call import describe_call
    from lstm_export.exporting.tracing.eager_axes import varying_axes
    from lstm_export.importing.into_module import load_into

    torch.manual_seed(0)
    module = load_factory(request["source"]).eval()
    if request["weights"] is not None:
        load_into(module, request["weights"])
    args, kwargs = example_arguments(module, request["example_shapes"])
    call = describe_call(module, args, kwargs, integers_vary=False)
    groups = varying_axes(module, call)
    with tempfile.TemporaryDirectory() as folder:
        seconds = 0.0
        for turn in range(request["rounds"]):
            file = Path(folder) / f"model_{turn}.onnx"
            tell(stage="exporting")
            start = time.perf_counter()
            try:
                export(request["exporter"], module, args, kwargs, call, groups, file)
            except Exception as error:  # torch's refusals are of many kinds
                tell(verdict="refuses", detail=reason(error))
                return
            seconds = time.perf_counter() - start
        tell(stage="running its file")
        verdict, detail, nodes = judge_file(module, call, groups, file)
    tell(verdict=verdict, detail=detail, nodes=nodes, seconds=round(seconds, 2))


def export(
    exporter: str,
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    call: Call,
    groups: Groups,
    file: Path,
) -> None:
    """`module` by one of torch's exporters, the axes of `groups` asked to be dynamic."""
    import torch

    names = [leaf.name for leaf in call.inputs]
    if exporter == "torch legacy":
        axes: dict[str, dict[int, str]] = {}
        for label, places in groups.items():
            for position, axis in places:
                axes.setdefault(names[position], {})[axis] = label
        torch.onnx.export(
            module,
            (*args, kwargs) if kwargs else args,
            file,
            dynamo=False,
            input_names=names,
            dynamic_axes=axes,
            opset_version=18,
        )
        return
    torch.onnx.export(
        module,
        args,
        file,
        kwargs=kwargs,
        dynamo=True,
        input_names=names,
        dynamic_shapes=_dynamic_shapes(module, args, kwargs, groups),
        verbose=False,
    )


def _dynamic_shapes(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], groups: Groups
) -> dict[str, Any]:
    """Named dims in the structure of forward's arguments, as torch's documentation has it."""
    import inspect

    import torch
    from torch.utils import _pytree

    dims = {label: torch.export.Dim(label, min=1, max=_LONGEST) for label in groups}
    by_place = {place: dims[label] for label, places in groups.items() for place in places}
    bound = inspect.signature(module.forward).bind(*args, **kwargs).arguments
    leaves, structure = _pytree.tree_flatten(dict(bound))
    shapes: list[Any] = []
    position = 0
    for leaf in leaves:
        if not isinstance(leaf, torch.Tensor):
            shapes.append(None)
            continue
        axes = {
            axis: by_place[position, axis]
            for axis in range(leaf.dim())
            if (position, axis) in by_place
        }
        shapes.append(axes)
        position += 1
    nested = _pytree.tree_unflatten(shapes, structure)
    assert isinstance(nested, dict)
    return nested


if __name__ == "__main__":
    main(*sys.argv[1:])
