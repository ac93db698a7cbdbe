"""The evidence about all candidates: their counters, what users' own queries answered, and the trial after each look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import CandidateStatus, RolloutStatus
from agentrollouts.core.evidence import Evidence, Unavailable
from agentrollouts.core.sequential.trial import Trial
from agentrollouts.core.trials import advanced, resumed
from agentrollouts.ports import Clock, MetricSource
from agentrollouts.runtime.asking import Asking
from agentrollouts.runtime.counter_book import CounterBook
from agentrollouts.runtime.shares import Shares, shares_of
from agentrollouts.runtime.subject import Subject
from agentrollouts.runtime.views import Place


@dataclass(slots=True)
class Tried:
    """What a rollout's looks have come to so far, while they are about one subject."""

    subject: Subject
    shares: Shares = field(default_factory=Shares)
    trial: Trial | None = None
    """The sequential test, from the candidate's first share on."""

    def after(self, candidate: CandidateStatus, found: Evidence, now: datetime) -> Trial | None:
        """The trial goes on from where it stood: here, or in the status when this process is a new one."""
        terms = self.subject.terms
        if terms is None or candidate.first_share_at is None:
            self.trial = None  # what the old version does meanwhile is history
            return None
        before = self.trial or resumed(terms, candidate.trial)
        self.trial = advanced(terms, before, found, self.shares.settled(now))
        return self.trial


@dataclass(slots=True)
class EvidenceBook:
    """Of all rollouts that have a candidate."""

    source: MetricSource
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    counters: CounterBook = field(init=False)
    asking: Asking = field(init=False)
    _tried: dict[Place, Tried] = field(default_factory=dict)
    _subjects: dict[Place, tuple[RolloutSpec, RolloutStatus, Subject]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.counters = CounterBook(self.source, self.clock, self.monotonic)
        self.asking = Asking(self.source, self.clock, self.monotonic)

    def forget(self, place: Place) -> None:
        """The rollout has no candidate, and asks for nothing."""
        self.counters.forget(place)
        self.asking.forget(place)
        self._tried.pop(place, None)
        self._subjects.pop(place, None)

    async def close(self) -> None:
        """Stop waiting for answers to users' own queries."""
        await self.asking.close()

    async def measured(
        self, place: Place, spec: RolloutSpec, status: RolloutStatus, *, now: datetime
    ) -> Evidence | Unavailable:
        """The evidence about a rollout's candidate, with the trial after this look."""
        subject = self.subject(place, spec, status)
        asked = self.asking.latest(place, spec)
        found = await self.counters.evidence(place, subject, interval=spec.analysis.interval, now=now)
        candidate = status.candidate
        if isinstance(found, Unavailable) or candidate is None:
            return found
        found = replace(found, asked=asked) if asked else found
        if subject.terms is None:
            return found
        tried = self._tried.get(place)
        if tried is None or tried.subject != subject:
            tried = self._tried[place] = Tried(subject)
        tried.shares.seen(shares_of(status), now)
        return replace(found, trial=tried.after(candidate, found, now))

    def subject(self, place: Place, spec: RolloutSpec, status: RolloutStatus) -> Subject:
        """The subject of a rollout with a candidate; made anew only for another spec or status."""
        known = self._subjects.get(place)
        if known is not None and known[0] is spec and known[1] is status:
            return known[2]
        assert status.candidate is not None
        stable = status.stable.version if status.stable else ""
        subject = Subject.of(place.namespace, spec, status.candidate, stable)
        self._subjects[place] = (spec, status, subject)
        return subject

    def look_every(self, place: Place, interval: timedelta) -> None:
        """The rollout is looked at this often from now on."""
        self.counters.look_every(place, interval)
