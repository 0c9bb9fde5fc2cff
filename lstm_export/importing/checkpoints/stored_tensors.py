"""Tensors as torch stores them, offset and strides in a shared storage, made into arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from lstm_export.errors import CheckpointError
from lstm_export.importing.pickles.numpy_values import PickledArray
from lstm_export.importing.pickles.torch_values import StorageRef, TensorRef
from lstm_export.importing.pickles.values import shown
from lstm_export.importing.raw import Array
from lstm_export.importing.stored_numbers import decoded, is_known, item_size, strided, widened

_SHARED = 16
_SMALL = 64 << 20
Buffer = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Saved:
    """An opened file: the pickled object, and the bytes of the storages that it refers to.

    `storage` gives the bytes that the file has under a storage's key, however many; `calls` names
    what the pickle would have called.
    """

    root: object
    format: str
    storage: Callable[[StorageRef], Buffer]
    big_endian: bool = False
    calls: Iterable[str] = ()


class StoredTensors:
    """Arrays of the tensors in `saved`. Each storage is read once, and only if it is needed; after
    `forget` it takes no memory."""

    def __init__(self, saved: Saved, where: str) -> None:
        self._saved, self._where = saved, where
        self._bodies: dict[str, Buffer] = {}
        self._numbers: dict[tuple[StorageRef, str], Array] = {}
        self._sources: set[int] = set()
        self._read = self._given = 0

    def array(self, name: str, value: TensorRef | PickledArray) -> tuple[Array, str]:
        """The numbers of `value`, called `name`, and the dtype that the file has them in.

        float16 and bfloat16 become float32. Raises CheckpointError for numbers that are not real,
        and for a tensor that leaves its storage.
        """
        if isinstance(value, PickledArray):
            return self._pickled(name, value)
        for dtype in (value.storage.dtype, value.dtype):
            self._refuse_unreal(name, dtype)
        numbers = self._storage(name, value)
        array = strided(numbers, value.shape, value.strides, value.offset)
        if array is None:
            raise CheckpointError(
                f"{self._where}: {shown(name)} is declared {value.shape} with strides "
                f"{value.strides} from element {value.offset}, but its storage has "
                f"{numbers.size} elements; save the file again, or fetch a whole copy"
            )
        self._spend(name, array.nbytes)
        return array, value.dtype

    def forget(self, key: str) -> None:
        """Drops the storage `key`, of which no more tensors are wanted."""
        self._bodies.pop(key, None)
        self._numbers = {of: n for of, n in self._numbers.items() if of[0].key != key}

    def _pickled(self, name: str, value: PickledArray) -> tuple[Array, str]:
        if value.array is None:
            raise CheckpointError(
                f"{self._where}: {shown(name)} is {value.problem}, expected numbers: "
                "save it as a float32 array"
            )
        self._refuse_unreal(name, value.array.dtype.name)
        source: object = value.array
        while isinstance(source, np.ndarray) and source.base is not None:
            source = source.base
        if id(source) not in self._sources:  # bytes in the pickle, which may serve many arrays
            self._sources.add(id(source))
            self._read += value.array.nbytes
        array = widened(value.array)
        self._spend(name, array.nbytes)
        return array, value.array.dtype.name

    def _spend(self, name: str, size: int) -> None:
        self._given += size
        if self._given > _SMALL + _SHARED * self._read:
            raise CheckpointError(
                f"{self._where}: its tensors repeat {self._read:,} stored bytes more than "
                f"{_SHARED} times, expected every weight once: save {shown(name)} and others as "
                "clones"
            )

    def _refuse_unreal(self, name: str, dtype: str) -> None:
        if not is_known(dtype) or dtype.startswith("complex"):
            raise CheckpointError(
                f"{self._where}: {shown(name)} has dtype {shown(dtype)}, expected real numbers "
                "that are not quantized: convert it to float32 and save the state_dict again"
            )

    def _storage(self, name: str, tensor: TensorRef) -> Array:
        """The elements (numel,) of the storage of `tensor`, or of the view of it."""
        storage, dtype = tensor.storage, tensor.dtype
        if (storage, dtype) not in self._numbers:
            size = item_size(dtype)
            if storage.key not in self._bodies:
                self._bodies[storage.key] = body = self._saved.storage(storage)
                self._read += len(body)
            body = self._bodies[storage.key]
            declared = storage.numel * item_size(storage.dtype)
            if len(body) != declared:
                raise CheckpointError(
                    f"{self._where}: the storage of {shown(name)} is declared as "
                    f"{storage.numel} {storage.dtype} ({declared} bytes), but has {len(body)} "
                    "bytes; save the file again, or fetch a whole copy"
                )
            if storage.view is not None:
                start, stop = (n * item_size(storage.dtype) for n in storage.view)
                body = memoryview(body)[start:stop]
            body = memoryview(body)[: len(body) // size * size]
            if self._saved.big_endian and size > 1:
                body = np.frombuffer(body, f"<u{size}").byteswap().tobytes()
            self._numbers[storage, dtype] = decoded(body, dtype)
        return self._numbers[storage, dtype]
