"""The torch side of every op, by the op's name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from lstm_export.importing.description import Step
from lstm_export.importing.modules import dense, plain
from lstm_export.importing.modules.recurrent import recurrent
from lstm_export.importing.ops.activations import ACTIVATIONS
from lstm_export.importing.ops.joining import JOINING
from lstm_export.importing.ops.op import Tensors
from lstm_export.importing.ops.recurrent import RECURRENT
from lstm_export.importing.ops.shaping import SHAPING
from lstm_export.importing.ops.steps import STEPS

Maker = Callable[[Step, Tensors], nn.Module]
MODULES: dict[str, Maker] = {
    "embedding": dense.embedding,
    "linear": dense.linear,
    "layer_norm": dense.layer_norm,
    "batch_norm": dense.batch_norm,
    "conv1d": dense.conv1d,
    **{op.name: recurrent for op in RECURRENT},
    **{op.name: plain.over_steps for op in STEPS},
    **{op.name: plain.activation for op in ACTIVATIONS},
    **{op.name: plain.shaping for op in (*SHAPING,)},
    **{op.name: plain.joining for op in JOINING},
    "pick": plain.shaping,
}
