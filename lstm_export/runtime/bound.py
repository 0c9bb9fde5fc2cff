"""One run on arrays that stay where they are: onnxruntime reads and writes them in place.

Handing arrays over by name and wrapping the results costs a small model as much as its own work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from lstm_export.runtime.session import Session, forks, refused

if TYPE_CHECKING:
    from lstm_export.runtime.arrays import Array


class Bound:
    """`session` on fixed arrays: `run` reads `inputs` and fills `outputs`, both by name.

    Every array is in C order and keeps its shape; change what it holds, not the array. Belongs to
    one thread at a time. Outputs that are not named are computed and dropped.
    """

    __slots__ = ("_forks", "_inputs", "_outputs", "_run", "_session")

    def __init__(
        self, session: Session, inputs: Mapping[str, Array], outputs: Mapping[str, Array]
    ) -> None:
        self._session, self._inputs, self._outputs = session, inputs, outputs
        self._bind()

    def run(self) -> None:
        """Runs once. Raises InputError if onnxruntime refuses; what `outputs` hold is then open."""
        if self._forks != forks():
            self._bind()
        try:
            self._run()
        except Exception as error:
            raise refused(self._session.where, self._inputs, error) from None

    def _bind(self) -> None:
        live = self._session.live()
        binding = live.io_binding()
        for name, array in self._inputs.items():
            binding.bind_cpu_input(name, array)
        for name, array in self._outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, _address(array))
        for name in self._session.outputs:
            if name not in self._outputs:
                binding.bind_output(name, "cpu")
        self._run = _runner(live, binding)
        self._forks = forks()


def _runner(live: object, binding: object) -> Callable[[], object]:
    inner, bound = getattr(live, "_sess", None), getattr(binding, "_iobinding", None)
    # The public method looks after graph captures of other providers, at a third of a small run.
    run = getattr(inner, "run_with_iobinding", None)
    if run is None or bound is None:
        public = live.run_with_iobinding  # type: ignore[attr-defined]
        return lambda: public(binding)
    # The binding itself must live as long: it holds the arrays.
    return lambda _=binding: run(bound, None)  # type: ignore[misc]


def _address(array: Array) -> int:
    # array.ctypes.data would import ctypes for it.
    address: int = array.__array_interface__["data"][0]
    return address
