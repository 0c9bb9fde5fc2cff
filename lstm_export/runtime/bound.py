"""One run on arrays that stay where they are: onnxruntime reads and writes them in place.

Handing arrays over by name and wrapping the results costs a small model as much as its own work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lstm_export.runtime import session

if TYPE_CHECKING:
    from lstm_export.errors import InputError
    from lstm_export.runtime.arrays import Array


class Bound:
    """A session on fixed arrays: `run` reads `inputs` and fills `outputs`, both by name.

    Every array is in C order and keeps its shape; change what it holds, not the array. Belongs to
    one thread at a time, and to one process: `stale` after a fork. Outputs that are not named are
    computed and dropped.
    """

    __slots__ = ("_arrays", "_forks", "_keep", "_session", "binding", "start")

    def __init__(
        self, opened: session.Session, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
    ) -> None:
        live = opened.live()
        binding = live.io_binding()
        for name, array in inputs.items():
            binding.bind_cpu_input(name, array)
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, _address(array))
        for name in opened.outputs:
            if name not in outputs:
                binding.bind_output(name, "cpu")
        self._session, self._arrays = opened, (inputs, outputs)
        self._keep, self._forks = binding, session.forks
        inner, bound = getattr(live, "_sess", None), getattr(binding, "_iobinding", None)
        # The public method looks after graph captures elsewhere, at a third of a small run.
        quick = getattr(inner, "run_with_iobinding", None) if bound is not None else None
        self.start: Callable[[object, object], object] = quick or live.run_with_iobinding
        """`start(binding, RUN_OPTIONS)` is a run without its checks, for the shortest way."""
        self.binding = binding if quick is None else bound

    @property
    def stale(self) -> bool:
        """Whether this process is a child of the one in which the arrays were bound."""
        return self._forks != session.forks

    def run(self) -> None:
        """Runs once. Raises InputError if onnxruntime refuses; what `outputs` hold is then open."""
        try:
            self.start(self.binding, session.RUN_OPTIONS)
        except Exception as error:
            raise self.refused(error) from None

    def refused(self, error: Exception) -> InputError:
        """What onnxruntime said, as an error of ours."""
        return session.refused(self._session.where, self._arrays[0], error)


def _address(array: Array) -> int:
    # array.ctypes.data would import ctypes for it.
    address: int = array.__array_interface__["data"][0]
    return address
