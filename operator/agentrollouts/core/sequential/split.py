"""Whether callers are split as the route says: a test of the number of keys assigned to each cohort.

Sessions that were closed would look like broken routing whenever one version is slower, and tasks whenever a session has
several. The statistic is the predictive likelihood of a Dirichlet-multinomial over the configured multinomial (Lindon and
Malek, arXiv:2011.03567); a change of shares begins a new bet and keeps what was won.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log
from typing import NamedTuple

STRENGTH = 100.0
"""How many assignments the belief in the configured shares is worth."""
MOST = 700.0


class Split(NamedTuple):
    """The guard between two looks."""

    won: float = 0.0
    """Logarithm of the e-value against "split as configured"."""
    shares: tuple[float, ...] = ()
    """The shares of this stretch."""
    assigned: tuple[float, ...] = ()
    """Assignments of this stretch, in the order of the shares."""

    def after(self, shares: Sequence[float], gained: Sequence[float]) -> Split:
        """With ``gained`` assignments under ``shares``, which sum to 1. Cohorts without a share have no say."""
        served = [(share, new) for share, new in zip(shares, gained, strict=True) if share > 0.0]
        if len(served) < 2:
            return Split(self.won, tuple(shares), (0.0,) * len(shares))
        same = self.shares == tuple(shares)
        before = self.assigned if same else (0.0,) * len(shares)
        weights = [STRENGTH * share + old for share, old in zip(shares, before, strict=True) if share > 0.0]
        total, new = sum(weights), sum([amount for _, amount in served])
        won = lgamma(total) - lgamma(total + new)
        for weight, (share, amount) in zip(weights, served, strict=True):
            won += lgamma(weight + amount) - lgamma(weight) - amount * log(share)
        return Split(
            min(self.won + won, MOST),
            tuple(shares),
            tuple([old + amount for old, amount in zip(before, gained, strict=True)]),
        )
