"""Where two JSON values differ, place by place."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

_NOTHING = object()
Place = tuple[str, ...]


class Difference(NamedTuple):
    """One place that differs: its path with dots, and both values as JSON; None where there is nothing at it."""

    path: str
    before: str | None
    after: str | None


def differences(before: Any, after: Any, ignored: Collection[str] = ()) -> tuple[Difference, ...]:
    """Every place in which two values differ, in the order of the names. ``ignored`` are paths that don't count, with all below them.

    1 and 1.0 are the same number, true is none. A list is compared place by place.
    """
    return tuple(_walk(before, after, (), frozenset(ignored)))


def at(value: Any, path: str) -> Any:
    """What is at a path with dots, such as ``choices.0.label``; the value itself for an empty one.

    Raises:
        LookupError: there is nothing.
    """
    for step in path.split(".") if path else ():
        value = _step(value, step)
        if value is _NOTHING:
            raise LookupError(path)
    return value


def same(before: Any, after: Any) -> bool:
    """Whether two JSON values are equal."""
    return next(_walk(before, after, (), frozenset()), None) is None


def _walk(before: Any, after: Any, place: Place, ignored: frozenset[str]) -> Iterator[Difference]:
    if ".".join(place) in ignored and place:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        names: Sequence[str] = sorted({*before, *after})
        for name in names:
            old, new = (side.get(name, _NOTHING) for side in (before, after))
            yield from _walk(old, new, (*place, name), ignored)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old, new = (side[index] if index < len(side) else _NOTHING for side in (before, after))
            yield from _walk(old, new, (*place, str(index)), ignored)
    elif not _equal(before, after):
        yield Difference(".".join(place), _shown(before), _shown(after))


def _equal(before: Any, after: Any) -> bool:
    # NB: in Python True is 1.
    return isinstance(before, bool) is isinstance(after, bool) and bool(before == after)


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, _NOTHING)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return _NOTHING


def _shown(value: Any) -> str | None:
    return None if value is _NOTHING else json.dumps(value, ensure_ascii=False, sort_keys=True)
