"""The light dataclass behaves as the standard one does."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from lstm_export.contract import Window
from lstm_export.frozen import dataclass as light


def both() -> list[Any]:
    made = []
    for decorate in (light, dataclasses.dataclass):

        @decorate(frozen=True, slots=True)
        class Point:
            """A class with defaults of both kinds."""

            x: int
            y: float = 1.5
            names: list[str] = dataclasses.field(default_factory=list)

        made.append(Point)
    return made


@pytest.mark.parametrize("point", both(), ids=["light", "standard"])
def test_they_agree(point: Any) -> None:
    one = point(3, names=["a"])
    assert (one.x, one.y, one.names) == (3, 1.5, ["a"])
    assert point(1).names is not point(1).names
    assert repr(one).endswith("Point(x=3, y=1.5, names=['a'])")
    assert one == point(3, 1.5, ["a"])
    assert one != point(4, names=["a"])
    assert one != (3, 1.5, ["a"])
    assert dataclasses.asdict(one) == {"x": 3, "y": 1.5, "names": ["a"]}
    assert dataclasses.replace(one, y=2.0) == point(3, 2.0, ["a"])
    assert [field.name for field in dataclasses.fields(one)] == ["x", "y", "names"]
    assert copy.deepcopy(one) == one
    assert hash(dataclasses.replace(one, names=())) == hash(point(3, names=()))
    assert not hasattr(one, "__dict__")
    match one:
        case point(x, y):
            assert (x, y) == (3, 1.5)
    for change in (lambda: setattr(one, "x", 4), lambda: delattr(one, "x")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    for arguments, named in (((), {}), ((1, 2, 3, 4), {}), ((1,), {"x": 2}), ((1,), {"z": 2})):
        with pytest.raises(TypeError):
            point(*arguments, **named)


def test_a_contracts_class_is_pickled_and_hashed() -> None:
    window = Window(3, 1, difference=2)
    assert pickle.loads(pickle.dumps(window)) == window
    assert len({window, Window(3, 1, 2), Window(3, 1)}) == 2
    assert window.history == 5


def test_there_is_no_other_kind() -> None:
    with pytest.raises(TypeError, match="only frozen classes with slots"):
        light(frozen=False, slots=True)
