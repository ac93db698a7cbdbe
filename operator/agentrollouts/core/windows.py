"""What a rollout looks back over: the analysis' own window, that of a share that tunes itself, and those of the breakers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.breakers import breaker_windows
from agentrollouts.core.counters import TASKS
from agentrollouts.core.evidence import Accumulator


class Windows(NamedTuple):
    """The windows of one rollout."""

    window: timedelta
    events: int
    """Length of a window of finished tasks; 0 where the window is time."""
    others: tuple[timedelta, ...] = ()
    """The windows of the circuit breakers."""

    def accumulator(self, candidate: str, since: datetime) -> Accumulator:
        """Empty sums over them, of a candidate that began at ``since``."""
        return Accumulator(
            since=since.timestamp(),
            window=self.window,
            window_of=(candidate, TASKS.metric) if self.events else None,
            window_size=float(self.events),
            others=self.others,
        )


def windows_of(spec: RolloutSpec) -> Windows:
    """The windows of a rollout; one that tunes itself has none in time."""
    tuning = spec.strategy.self_tuning
    return Windows(
        timedelta(0) if tuning else spec.analysis.window,
        tuning.window if tuning else 0,
        breaker_windows(spec),
    )
