"""Whose evidence is read, over which windows, and how its sums begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import CandidateStatus
from agentrollouts.core.analysis import queries
from agentrollouts.core.evidence import Accumulator, CounterQuery, Series
from agentrollouts.core.trials import Terms, terms_of
from agentrollouts.core.windows import Windows, windows_of
from agentrollouts.ports import AgentKey

NOBODY = "-"
"""No version is called so."""
REPLAYED = 64
"""Moments of a window at which its history is looked at again, one after the other."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose evidence it is: one candidate's try, as measured by these counters."""

    agent: AgentKey
    version: str
    attempt: int
    started_at: datetime
    queries: tuple[CounterQuery, ...]
    windows: Windows
    terms: Terms | None = None
    """What the candidate is tried by, if it is tried sequentially."""
    serves: bool = False
    """A version that serves, and no candidate: it was there before, and its window slides from the first look on."""

    @classmethod
    def of(cls, namespace: str, spec: RolloutSpec, candidate: CandidateStatus, stable: str = "") -> Subject:
        """The subject of a rollout with a candidate beside the version ``stable``."""
        return cls(
            agent=AgentKey(namespace, spec.agent),
            version=candidate.version,
            attempt=candidate.attempt,
            started_at=candidate.started_at,
            queries=queries(spec),
            windows=windows_of(spec),
            terms=terms_of(spec, candidate.version, stable),
        )

    def accumulator(self) -> Accumulator:
        """Empty sums, with this subject's windows."""
        return self.windows.accumulator(self.version, self.started_at)

    def loaded(self, history: Iterable[Series], until: datetime) -> Accumulator:
        """The sums that a history up to a moment makes."""
        sums = self.accumulator()
        if self.serves:
            # NB: no version came at the start, so one that history doesn't know from then was forgotten, and isn't new.
            sums.load(history, newcomer=NOBODY, looks=self._looks(until))
        else:
            sums.load(history, newcomer=self.version)
        return sums

    def _looks(self, until: datetime) -> Iterator[datetime]:
        """Over the last window, and a step before it, so that one look at least is a whole window old at ``until``."""
        step = self.windows.window / REPLAYED
        moment = max(self.started_at, until - self.windows.window - step)
        while moment < until:
            yield moment
            moment += step
