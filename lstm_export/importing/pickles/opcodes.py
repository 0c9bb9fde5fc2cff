"""What each opcode does to a machine. The table is that of the standard library's `pickletools`."""

from __future__ import annotations

from collections.abc import Callable

from lstm_export.importing.pickles.machine import Machine
from lstm_export.importing.pickles.values import SETS, Inert

Act = Callable[[Machine], None]

STOP = ord(".")
_SET, _FROZENSET = SETS


def _proto(m: Machine) -> None:
    if (version := m.arguments.unsigned(1)) > 5:
        m.broken(f"protocol {version}, newer than 5,")


def _frame(m: Machine) -> None:
    size, arguments = m.arguments.unsigned(8), m.arguments
    if size > len(arguments.data) - arguments.position:
        m.broken(f"a frame of {size} bytes that are not there")


def _pop(m: Machine) -> None:
    if m.marks and m.marks[-1] == len(m.stack):
        m.marks.pop()
    else:
        m.pop()


def _tuple(size: int) -> Act:
    def act(m: Machine) -> None:
        values = [m.pop() for _ in range(size)]
        m.push(tuple(reversed(values)))

    return act


def _dict(m: Machine) -> None:
    values = m.to_mark()
    m.push({})
    m.update(values)


def _frozenset(m: Machine) -> None:
    m.push(Inert(_FROZENSET, elements=m.to_mark()))


def _append(m: Machine) -> None:
    value = m.pop()
    m.extend([value])


def _appends(m: Machine) -> None:
    m.extend(m.to_mark())


def _setitem(m: Machine) -> None:
    value, key = m.pop(), m.pop()
    m.update([key, value])


def _int(m: Machine) -> None:
    # Protocol 0 has no booleans: it writes them as 00 and 01.
    start = m.arguments.position
    value = m.arguments.line_integer()
    line = m.arguments.data[start : start + 3]
    m.push(bool(value) if line in (b"00\n", b"01\n") else value)


def _put(index: Callable[[Machine], int]) -> Act:
    def act(m: Machine) -> None:
        m.memo[index(m)] = m.top()

    return act


def _get(index: Callable[[Machine], int]) -> Act:
    def act(m: Machine) -> None:
        number = index(m)
        if number not in m.memo:
            m.broken(f"value {number}, which was not kept, is used")
        m.push(m.memo[number])

    return act


def _line_index(m: Machine) -> int:
    value = m.arguments.line_integer()
    if not 0 <= value < 1 << 32:
        m.broken("a memo index beyond 32 bits")
    return value


def _global(m: Machine) -> None:
    module = m.arguments.line_text()
    m.name(module, m.arguments.line_text())


def _stack_global(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    m.name(module, name)


def _reduce(m: Machine) -> None:
    arguments, function = m.pop(), m.pop()
    m.call(function, arguments)


def _newobj(m: Machine) -> None:
    arguments, of = m.pop(), m.pop()
    m.instance(of, arguments)


def _newobj_ex(m: Machine) -> None:
    keywords, arguments, of = m.pop(), m.pop(), m.pop()
    m.instance(of, arguments)
    made = m.top()
    if isinstance(made, Inert) and isinstance(keywords, dict):
        made.items = keywords


def _inst(m: Machine) -> None:
    _global(m)
    of = m.pop()
    m.call(of, tuple(m.to_mark()))


def _obj(m: Machine) -> None:
    values = m.to_mark()
    if not values:
        m.broken("an instance of nothing")
    m.call(values[0], tuple(values[1:]))


def _build(m: Machine) -> None:
    state = m.pop()
    m.set_state(state)


def _persistent_line(m: Machine) -> None:
    m.push(m.persistent(m.arguments.line_text()))


def _persistent(m: Machine) -> None:
    m.push(m.persistent(m.pop()))


def _extension(size: int) -> Act:
    def act(m: Machine) -> None:
        m.refuse(f"entry {m.arguments.unsigned(size)} of this machine's extension registry")

    return act


def _out_of_band(m: Machine) -> None:
    m.refuse("a buffer that is not in the file")


OPCODES: dict[int, Act] = {
    ord(code): act
    for code, act in {
        "\x80": _proto,
        "\x95": _frame,
        # the stack
        "(": lambda m: m.marks.append(len(m.stack)),
        "0": _pop,
        "1": lambda m: m.to_mark().clear(),
        "2": lambda m: m.push(m.top()),
        # plain values
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        "I": _int,
        "L": lambda m: m.push(m.arguments.line_integer()),
        "J": lambda m: m.push(m.arguments.signed(4)),
        "K": lambda m: m.push(m.arguments.unsigned(1)),
        "M": lambda m: m.push(m.arguments.unsigned(2)),
        "\x8a": lambda m: m.push(m.arguments.long(1)),
        "\x8b": lambda m: m.push(m.arguments.long(4)),
        "F": lambda m: m.push(m.arguments.line_float()),
        "G": lambda m: m.push(m.arguments.double()),
        "S": lambda m: m.push(m.arguments.line_string()),
        "T": lambda m: m.push(m.arguments.counted(4).decode("latin-1")),
        "U": lambda m: m.push(m.arguments.counted(1).decode("latin-1")),
        "V": lambda m: m.push(m.arguments.line_unicode()),
        "X": lambda m: m.push(m.arguments.text(4)),
        "\x8c": lambda m: m.push(m.arguments.text(1)),
        "\x8d": lambda m: m.push(m.arguments.text(8)),
        "B": lambda m: m.push(m.arguments.counted(4)),
        "C": lambda m: m.push(m.arguments.counted(1)),
        "\x8e": lambda m: m.push(m.arguments.counted(8)),
        "\x96": lambda m: m.push(m.arguments.counted(8)),
        # containers
        ")": _tuple(0),
        "\x85": _tuple(1),
        "\x86": _tuple(2),
        "\x87": _tuple(3),
        "t": lambda m: m.push(tuple(m.to_mark())),
        "]": lambda m: m.push([]),
        "l": lambda m: m.push(m.to_mark()),
        "a": _append,
        "e": _appends,
        "}": lambda m: m.push({}),
        "d": _dict,
        "s": _setitem,
        "u": lambda m: m.update(m.to_mark()),
        "\x8f": lambda m: m.push(Inert(_SET, elements=[])),
        "\x90": _appends,
        "\x91": _frozenset,
        # the memo
        "p": _put(_line_index),
        "q": _put(lambda m: m.arguments.unsigned(1)),
        "r": _put(lambda m: m.arguments.unsigned(4)),
        "\x94": _put(lambda m: len(m.memo)),
        "g": _get(_line_index),
        "h": _get(lambda m: m.arguments.unsigned(1)),
        "j": _get(lambda m: m.arguments.unsigned(4)),
        # names, calls and instances: written down
        "c": _global,
        "\x93": _stack_global,
        "R": _reduce,
        "\x81": _newobj,
        "\x92": _newobj_ex,
        "i": _inst,
        "o": _obj,
        "b": _build,
        # from elsewhere
        "P": _persistent_line,
        "Q": _persistent,
        "\x82": _extension(1),
        "\x83": _extension(2),
        "\x84": _extension(4),
        "\x97": _out_of_band,
        "\x98": lambda m: None,
    }.items()
}
"""The action of every opcode but STOP."""
