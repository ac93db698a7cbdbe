"""The evidence of all rollouts on their way, read together: the number of queries doesn't grow with their number.

Ticks of analysis fall on a common grid of moments, so those due together need one reading. A reading serves every tick
until the next moment of the grid; whoever comes first asks, and everybody waits for the same answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agentrollouts.api.rollout import CandidateStatus, RolloutSpec
from agentrollouts.core.checks import queries
from agentrollouts.core.checks.success_rate import TASKS
from agentrollouts.core.evidence import Accumulator, CounterQuery, Evidence, Series, Unavailable
from agentrollouts.ports import AgentKey, AgentSeries, Clock, MetricSource
from agentrollouts.runtime.views import Place

LOOK_BACK = timedelta(minutes=5)
"""History before a candidate's start, to find what each counter showed at its start."""
LONG = timedelta(hours=1)
"""Candidates older than this are loaded apart from the others, whose history is short."""
GAP = 100.0
"""Seconds without a reading after which sums are built anew from history: a reading looks back 120 s, so a pod that came and
went within a longer gap would be missed."""
SETTLING = 0.02
"""Seconds a reading waits for others that start in the same moment."""

Answers = Mapping[CounterQuery, AgentSeries | Unavailable]
_log = logging.getLogger(__name__)


def grid(now: float, interval: float) -> float:
    """The latest moment of the grid that isn't after ``now``, both in seconds of the same clock."""
    # NB: a hair of tolerance, or a tick due at a moment of the grid would sometimes fall before it.
    return (now + 1e-6) // interval * interval


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose evidence it is: one candidate's try, as measured by these counters."""

    agent: AgentKey
    version: str
    attempt: int
    started_at: datetime
    queries: tuple[CounterQuery, ...]
    window: timedelta
    events: int
    """Length of a window of finished tasks; 0 where the window is time."""

    @classmethod
    def of(cls, namespace: str, spec: RolloutSpec, candidate: CandidateStatus) -> Subject:
        """The subject of a rollout with a candidate."""
        tuning = spec.strategy.self_tuning
        return cls(
            agent=AgentKey(namespace, spec.agent),
            version=candidate.version,
            attempt=candidate.attempt,
            started_at=candidate.started_at,
            queries=queries(spec),
            window=timedelta(0) if tuning else spec.analysis.window,
            events=tuning.window if tuning else 0,
        )

    def accumulator(self) -> Accumulator:
        """Empty sums, with this subject's window."""
        return Accumulator(
            since=self.started_at.timestamp(),
            window=self.window,
            window_of=(self.version, TASKS.metric) if self.events else None,
            window_size=float(self.events),
        )


@dataclass(slots=True)
class Tracker:
    """The sums of one subject. Without an accumulator it has to be loaded from history first."""

    subject: Subject
    sums: Accumulator | None = None
    problem: str = "the history of the counters hasn't been read yet"
    asked: float = float("-inf")
    """When its history was last asked for."""
    read: float = float("-inf")
    """When its counters were last read, from history or not."""


@dataclass(slots=True)
class Reading:
    """A reading under way or done, and when it began."""

    began: float
    task: asyncio.Task[None]


@dataclass(slots=True)
class EvidenceBook:
    """The trackers of all rollouts that have a candidate."""

    source: MetricSource
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    _trackers: dict[Place, Tracker] = field(default_factory=dict)
    _reading: Reading | None = None
    _loading: asyncio.Task[None] | None = None

    def forget(self, place: Place) -> None:
        """The rollout has no candidate, and asks for nothing."""
        self._trackers.pop(place, None)

    async def evidence(
        self, place: Place, subject: Subject, *, interval: timedelta, now: datetime
    ) -> Evidence | Unavailable:
        """What the counters say, as of the last moment of the interval's grid; why not, if they can't be read."""
        tracker = self._trackers.get(place)
        if tracker is None or tracker.subject != subject:
            tracker = self._trackers[place] = Tracker(subject)
        moment = grid(self.monotonic(), interval.total_seconds())
        if tracker.sums is not None and self.monotonic() - tracker.read > max(GAP, interval.total_seconds()):
            tracker.sums = None
        if tracker.sums is None:
            if tracker.asked < moment:
                await self._load()
        else:
            await self._read(moment)
        if tracker.sums is None or tracker.problem:
            return Unavailable(tracker.problem)
        return tracker.sums.evidence(now)

    async def _read(self, moment: float) -> None:
        reading = self._reading
        if reading is None or reading.began < moment:
            reading = self._reading = Reading(self.monotonic(), _shared(self._current()))
        await asyncio.shield(reading.task)

    async def _load(self) -> None:
        if self._loading is None or self._loading.done():
            self._loading = _shared(self._history())
        await asyncio.shield(self._loading)

    async def _current(self) -> None:
        trackers = [tracker for tracker in self._trackers.values() if tracker.sums is not None]
        began = self.monotonic()
        answers = await self._ask(trackers, None)
        for tracker in trackers:
            series, tracker.problem = _series_for(tracker.subject, answers)
            if tracker.sums is not None and not tracker.problem:
                tracker.sums.add(series)
                tracker.read = began

    async def _history(self) -> None:
        await asyncio.sleep(SETTLING)
        now, asked = self.clock.now(), self.monotonic()
        unloaded = [tracker for tracker in self._trackers.values() if tracker.sums is None]
        old = [tracker for tracker in unloaded if now - tracker.subject.started_at > LONG]
        for group in (old, [tracker for tracker in unloaded if tracker not in old]):
            if not group:
                continue
            since = min(tracker.subject.started_at for tracker in group) - LOOK_BACK
            answers = await self._ask(group, (since, now))
            for tracker in group:
                tracker.asked = asked
                series, tracker.problem = _series_for(tracker.subject, answers)
                if not tracker.problem:
                    tracker.sums = tracker.subject.accumulator()
                    tracker.sums.load(series, newcomer=tracker.subject.version)
                    tracker.read = asked

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


def _shared(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task several ticks wait for; none of them can cancel it for the others."""
    return asyncio.create_task(work)
