"""Recurrent layers as single opaque nodes while a module is traced.

torch.export would unroll or specialise nn.LSTM, nn.GRU and nn.RNN. Inside `recurrent_capture`
their forward emits one `lstm_export::Recurrent` node instead, which `lowering` later turns into
ONNX operators. Its inputs are x, the initial h and c, the lengths of a packed sequence, then W, R,
B and P of `gates.LayerWeights` for each layer, absent ones left empty. Its outputs are y, in x's
own layout, and the final h and, for an LSTM, c, all of the shapes that torch gives them. With
lengths, x is the padded tensor, y is zero in the padding, and the states are those of each
sequence's own last step. One node for the whole module keeps torch
from seeing the transposes between layers, whose strides would make it specialise lengths.

Weights are read before tracing, which leaves the module as it was. Layers by their equations are
taken for the torch layers that they convert to, unless somebody changed the equations: then these
are traced as they stand.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from lstm_export.exporting.capture.instead import Forward, instead_of_forward
from lstm_export.exporting.capture.opaque import DOMAIN as DOMAIN
from lstm_export.exporting.capture.opaque import demand, fix
from lstm_export.exporting.capture.ragged import Packed, unpacked
from lstm_export.exporting.gates import LayerWeights, RecurrentLayers, cell_of, onnx_layers
from lstm_export.nn.equations.convert import to_torch
from lstm_export.nn.equations.layers import CELL_CLASSES, EquationLayers

OP_TYPE = "Recurrent"

Layers = tuple[LayerWeights, ...]


@contextlib.contextmanager
def recurrent_capture(module: nn.Module) -> Iterator[None]:
    """Within the block, in this thread, recurrent layers inside `module` trace as opaque nodes."""
    layers = {
        path: (torchs, onnx_layers(torchs))
        for path, child in module.named_modules()
        if (torchs := _as_torch(child)) is not None
    }

    def traced(original: Forward, path: str, layer: RecurrentLayers, x: Any, hx: Any) -> Any:
        if path not in layers:
            return original(layer, x, hx)
        torchs, weights = layers[path]
        return _traced_forward(torchs, path, weights, x, hx)

    with instead_of_forward(module, traced):
        yield


def _as_torch(module: nn.Module) -> nn.RNNBase | None:
    """The torch layers that compute what `module` does, None if that is to be traced."""
    if isinstance(module, nn.LSTM | nn.GRU | nn.RNN):
        return module
    if type(module) is EquationLayers and not _was_changed(module):
        return to_torch(module)
    return None


def _was_changed(layers: EquationLayers) -> bool:
    """Whether something else than the class's own equations is computed."""
    kind = CELL_CLASSES[layers.cell]
    cells = [cell for cells in layers.directions for cell in cells]
    return type(layers.dropout) is not nn.Dropout or any(
        type(cell) is not kind
        or getattr(cell, "nonlinearity", layers.nonlinearity) != layers.nonlinearity
        or cell._forward_hooks
        or cell._forward_pre_hooks
        or "forward" in vars(cell)
        for cell in cells
    )


def _traced_forward(module: nn.RNNBase, path: str, layers: Layers, x: Any, hx: Any) -> Any:
    lstm = cell_of(module) == "lstm"
    initial: tuple[Tensor | None, ...] = (None, None)
    if hx is not None:
        initial = tuple(hx) if lstm else (hx, None)
    if isinstance(x, PackedSequence):
        values, batch, _ = unpacked(x)
        y, *state = _node(module, path, layers, values, initial, batch.lengths, False)
        return Packed.of(y, batch, clean=True), tuple(state) if lstm else state[0]
    batch_first = module.batch_first
    if unbatched := x.dim() == 2:
        batch_first = False
        x = x.unsqueeze(1)
        initial = tuple(s if s is None else s.unsqueeze(1) for s in initial)
    y, *state = _node(module, path, layers, x, initial, None, batch_first)
    if unbatched:
        y, state = y.squeeze(1), [s.squeeze(1) for s in state]
    return y, tuple(state) if lstm else state[0]


def _node(
    module: nn.RNNBase,
    path: str,
    layers: Layers,
    x: Tensor,
    initial: tuple[Tensor | None, ...],
    lengths: Tensor | None,
    batch_first: bool,
) -> Sequence[Tensor]:
    batch = x.shape[0 if batch_first else 1]
    directions = 2 if module.bidirectional else 1
    width = module.proj_size or module.hidden_size
    states = directions * module.num_layers
    # What torch's own forward demands: it fixes the widths, and ties the batch of all tensors.
    layer = f"{path or 'the module'} ({type(module).__name__})"
    fix(x.shape[2], module.input_size, f"{layer} takes {module.input_size} features")
    for state, size in zip(initial, (width, module.hidden_size), strict=True):
        if state is not None:
            fix(state.shape[0], states, f"{layer} has {states} layers and directions")
            demand(state.shape[1] == batch)
            fix(state.shape[2], size, f"{layer} has states of {size}")
    shapes = [(x.shape[0], x.shape[1], directions * width), (states, batch, width)]
    if cell_of(module) == "lstm":
        shapes.append((states, batch, module.hidden_size))
    weights = [part for layer in layers for part in (layer.W, layer.R, layer.B, layer.P)]
    return torch.onnx.ops.symbolic_multi_out(
        f"{DOMAIN}::{OP_TYPE}",
        [x, *initial, lengths, *weights],
        dtypes=[x.dtype] * len(shapes),
        shapes=shapes,
        attrs={
            "cell": cell_of(module),
            "nonlinearity": getattr(module, "nonlinearity", "tanh"),
            "hidden_size": module.hidden_size,
            "num_layers": module.num_layers,
            "batch_first": int(batch_first),
            "path": path,
        },
        version=1,
    )
