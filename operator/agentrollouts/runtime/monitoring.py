"""Reading what stable versions do, beside the ticks: a tick takes what was read last, and never waits for more.

All rollouts that serve are read together, in a book of their own: its readings are large and seldom, and no candidate's
evidence waits for one. What is there wakes the rollout's key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from agentrollouts.core.evidence import Evidence, Unavailable
from agentrollouts.core.monitor.behavior import READ
from agentrollouts.core.monitor.watch import Look, is_watched, look_at, watched_since
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.windows import Windows
from agentrollouts.ports import AgentKey, Clock, Key
from agentrollouts.runtime.counter_book import CounterBook, grid
from agentrollouts.runtime.subject import Subject
from agentrollouts.runtime.views import Place

_log = logging.getLogger(__name__)


def subject_of(snapshot: Snapshot) -> Subject:
    """Whose behaviour is read: the stable version's, over the monitor's window."""
    stable, spec = snapshot.status.stable, snapshot.spec.monitor
    assert stable is not None
    return Subject(
        agent=AgentKey(snapshot.identity.namespace, snapshot.spec.agent),
        version=stable.version,
        attempt=0,
        started_at=watched_since(stable, spec.window, snapshot.now),
        queries=READ,
        windows=Windows(spec.window, 0),
        serves=True,
    )


@dataclass(slots=True)
class Monitor:
    """What was read of each rollout's stable version last, and the readings under way."""

    book: CounterBook
    clock: Clock
    wake: Callable[[Key], None]
    monotonic: Callable[[], float]
    _found: dict[Place, tuple[Subject, Evidence | Unavailable]] = field(default_factory=dict)
    _reading: dict[Place, asyncio.Task[None]] = field(default_factory=dict)
    _asked: dict[Place, float] = field(default_factory=dict)
    _looks: dict[Place, Look] = field(default_factory=dict)

    @property
    def looks(self) -> Mapping[Place, Look]:
        """What the last look at each rollout said; none of those that aren't watched, or can't be read."""
        return self._looks

    @property
    def readings(self) -> tuple[asyncio.Task[None], ...]:
        """Those under way."""
        return tuple(self._reading.values())

    def seen(self, key: Key, snapshot: Snapshot) -> Snapshot:
        """The snapshot with what is known of its stable version; reads it anew beside the tick where it is time to."""
        place = Place(key.namespace, key.name)
        if not is_watched(snapshot.spec, snapshot.status):
            self.forget(place)
            return snapshot
        subject, interval = subject_of(snapshot), snapshot.spec.monitor.interval
        if place not in self._reading and self._is_due(place, interval.total_seconds()):
            self._asked[place] = self.monotonic()
            task = asyncio.create_task(
                self._read(key, place, subject, snapshot), name=f"monitor {place.name}"
            )
            self._reading[place] = task
            task.add_done_callback(lambda done: self._done(place, done))
        of, found = self._found.get(place, (None, None))
        snapshot = replace(snapshot, behavior=found) if of == subject else snapshot
        self._note(place, look_at(snapshot))
        return snapshot

    def forget(self, place: Place) -> None:
        """The rollout is gone, or its stable version isn't watched."""
        task = self._reading.pop(place, None)
        if task is not None:
            task.cancel()
        for known in (self._found, self._asked, self._looks):
            known.pop(place, None)
        self.book.forget(place)

    async def close(self) -> None:
        """Stop reading."""
        tasks = self.readings
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _is_due(self, place: Place, interval: float) -> bool:
        return self._asked.get(place, float("-inf")) < grid(self.monotonic(), interval)

    def _note(self, place: Place, look: Look | None) -> None:
        if look is None:
            self._looks.pop(place, None)
        else:
            self._looks[place] = look

    async def _read(self, key: Key, place: Place, subject: Subject, snapshot: Snapshot) -> None:
        now: datetime = self.clock.now()
        try:
            found = await self.book.evidence(place, subject, interval=snapshot.spec.monitor.interval, now=now)
        except Exception as error:  # noqa: BLE001
            # Whatever it is, it says nothing about the version, and the next reading may succeed.
            _log.exception("the monitor's reading failed")
            found = Unavailable(f"the reading failed: {error!r}")
        self._found[place] = subject, found
        if isinstance(found, Evidence):
            self.wake(key)

    def _done(self, place: Place, task: asyncio.Task[None]) -> None:
        # NB: the rollout may have been forgotten meanwhile, and be read anew already.
        if self._reading.get(place) is task:
            del self._reading[place]
