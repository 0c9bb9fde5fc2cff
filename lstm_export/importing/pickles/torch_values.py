"""torch's tensors in pickles: which storage, which part of it. Their numbers are elsewhere.

The forms are those of `torch._utils` (the `_rebuild_*` functions' parameters) and of the persistent
ids that `torch.save` writes, as PyTorch's notes on serialization describe them.
"""

from __future__ import annotations

from dataclasses import dataclass

from lstm_export.importing.pickles.machine import Machine, Rebuild
from lstm_export.importing.pickles.values import Global, Persistent

_STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "UntypedStorage": "uint8",
    "_UntypedStorage": "uint8",
}
_STORAGE_MODULES = ("torch", "torch.storage", "torch.cuda")
_LARGEST = 1 << 60


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A stretch of numbers under a key; `view` is where it starts and ends, where it is a part."""

    dtype: str
    key: str
    numel: int
    view: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor by torch's offset, sizes and strides in a storage, counted in elements."""

    storage: StorageRef
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def torch_persistent(identifier: object) -> object:
    """What torch's persistent ids stand for: a storage, or a class beside its source text."""
    match identifier:
        case ("storage", Global(module, name), str() | int() as key, _, int() as numel, *rest):
            known = module in _STORAGE_MODULES and name in _STORAGES and _is_key(str(key))
            if known and 0 <= numel < _LARGEST:
                match rest:
                    case [] | [None]:
                        return StorageRef(_STORAGES[name], str(key), numel)
                    case [(str(), int() as start, int() as size)] if min(start, size) >= 0:
                        view = (start, start + size)
                        return StorageRef(_STORAGES[name], str(key), numel, view)
        case ("module", Global() as of, *_):
            return of
    return Persistent(identifier)


def _is_key(text: str) -> bool:
    return len(text) <= 64 and text.isascii() and text.isprintable()


def _tensor(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (StorageRef() as storage, offset, shape, strides, *_):
            return _checked(storage, storage.dtype, offset, shape, strides)
        case _:
            return NotImplemented


def _tensor_of_dtype(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (StorageRef() as storage, offset, shape, strides, _, _, Global("torch", dtype), *_):
            return _checked(storage, dtype, offset, shape, strides)
        case _:
            return NotImplemented


def _checked(
    storage: StorageRef, dtype: str, offset: object, shape: object, strides: object
) -> object:
    sizes, steps = _sizes(shape), _sizes(strides)
    start = _sizes((offset,))
    if sizes is None or steps is None or start is None or len(sizes) != len(steps):
        return NotImplemented
    return TensorRef(storage, dtype, start[0], sizes, steps)


def _sizes(values: object) -> tuple[int, ...] | None:
    if not isinstance(values, (tuple, list)) or len(values) > 32:
        return None
    if not all(type(value) is int and 0 <= value < _LARGEST for value in values):
        return None
    return tuple(values)


def _parameter(machine: Machine, arguments: tuple[object, ...]) -> object:
    # What is no tensor of ours (sparse, quantized) stays what it was.
    return arguments[0] if arguments else NotImplemented


def _from_type(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (Global() as function, _, tuple() as inner, *_) if function in _TENSORS:
            return _TENSORS[function](machine, inner)
        case _:
            return NotImplemented


def _size(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (tuple() | list() as sizes,):
            return sizes
        case _:
            return NotImplemented


def _device(machine: Machine, arguments: tuple[object, ...]) -> object:
    match arguments:
        case (str() as kind, *_):
            return kind
        case _:
            return NotImplemented


_TENSORS: dict[Global, Rebuild] = {
    Global("torch._utils", "_rebuild_tensor"): _tensor,
    Global("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Global("torch._utils", "_rebuild_tensor_v3"): _tensor_of_dtype,
}
TORCH: dict[Global, Rebuild] = {
    **_TENSORS,
    Global("torch._utils", "_rebuild_parameter"): _parameter,
    Global("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    Global("torch.nn.parameter", "Parameter"): _parameter,
    Global("torch._tensor", "_rebuild_from_type_v2"): _from_type,
    Global("torch", "Size"): _size,
    Global("torch", "device"): _device,
}
UNREADABLE = {
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_sparse_csr_tensor": "a sparse tensor",
    "_rebuild_qtensor": "a quantized tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor without numbers (device meta)",
}
"""Functions of `torch._utils` that give tensors which are no plain block of numbers."""
