"""The graphs of a model, each opened when it is first needed, once for each way of running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from lstm_export.bundle.layout import LAYOUT
from lstm_export.errors import BundleError
from lstm_export.runtime.session import Session
from lstm_export.runtime.settings import Settings, available_cores, plan

if TYPE_CHECKING:
    from lstm_export.contract import GraphSpec
    from lstm_export.runtime.arrays import Array
    from lstm_export.runtime.settings import Plan

_PLAIN = 3
"""The length of a session's key before sizes are added."""


class Graphs:
    """The ONNX files of one model by name, and the settings they run with.

    `read(name)` gives a file's checked bytes, or its path where weights lie beside it. `work` is
    what one step of one row costs, as `settings.plan` counts it. `independent_rows` says whether
    each row of a batch has the outputs that it has alone; `stream_start` has the states of the
    stream graph that do not begin at zero; `notes` are what the export has to say.
    """

    def __init__(
        self,
        specs: Mapping[str, GraphSpec],
        read: Callable[[str], bytes | str],
        where: Callable[[str], str],
        *,
        providers: Sequence[str],
        settings: Settings | Callable[[int, int], Settings],
        work: int,
        independent_rows: bool = True,
        stream_start: Mapping[str, object] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self._specs, self._read, self._where = specs, read, where
        self.providers = tuple(providers)
        self.settings = settings
        self.work, self.cores = work, available_cores()
        self.independent_rows, self.stream_start = independent_rows, stream_start
        self.notes = tuple(notes)
        self._sessions: dict[tuple[object, ...], Session] = {}

    def has(self, name: str) -> bool:
        """Whether the model has this graph."""
        return name in self._specs

    def spec(self, name: str) -> GraphSpec:
        """The inputs and outputs of one graph. Raises BundleError if the model lacks it."""
        if name not in self._specs:
            raise BundleError(f"the model has no {name}; it has {', '.join(sorted(self._specs))}")
        return self._specs[name]

    def settings_for(self, batch: int, length: int) -> Settings:
        """The settings that hold for inputs of this shape."""
        settings = self.settings
        return settings if isinstance(settings, Settings) else settings(batch, length)

    def plan(self, batch: int, length: int) -> Plan:
        """How inputs of this shape are run."""
        return plan(self.settings_for(batch, length), self.work, batch, length, self.cores)

    def run_batch(self, x: Array) -> Array:
        """The first output of `model.onnx` for a batch x, rows shared out over the cores where
        that pays."""
        how = self.plan(*x.shape[:2])
        session = self.open(LAYOUT.model, how)
        if how.shards == 1:
            return session.run({"x": x})[0]
        import numpy as np

        from lstm_export.runtime.shards import side_by_side

        pieces = side_by_side(lambda rows: session.run({"x": x[rows]})[0], len(x), how.shards)
        return np.concatenate(pieces)

    def sha256(self, name: str) -> str:
        """The sha256 of one graph, and of the files with its weights where it has any."""
        from lstm_export.bundle.digest import sha256_hex, sha256_of_pieces

        body = self._read(name)
        if isinstance(body, bytes):
            return sha256_hex(body)
        from pathlib import Path

        from lstm_export.bundle.onnx_file import read_onnx
        from lstm_export.bundle.read import pieces

        others = [Path(body).parent / name for name in sorted(read_onnx(body).external_files)]
        return sha256_of_pieces(piece for path in (body, *others) for piece in pieces(str(path)))

    def fixed(self, name: str) -> int:
        """How many sessions on one graph have axes of fixed size."""
        return sum(key[0] == name and len(key) > _PLAIN for key in tuple(self._sessions))

    def open(
        self,
        name: str,
        how: Plan | None = None,
        *,
        sizes: Mapping[str, int] | None = None,
    ) -> Session:
        """A session on one graph; `how` defaults to what suits single steps of one row.

        Raises BundleError if the graph is not there or cannot be loaded.
        """
        how = self.plan(1, 1) if how is None else how
        key = (name, how.threads, how.spinning, *sorted((sizes or {}).items()))
        session = self._sessions.get(key)
        if session is None:
            self.spec(name)
            opened = Session(
                lambda: self._read(name),
                self._where(name),
                providers=self.providers,
                threads=how.threads,
                spinning=how.spinning,
                sizes=sizes,
            )
            # Two threads may both have opened one, and use the first. A lock would be worse: a fork
            # while it is held leaves it held in the child for ever.
            session = self._sessions.setdefault(key, opened)
        return session
