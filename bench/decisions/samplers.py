"""Exact draws from discrete distributions by inversion: one random number and one search in a table for each.

A Poisson number of tasks of which each succeeds with chance p is two independent Poisson numbers, successes and failures,
so nothing here needs a binomial sampler.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import comb, exp, lgamma, log
from random import Random
from typing import Generic, NamedTuple, TypeVar

Outcome = TypeVar("Outcome")

NEGLIGIBLE = 1e-18
"""Chances below this are left out: a random number has 53 bits."""


class Table(NamedTuple, Generic[Outcome]):
    """Outcomes and, for each, the chance of it or one before it. The last is 1."""

    cumulative: Sequence[float]
    outcomes: Sequence[Outcome]

    def draw(self, chance: Random) -> Outcome:
        """One outcome."""
        return self.outcomes[bisect_right(self.cumulative, chance.random())]


def table(outcomes: Sequence[Outcome], chances: Sequence[float]) -> Table[Outcome]:
    """A table of outcomes with these chances, which needn't sum to 1."""
    whole = sum(chances)
    cumulative = [share / whole for share in accumulate(chances)]
    cumulative[-1] = 1.0
    return Table(cumulative, outcomes)


@lru_cache(maxsize=8192)
def poisson(mean: float) -> Table[int]:
    """Numbers of independent events of which ``mean`` are expected, 0 or more."""
    if mean < 0.0:
        raise ValueError(f"expected a mean of 0 or more, got {mean}")
    if mean == 0.0:
        return table([0], [1.0])
    mode = int(mean)
    top = exp(mode * log(mean) - mean - lgamma(mode + 1.0))
    below, above = [], [top]
    at, here = mode, top
    while at > 0 and here > NEGLIGIBLE:
        here *= at / mean
        at -= 1
        below.append(here)
    first, at, here = at, mode, top
    while here > NEGLIGIBLE:
        at += 1
        here *= mean / at
        above.append(here)
    return table(range(first, at + 1), [*reversed(below), *above])


def binomial(n: int, p: float) -> list[float]:
    """The chances of 0 to ``n`` successes in ``n`` tries."""
    return [comb(n, k) * p**k * (1.0 - p) ** (n - k) for k in range(n + 1)]
