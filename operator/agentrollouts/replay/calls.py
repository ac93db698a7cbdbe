"""What tools two runs of one task called: as a multiset, and in which order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple

from pydantic import JsonValue

from agentrollouts.api.base import StatusModel

CallSource = Literal["recorded", "repeated", "live", "refused", "told"]


class Call(StatusModel):
    """One call of a tool. ``source``: how it was answered in a replay, by the record, by the last record again, for real, or not at all.

    ``told`` is a call that the agent only told of, since it didn't go through the kit's ``tool``; so are all calls of a record.
    """

    name: str
    arguments: JsonValue = None
    error: str | None = None
    source: CallSource = "told"


class CallsDifference(NamedTuple):
    """``new`` and ``vanished`` by name, once for each call; ``altered``: as often as before, with other arguments; ``reordered``: the same calls otherwise."""

    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    reordered: bool = False

    def __bool__(self) -> bool:
        return bool(self.new or self.vanished or self.altered or self.reordered)


def compared(before: Iterable[Call], after: Iterable[Call]) -> CallsDifference:
    """What became of the calls."""
    old, new = list(before), list(after)
    was, now = _names(old), _names(new)
    if was == now and Counter(map(_key, old)) == Counter(map(_key, new)):
        return CallsDifference(reordered=list(map(_key, old)) != list(map(_key, new)))
    return CallsDifference(
        new=tuple(sorted((now - was).elements())),
        vanished=tuple(sorted((was - now).elements())),
        altered=tuple(sorted(_altered(old, new))),
    )


def without(calls: Iterable[Call], names: Collection[str]) -> tuple[Call, ...]:
    """The calls of all other tools."""
    return tuple(call for call in calls if call.name not in names)


def canonical(arguments: JsonValue) -> str:
    """Arguments as text that is equal for equal ones: 1 and 1.0 are the same."""
    return json.dumps(_plain(arguments), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _altered(old: Sequence[Call], new: Sequence[Call]) -> Iterable[str]:
    """Tools that were called as often as before, but not with the same arguments."""
    was, now = _names(old), _names(new)
    for name in was.keys() & now.keys():
        before, after = (Counter(_key(call) for call in side if call.name == name) for side in (old, new))
        # Of a tool that is called more or less often the surplus is new or vanished; the rest may still be altered.
        if (before - after).total() > (was - now)[name] or (after - before).total() > (now - was)[name]:
            yield name


def _names(calls: Iterable[Call]) -> Counter[str]:
    return Counter(call.name for call in calls)


def _key(call: Call) -> tuple[str, str]:
    return call.name, canonical(call.arguments)


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
