"""Since when the shares have been what they are: what is counted just after a change was assigned before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.api.scalars import FULL

SETTLING = timedelta(minutes=1)
"""How long assignments under the old shares may still arrive: a scrape and whatever lies between it and the query."""
Parts = tuple[float, ...]
"""Of candidate, control and stable, as fractions."""


def shares_of(status: RolloutStatus) -> Parts:
    """The shares as the status reports them."""
    return tuple(
        sum(item.share for item in status.shares if item.cohort == cohort) / FULL
        for cohort in ("candidate", "control", "stable")
    )


@dataclass(slots=True)
class Shares:
    """The shares of one rollout."""

    parts: Parts = ()
    since: datetime | None = None

    def seen(self, parts: Parts, now: datetime) -> None:
        """These are the shares now."""
        if parts != self.parts:
            self.parts, self.since = parts, now

    def settled(self, now: datetime) -> Parts:
        """The shares, if everything counted since the last look was assigned under them; else empty."""
        return self.parts if self.since is not None and now - self.since >= SETTLING else ()
