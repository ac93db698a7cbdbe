"""Reading the texts of two releases beside the ticks: a tick takes what has been compared by now, and never waits for more.

What a release says is in a ConfigMap of the namespace, if anybody put it there (docs/release.md). It is checked against the artifact
digest, compared in a thread, and forgotten but for the lines that are shown. Reading begins when a version is asked for, so it is
over long before a gate needs the lines. What can't be read is tried again, with growing pauses, as long as a rollout asks for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentrollouts.core.texts import Pair, Shown, elsewhere, only, shown, unread
from agentrollouts.ports import GoneError, Key, Reference, TerminalError, TransientError
from agentrollouts.release.comparison import compared
from agentrollouts.release.configmap import configmap_name
from agentrollouts.release.errors import ReleaseError
from agentrollouts.runtime.access import Access
from agentrollouts.runtime.pauses import pause
from agentrollouts.runtime.scheduler import Timing

MOST_PAIRS = 1024
"""Pairs that are remembered; of each a dozen kilobytes. Beyond that nothing is read until one is forgotten."""
AT_A_TIME = 2
"""Pairs under way at once; each may hold two ConfigMaps of a megabyte."""
PATIENCE = 10.0
"""Seconds after which a pair counts as not read, although it still is on its way: nobody waits for it any more."""
LONGEST = 20.0
"""Seconds that reading two ConfigMaps may take."""

_log = logging.getLogger(__name__)
_Place = tuple[str, Pair]
"""A namespace and the pair in it."""


@dataclass(slots=True)
class _Known:
    """A pair, and what came of it."""

    begun: float
    followers: set[Key]
    due: float | None = None
    """When it is read (again), by the monotonic clock; None where there is nothing more to find out."""
    tries: int = 0
    says: Shown | None = None
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Reader:
    """The pairs of all rollouts, by namespace."""

    cluster: Access
    wake: Callable[[Key], None]
    timing: Timing
    _known: dict[_Place, _Known] = field(default_factory=dict)
    _asked: dict[Key, tuple[Pair, ...]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_A_TIME))

    @property
    def readings(self) -> list[asyncio.Task[None]]:
        """What is under way."""
        tasks = (known.task for known in self._known.values())
        return [task for task in tasks if task is not None and not task.done()]

    def told(self, key: Key, pairs: tuple[Pair, ...]) -> Mapping[Pair, Shown | None]:
        """What is known of these pairs, and of no others from now on; None for what is being read for the first time."""
        if pairs != self._asked.get(key, ()):
            self._drop(key, keep=pairs)
            if pairs:
                self._asked[key] = pairs
        return {pair: self._says(key, pair) for pair in pairs}

    def forget(self, key: Key) -> None:
        """The Rollout is gone."""
        self._drop(key)

    async def close(self) -> None:
        """Read nothing any more."""
        tasks = self.readings
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _says(self, key: Key, pair: Pair) -> Shown | None:
        place, now = (key.namespace, pair), self.timing.monotonic()
        known = self._known.get(place)
        if known is None:
            if len(self._known) >= MOST_PAIRS:
                return only(unread(pair, key.namespace, "too many releases are compared at once"))
            known = self._known[place] = _Known(now, set(), due=now)
        known.followers.add(key)
        if known.task is None and known.due is not None and now >= known.due:
            known.task = asyncio.create_task(self._go(place, known), name=f"texts {'/'.join(key)}")
        if known.says is None and now - known.begun >= PATIENCE:
            return only(unread(pair, key.namespace))
        return known.says

    def _drop(self, key: Key, keep: tuple[Pair, ...] = ()) -> None:
        for pair in self._asked.pop(key, ()):
            known = self._known.get((key.namespace, pair))
            if pair in keep or known is None:
                continue
            known.followers.discard(key)
            if not known.followers:
                del self._known[key.namespace, pair]
                if known.task is not None:
                    known.task.cancel()

    async def _go(self, place: _Place, known: _Known) -> None:
        try:
            async with self._slots:
                known.says, known.due = await self._look(place, known)
        finally:
            known.task = None
        known.tries += 1
        if known.tries == 1:
            for key in known.followers:
                self.wake(key)

    async def _look(self, place: _Place, known: _Known) -> tuple[Shown, float | None]:
        """What is shown from now on, and when to look again."""
        namespace, pair = place
        try:
            texts, why_not = await self._texts(namespace, pair) if pair.kept else ("", "")
            says = await asyncio.to_thread(shown, pair, texts, why_not=why_not)
        except Exception as error:  # noqa: BLE001
            # Whatever texts others wrote, nobody may wait for them for ever.
            _log.exception("two releases of %s in %s can't be compared", pair.agent, namespace)
            says, why_not = only(elsewhere(f"the texts can't be compared: {type(error).__name__}")), "failed"
        if not why_not:
            return says, None
        again = pause(known.tries + 1, self.timing.chance(), None)
        return says, self.timing.monotonic() + again

    async def _texts(self, namespace: str, pair: Pair) -> tuple[str, str]:
        """What the ConfigMaps differ in, or else a sentence about why that isn't known."""
        names = [
            configmap_name(version, side.digest)
            for version, side in zip(pair.names, (pair.old, pair.new), strict=True)
        ]
        try:
            async with asyncio.timeout(LONGEST):
                found = [await self._configmap(namespace, name) for name in names]
        except (GoneError, TransientError, TerminalError, TimeoutError) as error:
            return "", unread(pair, namespace, f"the texts couldn't be read: {error or 'no answer in time'}")
        missing = [name for name, body in zip(names, found, strict=True) if body is None]
        if missing:
            there = " and no ".join(missing)
            return "", elsewhere(f"the texts aren't in a ConfigMap of the namespace: there is no {there}")
        try:
            return await asyncio.to_thread(_compared, pair, found), ""
        except ReleaseError as error:
            _log.warning("two releases of %s in %s can't be compared: %s", pair.agent, namespace, error)
            return "", elsewhere(f"the texts can't be compared: {error}")

    async def _configmap(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        return await self.cluster.find(Reference("v1", "ConfigMap", namespace, name))


def _compared(pair: Pair, found: list[Mapping[str, Any] | None]) -> str:
    old, new = found
    assert old is not None and new is not None
    return compared(old, new, old_digest=pair.old.digest, new_digest=pair.new.digest)
