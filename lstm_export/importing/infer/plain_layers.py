"""Layers without a recurrence out of names and shapes, as torch.nn names their parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lstm_export.importing.infer.group import Group
from lstm_export.importing.infer.state import State

EMBEDDING_NAME = re.compile(r"(^|[._])\w*(emb|lookup|word_?vec|wte|vocab|token)\w*", re.IGNORECASE)
_PRELU_NAME = re.compile(r"(^|[._])(p_?relu|act|activation)\w*$", re.IGNORECASE)


def plain_group(state: State, module: str, leaves: Mapping[str, str], position: int) -> Group | str:
    """The layer that `leaves` (own name → name in `state`) of one module are, or why none is."""
    shapes = {leaf: state.tensors[name].shape for leaf, name in leaves.items()}
    reason = _refused(shapes)
    if reason is not None:
        return reason
    if any(state.tensors[name].dtype.kind != "f" for name in leaves.values()):
        return "not floats, as no layer here has them"
    weight, bias = shapes.get("weight"), shapes.get("bias")
    kind, sizes = "", dict[str, int]()
    takes: int | None = None
    gives: int | None = None
    if weight is None or 0 in weight or set(shapes) - {"weight", "bias"}:
        return _unknown(leaves)
    match weight, bias:
        case (rows, columns), None:
            kind = "embedding" if EMBEDDING_NAME.search(module) else "linear"
            takes, gives = (columns, rows) if kind == "linear" else (None, columns)
            sizes = _matrix(kind, rows, columns)
        case (rows, columns), (out,) if rows == out:
            kind, takes, gives = "linear", columns, rows
            sizes = _matrix(kind, rows, columns)
        case (rows, columns, width), (None | (_,)):
            if bias is not None and bias != (rows,):
                if bias == (columns,):
                    return "a transposed convolution, which no layer here builds"
                return "no layer is known by these names and shapes"
            kind, takes, gives = "conv1d", columns, rows
            sizes = {"in_channels": columns, "out_channels": rows, "kernel_size": width}
        case (size,), None if size == 1 or _PRELU_NAME.search(module):
            kind, takes = "prelu", None if size == 1 else size
            sizes = {"num_parameters": size}
        case (size,), None | (_,) if bias in (None, (size,)):
            named_so = bias is None and "rms" in module.lower()
            kind, takes = "rms_norm" if named_so else "layer_norm", size
            sizes = {"normalized_shape": size}
        case _:
            return "no layer is known by these names and shapes"
    return Group(kind, module, dict(leaves), takes, gives, position, sizes=sizes)


def as_embedding(group: Group) -> Group:
    """A linear layer without a bias, read as an embedding of as many ids as it has rows."""
    rows, columns = group.sizes["out_features"], group.sizes["in_features"]
    sizes = _matrix("embedding", rows, columns)
    return Group(
        "embedding",
        group.name,
        group.tensors,
        None,
        columns,
        group.position,
        {key: v for key, v in group.options.items() if key == "padding_idx"},
        sizes,
    )


def as_linear(group: Group) -> Group:
    """The reverse of `as_embedding`."""
    rows, columns = group.sizes["num_embeddings"], group.sizes["embedding_dim"]
    sizes = _matrix("linear", rows, columns)
    return Group("linear", group.name, group.tensors, columns, rows, group.position, sizes=sizes)


def batch_norm(state: State, module: str, leaves: Mapping[str, str], position: int) -> Group | str:
    """BatchNorm1d: running_mean and running_var (C,), and weight and bias (C,) or neither."""
    names = {leaf: name for leaf, name in leaves.items() if leaf != "num_batches_tracked"}
    known = {"running_mean", "running_var", "weight", "bias"}
    size = state.tensors[leaves["running_mean"]].shape
    if set(names) - known or "running_var" not in names or len(size) != 1 or 0 in size:
        return "a batch norm that is not whole"
    if any(state.tensors[name].dtype.kind != "f" for name in names.values()):
        return "not floats, as no layer here has them"
    if any(state.tensors[name].shape != size for name in names.values()):
        return "a batch norm whose parts differ in shape"
    sizes = {"num_features": int(size[0])}
    return Group("batch_norm", module, names, int(size[0]), None, position, sizes=sizes)


def _matrix(kind: str, rows: int, columns: int) -> dict[str, int]:
    if kind == "embedding":
        return {"num_embeddings": rows, "embedding_dim": columns}
    return {"in_features": columns, "out_features": rows}


def _unknown(leaves: Mapping[str, str]) -> str:
    if any("transition" in leaf for leaf in leaves):
        return "of a CRF, whose search for the best tags no layer here builds: scores go without"
    if all(leaf.isdecimal() for leaf in leaves):
        return "a tensor without a name: save module.state_dict(), which names them"
    if any(leaf in ("weight", "bias") for leaf in leaves):
        return "no layer is known by these names and shapes"
    return "a parameter of its own: what the model does with it is not in the file"


def _refused(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    if any(leaf.startswith("in_proj_") or leaf in ("bias_k", "bias_v") for leaf in shapes):
        return "multi-head attention, which no layer here builds: --module takes your own class"
    if "recurrent_kernel" in shapes:
        return "a recurrent layer under Keras's names, whose gate order only its own file tells"
    if "_packed_params" in shapes or {"scale", "zero_point"} <= shapes.keys():
        return "a quantised layer, whose float weights are needed"
    if any(len(shape) >= 4 for shape in shapes.values()):
        return "a convolution over more than time, which no layer here builds"
    return None
