"""One kind's objects, by place and by group, with the newest version of each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Generic, Protocol, TypeVar

from agentrollouts.runtime.views import Meta, Place, Raw


class Kept(Protocol):
    """An object with its metadata."""

    @property
    def meta(self) -> Meta:
        """Its name and versions."""


Item = TypeVar("Item", bound=Kept)


class Shelf(Generic[Item]):
    """Parses events and keeps what is newest. Events of one object may come out of order after a new list."""

    def __init__(
        self, parse: Callable[[Raw, Item | None], Item], *, group: Callable[[Item], Hashable] = lambda _: None
    ) -> None:
        self._parse, self._group = parse, group
        self.items: dict[Place, Item] = {}
        self._groups: dict[Hashable, dict[Place, Item]] = {}

    def get(self, place: Place) -> Item | None:
        """The object there."""
        return self.items.get(place)

    def of(self, group: Hashable) -> Mapping[Place, Item]:
        """The objects of a group."""
        return self._groups.get(group, {})

    def put(self, raw: Raw) -> tuple[Item | None, Item] | None:
        """(before, after); None when the event is older than what is known."""
        meta = raw["metadata"]
        place = Place(meta.get("namespace", ""), meta["name"])
        before = self.items.get(place)
        if before is not None and before.meta.uid == meta.get("uid") and not _newer(raw, before.meta):
            return None
        after = self._parse(raw, before)
        self.keep(after)
        return before, after

    def keep(self, item: Item) -> None:
        """Put an object there as it is."""
        self._unlink(item.meta.place)
        self.items[item.meta.place] = item
        self._groups.setdefault(self._group(item), {})[item.meta.place] = item

    def drop(self, place: Place, *, uid: str | None = None) -> Item | None:
        """The object that was removed; only if it still is the one with that uid."""
        item = self.items.get(place)
        if item is None or (uid is not None and item.meta.uid not in ("", uid)):
            return None
        self._unlink(place)
        return self.items.pop(place, None)

    def _unlink(self, place: Place) -> None:
        old = self.items.get(place)
        if old is None:
            return
        group = self._group(old)
        members = self._groups.get(group, {})
        members.pop(place, None)
        if not members:
            self._groups.pop(group, None)


def _newer(raw: Raw, meta: Meta) -> bool:
    """Resource versions of one resource are comparable numbers (guaranteed since Kubernetes 1.35, true before)."""
    mine, theirs = meta.resource_version, str(raw["metadata"].get("resourceVersion", ""))
    if mine.isdigit() and theirs.isdigit():
        return int(theirs) > int(mine)
    return mine != theirs
