"""The copy that is made while an agent waits: the short ways give what the careful one would, and nothing goes unbounded."""

from __future__ import annotations

import enum
import json
import math
import tracemalloc
from collections import OrderedDict, UserDict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts_kit.room import Room, truncated

CHARS = 262_144
VALUES = 20_000


class FullError(Exception): ...


class Plain:
    """The copy as it is meant, value by value, without a short way."""

    def __init__(self, chars: int, values: int) -> None:
        self.chars, self.values = chars, values

    def copy(self, value: Any, depth: int = 32) -> Any:
        self.take(chars=1, values=1)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int):
            return int(value) if value.bit_length() <= 256 else truncated(value.bit_length() // 8)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(value)
        if isinstance(value, bytes):
            self.take(chars=len(value))
            return value.decode("utf-8", "replace")
        if depth == 0:
            raise FullError
        if isinstance(value, Mapping):
            return {self.name(name): self.copy(item, depth - 1) for name, item in value.items()}
        if isinstance(value, (list, tuple, AbstractSet)):
            return [self.copy(item, depth - 1) for item in value]
        return self.text(str(value))

    def name(self, name: Any) -> str:
        return self.text(str(name)).encode("utf-8", "replace").decode()

    def text(self, text: str) -> str:
        self.take(chars=str.__len__(text))
        return str.__str__(text)

    def take(self, *, chars: int = 0, values: int = 0) -> None:
        self.chars, self.values = self.chars - chars, self.values - values
        if self.chars < 0 or self.values < 0:
            raise FullError


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "somebody else's"

    def __len__(self) -> int:
        return 0


class Point(NamedTuple):
    x: int
    y: str


TEXTS = (
    st.text() | st.text(st.characters(categories=["Cs", "Cc"])) | st.sampled_from([Text("text"), Colour.RED])
)
WHOLE = st.integers() | st.sampled_from([2**256 - 1, 2**256, -(2**256), -(2**256) + 1, Level.HIGH])
FLOATS = st.floats() | st.sampled_from([1e308, -1e308])
LEAVES = (
    st.none()
    | st.booleans()
    | WHOLE
    | FLOATS
    | TEXTS
    | st.binary()
    | st.decimals()
    | st.just(Point(1, "two"))
)
NAMES = TEXTS | st.integers() | st.none() | st.booleans() | st.tuples(st.integers())
LONG = (st.lists(of, min_size=7, max_size=12) for of in (FLOATS, WHOLE, TEXTS, st.booleans(), FLOATS | WHOLE))
GIVEN = st.recursive(
    LEAVES | st.one_of(*LONG),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(NAMES, inner)
        | st.dictionaries(st.text(), inner).map(MappingProxyType)
        | st.frozensets(st.integers())
    ),
    max_leaves=30,
)


def alike(one: Any, other: Any) -> bool:
    """Equal, of the same types and in the same order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


@given(GIVEN, st.integers(1, 200) | st.just(CHARS), st.integers(1, 40) | st.just(VALUES))
def test_whatever_the_value_and_the_room_the_copy_is_the_careful_one(
    value: Any, chars: int, values: int
) -> None:
    room, plain = Room(values=values), Plain(chars, values)
    room.chars = chars
    copied = room.copy(value)
    try:
        expected = plain.copy(value)
    except FullError:
        assert room.cut
        assert (room.chars, copied.keys()) == (chars, {"truncated", "bytes"})
    else:
        assert alike(copied, expected)
        assert (room.chars, room.values, room.cut) == (plain.chars, plain.values, False)
        json.dumps(copied, sort_keys=True, allow_nan=False)


@given(GIVEN)
def test_the_copy_shares_nothing_that_can_change(value: Any) -> None:
    shared = containers(value).keys() & containers(Room().copy(value)).keys()
    assert not shared


def containers(value: Any) -> dict[int, Any]:
    found = {id(value): value} if isinstance(value, (list, dict)) else {}
    if isinstance(value, Mapping):
        inner = list(value.values())
    else:
        inner = list(value) if isinstance(value, (list, tuple)) else []
    for item in inner:
        found |= containers(item)
    return found


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (OrderedDict(b=1, a=[2]), {"b": 1, "a": [2]}),
        (UserDict({1: 2}), {"1": 2}),
        ({Colour.RED: Colour.RED, Level.HIGH: Level.HIGH}, {"red": "red", "3": 3}),
        (bytearray(b"\xff!"), "\N{REPLACEMENT CHARACTER}!"),
        (Decimal("1.50"), "1.50"),
        ({"half": "\ud800", "\ud800": 1}, {"half": "\ud800", "?": 1}),
        ([math.nan] * 9, ["nan"] * 9),
        ([1e308] * 9, [1e308] * 9),
        ([0.5] * 8 + [math.inf], [0.5] * 8 + ["inf"]),
        ([2**256] * 9, [{"truncated": True, "bytes": 32}] * 9),
        ([True] * 9, [True] * 9),
    ],
)
def test_what_is_no_plain_value_is_told_as_what_it_is(value: Any, told: Any) -> None:
    assert alike(Room().copy(value), told)


def test_parts_of_a_model_and_of_a_dataclass_are_told_by_their_names() -> None:
    @dataclass
    class Order:
        id: int
        lines: tuple[str, ...]

    class Model:
        def model_dump(self) -> dict[str, Any]:
            return {"order": Order(7, ("a", "b"))}

    assert Room().copy([Model(), Order]) == [{"order": {"id": 7, "lines": ["a", "b"]}}, str(Order)]


def test_what_contains_itself_ends_at_a_depth() -> None:
    around: list[Any] = []
    around.append({"again": around})
    room = Room()
    assert room.copy({"around": around})["truncated"]  # type: ignore[index]
    assert (room.cut, room.chars) == (True, CHARS)
    assert room.copy("and goes on") == "and goes on"


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: {"a": inner},
        lambda inner: [inner],
        lambda inner: (inner,),
        lambda inner: MappingProxyType({"a": inner}),
    ],
    ids=["dictionary", "list", "tuple", "mapping"],
)
def test_what_lies_deeper_than_a_record_goes_is_cut(around: Any) -> None:
    value: Any = "leaf"
    for depth in range(1, 34):
        value = around(value)
        room = Room()
        room.copy(value)
        assert room.cut == (depth > 32)


@pytest.mark.parametrize(
    "huge",
    [
        pytest.param(lambda: [1.5] * 3_000_000, id="numbers"),
        pytest.param(lambda: ["x"] * 3_000_000, id="texts"),
        pytest.param(lambda: [[]] * 3_000_000, id="lists"),
        pytest.param(lambda: dict.fromkeys(range(1_000_000)), id="names"),
        pytest.param(lambda: {"a": "x" * 50_000_000}, id="text"),
        pytest.param(lambda: ["x" * 1_000_000] * 50, id="large texts"),
        pytest.param(lambda: {"x" * 50_000_000: 1}, id="large name"),
        pytest.param(lambda: Text("x" * 50_000_000), id="a text that lies about its length"),
    ],
)
def test_a_huge_value_takes_no_more_memory_than_a_record(huge: Any) -> None:
    value = huge()
    tracemalloc.start()
    try:
        told = Room().copy(value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told.keys() == {"truncated", "bytes"}  # type: ignore[attr-defined]
    assert peak < 4 * 1024 * 1024
