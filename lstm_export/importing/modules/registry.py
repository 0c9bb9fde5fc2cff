"""The torch side of every op, by the op's name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from lstm_export.importing.description import Step
from lstm_export.importing.modules import dense, norms, plain, sliding
from lstm_export.importing.modules.activations import activation
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
    "prelu": dense.prelu,
    "layer_norm": norms.layer_norm,
    "rms_norm": norms.rms_norm,
    "batch_norm": norms.batch_norm,
    "group_norm": norms.group_norm,
    "conv1d": sliding.conv1d,
    "max_pool1d": sliding.max_pool1d,
    "avg_pool1d": sliding.avg_pool1d,
    **{op.name: recurrent for op in RECURRENT},
    **{op.name: plain.over_steps for op in STEPS},
    **{op.name: activation for op in ACTIVATIONS},
    **{op.name: plain.shaping for op in (*SHAPING,)},
    **{op.name: plain.joining for op in JOINING},
    "pick": plain.shaping,
}
