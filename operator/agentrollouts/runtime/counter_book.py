"""The counters of all rollouts, read together: the number of queries doesn't grow with their number.

Ticks of analysis fall on a common grid of moments, so those due together need one reading. It is for every rollout whose
moment has come, and serves it until its next one; whoever comes first asks, and everybody waits for the same answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agentrollouts.core.evidence import Accumulator, CounterQuery, Evidence, Series, Unavailable
from agentrollouts.ports import AgentSeries, Clock, MetricSource
from agentrollouts.runtime.subject import Subject
from agentrollouts.runtime.views import Place

LOOK_BACK = timedelta(minutes=5)
"""History before a candidate's start, to find what each counter showed at its start."""
LONG = timedelta(hours=1)
"""Candidates older than this are loaded apart from the others, whose history is short."""
GAP = 100.0
"""Seconds without a reading after which sums are built anew from history: a reading looks back 120 s, so a pod that came and
went within a longer gap would be missed."""
LATE = 1.5
"""Intervals after which a reading is overdue and not only a bit late."""
GROUP = 2
"""Ticks that go on together when a reading is there. Between two groups the loop runs whatever else is ready: the route
write of a rollback is done before the last of a thousand ticks has begun to think. A write takes some fifteen turns of the
loop, so groups of eight made it 0.1 s long."""
SETTLING = 0.02
"""Seconds a reading waits for others that start in the same moment."""

Answers = Mapping[CounterQuery, AgentSeries | Unavailable]
_log = logging.getLogger(__name__)


def grid(now: float, interval: float) -> float:
    """The latest moment of the grid that isn't after ``now``, both in seconds of the same clock."""
    # NB: a hair of tolerance, or a tick due at a moment of the grid would sometimes fall before it.
    return (now + 1e-6) // interval * interval


@dataclass(slots=True)
class Tracker:
    """The sums of one subject. Without an accumulator it has to be loaded from history first."""

    subject: Subject
    sums: Accumulator | None = None
    problem: str = "the history of the counters hasn't been read yet"
    interval: float = 0.0
    """Seconds between two readings."""
    asked: float = float("-inf")
    """When its counters or their history were last asked for."""
    read: float = float("-inf")
    """When they were last read."""
    reading: asyncio.Future[None] | None = None
    """Done when the newest reading of its counters has been folded in."""

    def is_unloaded(self, *, serves: bool) -> bool:
        """Whether its history is still to be read; of those versions that serve, or of the candidates."""
        return self.sums is None and self.subject.serves == serves

    def due(self, now: float) -> bool:
        """Whether nobody has asked since the latest moment of its grid."""
        # NB: never two readings at once: the older answer, folded in last, would look like a restarted process.
        return self.asked < grid(now, self.interval) and (self.reading is None or self.reading.done())


@dataclass(slots=True)
class CounterBook:
    """The trackers of all subjects that are read on one grid."""

    source: MetricSource
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    _trackers: dict[Place, Tracker] = field(default_factory=dict)
    _loading: asyncio.Task[None] | None = None
    _readings: set[asyncio.Task[None]] = field(default_factory=set)

    def forget(self, place: Place) -> None:
        """Nobody asks for this subject any more."""
        self._trackers.pop(place, None)

    def look_every(self, place: Place, interval: timedelta) -> None:
        """The rollout is looked at this often from now on."""
        if place in self._trackers:
            self._trackers[place].interval = interval.total_seconds()

    async def evidence(
        self, place: Place, subject: Subject, *, interval: timedelta, now: datetime
    ) -> Evidence | Unavailable:
        """What the counters say, as of the last moment of its grid; why not, if they can't be read.

        ``interval`` is the grid of a subject that is new; :meth:`look_every` changes it.
        """
        tracker = self._trackers.get(place)
        if tracker is None or tracker.subject != subject:
            tracker = self._trackers[place] = Tracker(subject, interval=interval.total_seconds())
        if tracker.sums is not None and self.monotonic() - tracker.read > max(GAP, LATE * tracker.interval):
            tracker.sums, tracker.asked = None, float("-inf")
        if tracker.sums is not None:
            await self._read(tracker)
        elif tracker.due(self.monotonic()):
            await self._load()
        if tracker.sums is None or tracker.problem:
            return Unavailable(tracker.problem)
        return tracker.sums.evidence(now)

    async def _read(self, tracker: Tracker) -> None:
        now = self.monotonic()
        if tracker.due(now):
            due = [other for other in self._trackers.values() if other.sums is not None and other.due(now)]
            due.sort(key=lambda other: other.interval)  # those looked at closely, first
            loop = asyncio.get_running_loop()
            for other in due:
                other.asked, other.reading = now, loop.create_future()
            task = asyncio.create_task(self._current(due, now))
            self._readings.add(task)
            task.add_done_callback(self._readings.discard)
        if tracker.reading is not None:
            # NB: shielded, or a tick that is cancelled would make its reading look done while the answer is still on its way.
            await asyncio.shield(tracker.reading)

    async def _load(self) -> None:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._history())
        # NB: shielded, for several ticks wait for it and none may cancel it for the others.
        await asyncio.shield(self._loading)

    async def _current(self, trackers: list[Tracker], began: float) -> None:
        readings = [(tracker, tracker.sums, tracker.reading) for tracker in trackers]
        try:
            answers = await self._ask(trackers, None)
            for number, (tracker, before, reading) in enumerate(readings):
                if number and number % GROUP == 0:
                    await asyncio.sleep(0)
                # NB: otherwise built anew meanwhile, from a history that may be newer than this
                if tracker.sums is not None and tracker.sums is before:
                    _fold_in(tracker, tracker.sums, answers, began)
                _finish(reading)
        finally:
            for _, _, reading in readings:
                _finish(reading)

    async def _history(self) -> None:
        await asyncio.sleep(SETTLING)
        began, now = self.monotonic(), self.clock.now()
        unloaded = [tracker for tracker in self._trackers.values() if tracker.is_unloaded(serves=False)]
        old = [tracker for tracker in unloaded if now - tracker.subject.started_at > LONG]
        for group in (old, [tracker for tracker in unloaded if tracker not in old]):
            if group:
                await self._load_together(group, {})
        await self._load_serving(began)

    async def _load_serving(self, began: float) -> None:
        """Versions that serve one by one, those too that come meanwhile: their histories are long and begin at different times."""
        answers: Answers = {}
        while waiting := [
            t for t in self._trackers.values() if t.is_unloaded(serves=True) and t.asked < began
        ]:
            # NB: a source that is down isn't asked for each of them, or the last would wait for all of its timeouts.
            down = bool(answers) and all(isinstance(answer, Unavailable) for answer in answers.values())
            answers = await self._load_together(waiting[:1], answers if down else {})
            await asyncio.sleep(0)

    async def _load_together(self, group: list[Tracker], answers: Answers) -> Answers:
        """Begin the sums of a group from history; from ``answers``, where there are any already."""
        now, asked = self.clock.now(), self.monotonic()
        since = min(tracker.subject.started_at for tracker in group) - LOOK_BACK
        answers = answers or await self._ask(group, (since, now))
        for tracker in group:
            tracker.asked = asked
            series, tracker.problem = _series_for(tracker.subject, answers)
            if not tracker.problem:
                tracker.sums = tracker.subject.loaded(series, now)
                tracker.read = asked
        return answers

    async def _ask(self, trackers: list[Tracker], stretch: tuple[datetime, datetime] | None) -> Answers:
        wanted = tuple(dict.fromkeys(query for tracker in trackers for query in tracker.subject.queries))
        agents = tuple(dict.fromkeys(tracker.subject.agent for tracker in trackers))
        if not agents:
            return {}
        try:
            if stretch is None:
                return await self.source.current(wanted, agents)
            return await self.source.history(wanted, agents, since=stretch[0], until=stretch[1])
        except Exception as error:  # noqa: BLE001
            # A source answers with values; an exception is a bug in it, and must not end the tick of every rollout.
            _log.exception("the metric source failed")
            return dict.fromkeys(wanted, Unavailable(f"the metric source failed: {error!r}"))


def _fold_in(tracker: Tracker, sums: Accumulator, answers: Answers, began: float) -> None:
    series, tracker.problem = _series_for(tracker.subject, answers)
    if not tracker.problem:
        sums.add(series)
        tracker.read = began


def _finish(reading: asyncio.Future[None] | None) -> None:
    if reading is not None and not reading.done():
        reading.set_result(None)


def _series_for(subject: Subject, answers: Answers) -> tuple[list[Series], str]:
    """All series of a subject, or why one of its counters can't be read."""
    found: list[Series] = []
    for query in subject.queries:
        answer = answers.get(query, Unavailable(f"{query.metric} wasn't read"))
        if isinstance(answer, Unavailable):
            return [], answer.reason
        mine = answer.get(subject.agent, ())
        if isinstance(mine, Unavailable):
            return [], mine.reason
        found.extend(mine)
    return found, ""
