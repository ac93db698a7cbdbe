"""When each key is looked at: a heap of due moments, one tick a key at a time, and nobody held up by a broken one."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from agentrollouts.ports import Key

CONCURRENCY = 1024
"""Ticks under way at once. Most of a tick is thinking; what is scarce are writes, and ticks share those out themselves."""
AT_A_TIME = 8
"""Keys that begin in one turn of the loop. What the first of them asks for is on its way while the others begin."""
BACKOFF_FIRST, BACKOFF_LAST = 1.0, 60.0
"""Seconds until a key is tried again after an error, doubling from the first to the last."""
JITTER = 0.1
"""Idle waits are up to a tenth shorter, so that keys that began together drift apart."""
AT_ONCE = 0.02
"""Seconds until a key is tried again after a conflict; the watch needs a moment to tell what changed."""
CONFLICTS = 5
"""Conflicts in a row that count as such; what goes on conflicting is an error."""

_log = logging.getLogger(__name__)


class Again(NamedTuple):
    """When to look again: after ``seconds``, or at the next moment of a grid of that many seconds."""

    seconds: float
    aligned: bool = False


class Conflict(NamedTuple):
    """Something changed meanwhile: look again at once."""

    message: str


class Failed(NamedTuple):
    """The tick couldn't do its work: back off."""

    error: Exception


Outcome = Again | Conflict | Failed | None
"""What a tick tells the scheduler; None forgets the key."""


@dataclass(slots=True)
class _Entry:
    due: float
    running: bool = False
    woken: bool = False
    failures: int = 0
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Clock and chance, so that tests hold both in their hands."""

    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = lambda: 0.0
    """A number from 0 to 1, for the jitter."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for so many seconds of ``monotonic``."""


class Scheduler:
    """Calls ``tick`` for each key when it is due."""

    def __init__(
        self,
        tick: Callable[[Key], Awaitable[Outcome]],
        *,
        timing: Timing | None = None,
        concurrency: int = CONCURRENCY,
        on_lag: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._tick = tick
        self._timing = timing or Timing()
        self._limit = concurrency
        self._on_lag = on_lag
        self._entries: dict[Key, _Entry] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._stopping = False

    def wake(self, key: Key) -> None:
        """Look at the key now; one that is being looked at, once more afterwards; one that backs off, in a second at most."""
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(self._timing.monotonic())
            self._push(key, entry.due)
        elif entry.running:
            entry.woken = True
        else:
            soon = self._timing.monotonic() + (BACKOFF_FIRST if entry.failures else 0.0)
            if soon < entry.due:
                self._push(key, soon)

    def overdue(self) -> float:
        """Seconds the longest-waiting key is past its moment; keys being looked at don't wait."""
        now = self._timing.monotonic()
        return max(
            (now - e.due for e in self._entries.values() if not e.running and e.due < now), default=0.0
        )

    def __len__(self) -> int:
        return len(self._entries)

    async def run(self) -> None:
        """Look at keys as they come due, until :meth:`drain`."""
        while not self._stopping:
            self._changed.clear()
            if self._start_due(AT_A_TIME) == AT_A_TIME:
                await asyncio.sleep(0)
                continue
            wait = self._until_next()
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def run_due(self) -> int:
        """Look at everything that is due now, and wait for it; how many keys that were. For tests."""
        ticked = 0
        while started := self._start_due(self._limit):
            ticked += started
            await asyncio.gather(*self._running)
        return ticked

    async def drain(self, seconds: float) -> bool:
        """Start nothing more, and wait for what is under way; whether all of it finished in time."""
        self._stopping = True
        self._changed.set()
        if not self._running:
            return True
        _, pending = await asyncio.wait(self._running, timeout=seconds)
        for task in pending:
            task.cancel()
        return not pending

    def _push(self, key: Key, due: float) -> None:
        self._entries[key].due = due
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, key))
        self._changed.set()

    def _start_due(self, most: int) -> int:
        now, started = self._timing.monotonic(), 0
        while started < most and self._heap and self._heap[0][0] <= now and len(self._running) < self._limit:
            due, _, key = heapq.heappop(self._heap)
            entry = self._entries.get(key)
            if entry is None or entry.running or entry.due != due:
                continue  # forgotten, or moved to another moment since
            entry.running, entry.woken = True, False
            self._on_lag(now - due)
            task = asyncio.create_task(self._look(key, entry), name=f"tick {'/'.join(key)}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda _: self._changed.set())
            started += 1
        return started

    def _until_next(self) -> float | None:
        if len(self._running) >= self._limit or not self._heap:
            return None
        return max(0.0, self._heap[0][0] - self._timing.monotonic())

    async def _look(self, key: Key, entry: _Entry) -> None:
        try:
            outcome = await self._tick(key)
        except Exception as error:  # noqa: BLE001
            # NB: whatever it is, it is this key's alone.
            _log.exception("tick of %s failed", "/".join(key))
            outcome = Failed(error)
        entry.running = False
        if outcome is None and not entry.woken:
            del self._entries[key]
            return
        self._push(key, self._next(entry, outcome))

    def _next(self, entry: _Entry, outcome: Outcome) -> float:
        now: float = self._timing.monotonic()
        if isinstance(outcome, Conflict):
            entry.conflicts += 1
            if entry.conflicts <= CONFLICTS:
                return now + AT_ONCE * 2.0 ** (entry.conflicts - 1)
            outcome = Failed(RuntimeError(outcome.message))
        entry.conflicts = 0
        if isinstance(outcome, Failed):
            entry.failures += 1
            return now + min(BACKOFF_LAST, BACKOFF_FIRST * 2.0 ** (entry.failures - 1))
        entry.failures = 0
        if entry.woken or outcome is None:
            return now
        if outcome.aligned:
            return (now // outcome.seconds + 1) * outcome.seconds
        return now + outcome.seconds * (1 - JITTER * self._timing.chance())
