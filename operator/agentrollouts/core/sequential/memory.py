"""What earlier blocks tell about the old version. It only chooses the bets: a wrong memory costs evidence, never validity."""

from __future__ import annotations

from typing import NamedTuple

from agentrollouts.core.sequential.units import Units

REMEMBERED = 400.0
"""Units after which older ones begin to fade, so that bets follow the time of day."""
FADING = 0.8
PER = 50.0
"""Fade by ``FADING`` for each so many units once there are ``REMEMBERED``."""
FAILING = 50.0
"""Failing units after which the memory of their size fades."""
SLOWLY = 0.9
LOWEST, HIGHEST = 0.05, 0.995


def kept(known: float, new: float) -> float:
    """The factor on what is remembered when ``new`` units come to ``known`` ones."""
    return FADING ** min(1.0, new / PER) if known > REMEMBERED else 1.0


def failing_part(part: float, failure_rate: float) -> float:
    """How much of a unit fails when it fails: ``part`` of it where failures are rare, all of it when everything does."""
    return part + (1.0 - part) * min(failure_rate, 1.0)


class Memory(NamedTuple):
    """Units and successes for the rate; sum and sum of squares of failing fractions for their size."""

    n: float = 0.0
    total: float = 0.0
    failing: float = 0.0
    failing_squares: float = 0.0

    @property
    def rate(self) -> float:
        """The old version's success rate, smoothed."""
        rate = (self.total + 0.5) / (self.n + 1.0)
        return LOWEST if rate < LOWEST else min(rate, HIGHEST)

    @property
    def part(self) -> float:
        """How much of a unit fails when it fails, where failures are rare."""
        q = self.rate
        alone = ((self.failing_squares + 2.0) / (self.failing + 2.0) - 1.0 + q) / q
        return 0.05 if alone < 0.05 else min(alone, 1.0)

    def after(self, old: Units, block: float) -> Memory:
        """The memory with the old version's units of a block that had ``block`` units altogether."""
        bad, fade = old.rest(), kept(self.n, block)
        slow = SLOWLY if self.failing > FAILING else 1.0
        return Memory(
            self.n * fade + old.n,
            self.total * fade + old.total,
            self.failing * slow + bad.total,
            self.failing_squares * slow + bad.squares,
        )

    @classmethod
    def of_history(cls, history: Units) -> Memory:
        """What was known before the rollout, no more of it than would be remembered."""
        bad = history.rest()
        if history.n <= 0.0:
            return cls()
        share = min(1.0, REMEMBERED / history.n)
        fewer = min(1.0, FAILING / bad.total) if bad.total > 0.0 else 1.0
        return cls(history.n * share, history.total * share, bad.total * fewer, bad.squares * fewer)
