"""Every op by its name: a new one is a file and a line here."""

from __future__ import annotations

from lstm_export.importing.ops.activations import ACTIVATIONS
from lstm_export.importing.ops.conv1d import CONV1D
from lstm_export.importing.ops.embedding import EMBEDDING
from lstm_export.importing.ops.joining import JOINING
from lstm_export.importing.ops.linear import LINEAR
from lstm_export.importing.ops.norms import NORMS
from lstm_export.importing.ops.op import Op
from lstm_export.importing.ops.pooling import POOLING
from lstm_export.importing.ops.prelu import PRELU
from lstm_export.importing.ops.recurrent import RECURRENT
from lstm_export.importing.ops.shaping import SHAPING
from lstm_export.importing.ops.steps import STEPS

OPS: dict[str, Op] = {
    op.name: op
    for op in (
        EMBEDDING,
        *RECURRENT,
        *STEPS,
        *ACTIVATIONS,
        PRELU,
        LINEAR,
        *NORMS,
        CONV1D,
        *POOLING,
        *SHAPING,
        *JOINING,
    )
}
