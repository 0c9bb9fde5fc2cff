"""What the file says of a layer's class, against what its names and shapes look like.

A whole pickled module and a TorchScript archive declare each submodule's class under its path and
`__class__`. Several of torch's own have the same names and shapes: a LayerNorm and a GroupNorm, an
Embedding and an EmbeddingBag. Classes that are not torch's tell nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.plain_layers import as_embedding, as_linear

_CLASSES: Mapping[str, tuple[str, ...]] = {
    "lstm": ("LSTM", "LSTMCell"),
    "gru": ("GRU", "GRUCell"),
    "rnn": ("RNN", "RNNCell"),
    "linear": ("Linear", "NonDynamicallyQuantizableLinear"),
    "embedding": ("Embedding",),
    "conv1d": ("Conv1d",),
    "layer_norm": ("LayerNorm",),
    "rms_norm": ("RMSNorm",),
    "batch_norm": ("BatchNorm1d", "SyncBatchNorm"),
    "prelu": ("PReLU",),
}
_TOLD_OTHERWISE = ("MultiheadAttention", "GroupNorm", "RMSNorm", "Sequential")
# Options of torch's constructors that change the numbers and that no layer here has.
_UNBUILT: Mapping[str, tuple[str, Any]] = {
    "conv1d": ("padding_mode", "zeros"),
    "embedding": ("max_norm", None),
}


def torch_class(declared: Mapping[str, Any], path: str) -> str | None:
    """The class of the module at `path`, if the file says that it is one of torch.nn's."""
    name = str(declared.get(f"{path}.__class__" if path else "__class__", ""))
    return name.rpartition(".")[2] if name.startswith("torch.nn.") else None


def other_class(declared: Mapping[str, Any], path: str) -> str | None:
    """Why the module at `path` is no layer here, by its class alone; None where it may be one."""
    known = torch_class(declared, path)
    built = {name for names in _CLASSES.values() for name in names}
    if known is None or known in built or known in _TOLD_OTHERWISE:
        return None
    return f"of a torch.nn.{known}, which no layer here builds"


def as_declared(declared: Mapping[str, Any], group: Group) -> Group | str:
    """`group`, which names and shapes tell, as the layer whose class the file declares; or why it
    is none."""
    known = torch_class(declared, group.name)
    if known == "Embedding" and group.kind == "linear" and "bias" not in group.tensors:
        group = as_embedding(group)
    if known == "Linear" and group.kind == "embedding":
        group = as_linear(group)
    if group.kind == "layer_norm" and known == "RMSNorm":
        return replace(group, kind="rms_norm")
    groups = declared.get(f"{group.name}.num_groups")
    if group.kind == "layer_norm" and known == "GroupNorm" and isinstance(groups, int):
        sizes = {"num_channels": group.sizes["normalized_shape"], "num_groups": groups}
        return replace(group, kind="group_norm", options={"groups": groups}, sizes=sizes)
    if known is not None and known not in _CLASSES[group.kind]:
        return f"of a torch.nn.{known}, and its shapes are of a {group.kind}"
    option, default = _UNBUILT.get(group.kind, ("", None))
    value = declared.get(f"{group.name}.{option}", default)
    if value != default:
        return f"{option} is {value}, which no layer here builds"
    return group
