"""The bounded copy of what an agent hands over: down to its strings, which never change, and no further.

It is made while the agent's code waits, so what most values are made of, dictionaries with short names, lists, text and numbers,
goes by the shortest way, and whatever else there is by the careful one. Both take the same from the room, and what is
copied is bounded before it is: a huge value costs no more than a large one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any, Final

MAX_RECORD_BYTES: Final = 262_144
"""The largest record the ledger takes, in bytes of JSON with sorted keys and no spaces."""
_MAX_VALUES: Final = 20_000
"""Numbers, strings, lists and so on in one record: what an agent may be held up by copying them."""
_MAX_DEPTH: Final = 32
_MAX_INT_BITS: Final = 256
_LARGEST_INT: Final = 2**_MAX_INT_BITS - 1
_MANY: Final = 8
"""Items of a list that are worth a look at all of them at once: an embedding has a thousand."""


class _FullError(Exception):
    """More than a record can hold."""


class Room:
    """What a record may still take: characters and values."""

    __slots__ = ("chars", "cut", "values")

    def __init__(self, values: int = _MAX_VALUES) -> None:
        self.chars = MAX_RECORD_BYTES
        self.values = values
        self.cut = False
        """Whether something was too large."""

    def copy(self, value: object, *, size: int = 0) -> object:
        """The value as JSON could hold it; where it is too large, its size, which is at least `size` bytes."""
        before = self.chars
        try:
            return self._copy(value, _MAX_DEPTH)
        except _FullError:
            seen, self.chars, self.cut = before - self.chars, before, True
            return truncated(max(seen, size))

    def _copy(self, value: Any, depth: int) -> object:
        # NB: `type` and not `isinstance`: what a subclass does of its own is for the careful way.
        kind = type(value)
        if kind is str:
            self.chars -= 1 + len(value)
        elif (
            value is None
            or kind is bool
            or (kind is float and math.isfinite(value))
            or (kind is int and value.bit_length() <= _MAX_INT_BITS)
        ):
            self.chars -= 1
        elif kind is dict and depth:
            self._take(chars=1)
            return self._names(value.items(), depth - 1)
        elif kind is list and depth:
            self._take(chars=1)
            return self._items(value, depth - 1)
        else:
            return self._carefully(value, depth)
        self.values -= 1
        if self.chars < 0 or self.values < 0:
            raise _FullError
        return value

    def _names(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, object]:
        copy = self._copy
        copied: dict[str, object] = {}
        for name, item in items:
            if type(name) is str and name.isascii():
                self.chars -= len(name)
            else:
                name = self._name(name)  # noqa: PLW2901 - what it is called from here on
            copied[name] = copy(item, depth)
        return copied

    def _items(self, items: Collection[Any], depth: int) -> list[object]:
        if type(items) is list and _MANY <= len(items) <= self.values:
            alike = items[:]
            if (chars := _chars_of_alike(alike)) is not None:
                self._take(chars=chars, values=len(alike))
                return alike
        copy = self._copy
        return [copy(item, depth) for item in items]

    def _carefully(self, value: Any, depth: int) -> object:
        self._take(chars=1)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (int, float)):
            return _number(value)
        if isinstance(value, (bytes, bytearray)):
            self._take(chars=len(value), values=0)
            return value.decode("utf-8", "replace")
        if depth == 0:
            raise _FullError
        if isinstance(value, (dict, Mapping)):
            return self._names(value.items(), depth - 1)
        if isinstance(value, (list, tuple, AbstractSet)):
            return self._items(value, depth - 1)
        if is_dataclass(value) and not isinstance(value, type):
            told = ((item.name, getattr(value, item.name)) for item in fields(value))
            return self._names(told, depth - 1)
        if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
            return self._copy(dump(), depth - 1)
        return self._text(str(value))

    def _name(self, name: object) -> str:
        # NB: two names that differ in what is no character would become one, and the ledger would read another record.
        return self._text(str(name)).encode("utf-8", "replace").decode()

    def _text(self, text: str) -> str:
        # NB: of a subclass, such as an enum's member, only the text itself.
        self._take(chars=str.__len__(text), values=0)
        return str.__str__(text)

    def _take(self, *, chars: int, values: int = 1) -> None:
        self.chars -= chars
        self.values -= values
        if self.chars < 0 or self.values < 0:
            raise _FullError


def _chars_of_alike(items: list[Any]) -> int | None:
    """What the items take where they all are text, numbers, or whole numbers that JSON can hold as they are; else None."""
    kinds = set(map(type, items))
    if kinds == {str}:
        return len(items) + sum(map(len, items))
    if (kinds == {float} and math.isfinite(sum(items))) or (
        kinds == {int} and min(items) >= -_LARGEST_INT and max(items) <= _LARGEST_INT
    ):
        return len(items)
    return None


def truncated(size: int) -> dict[str, object]:
    """What stands for a value that was too large; `size` in bytes, at least."""
    return {"truncated": True, "bytes": size}


def _number(value: float) -> object:
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MAX_INT_BITS else truncated(value.bit_length() // 8)
    return float(value) if math.isfinite(value) else str(value)
