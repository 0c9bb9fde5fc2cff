"""A pickle as data: opcode by opcode, with nothing imported and nothing called."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lstm_export.importing.pickles.machine import Machine, Rebuild
from lstm_export.importing.pickles.opcodes import OPCODES, STOP
from lstm_export.importing.pickles.values import Global, Persistent


def read_pickle(
    data: bytes,
    where: str,
    rebuild: Mapping[Global, Rebuild],
    persistent: Callable[[object], object] = Persistent,
    start: int = 0,
    calls: dict[str, None] | None = None,
) -> tuple[object, int]:
    """The value of the pickle in `data` from byte `start`, and the byte after it.

    `rebuild` has functions of ours that stand for those which the pickle names; `persistent` turns
    persistent ids into values; to `calls` go the names of what would have been called. `where`
    names the file in messages. Raises CheckpointError where the pickle is no whole one, or asks for
    what has no meaning as data.
    """
    machine = Machine(data, where, rebuild, persistent, start)
    arguments = machine.arguments
    while (code := arguments.take(1)[0]) != STOP:
        machine.charge(1)
        act = OPCODES.get(code)
        if act is None:
            machine.broken(f"byte {code:#04x}, which is no opcode,")
        act(machine)
    if calls is not None:
        calls.update(machine.calls)
    return machine.pop(), arguments.position
