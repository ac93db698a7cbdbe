"""How sure the difference between two lanes is, from tasks that both have done.

Of ``n`` tasks the candidate alone changed ``only_candidate``, the incumbent alone ``only_incumbent``; those that both or neither changed say
nothing about the difference. So the paired difference of a task is 1, -1 or 0, and its mean is p - q, where p and q are the chances that a
task is changed by the one lane alone. Either count by itself is binomial, so Clopper and Pearson's exact limit (Biometrika 26, 404-413,
1934) holds for each: p is above its upper limit with a chance of at most 2 %, q is below its lower limit with one of at most 0.5 %, and
so p - q is above the first minus the second with one of at most 2.5 % (Bonferroni), whatever p and q are and however the counts depend on
each other. The lower bound is made in the same way. Most of the risk is given to the candidate's count, which is the larger one where it matters.

Limits: tasks count as drawn independently of what recorded tasks there are. It is somewhat wide: tests/property/test_replay_interval.py
enumerates how seldom it is wrong. It holds for one look; whoever goes on until a verdict comes has looked more than once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log
from typing import NamedTuple

from agentrollouts.core.statistics import Interval

OWN, OTHER = 0.02, 0.005
"""Chances of being wrong, for the candidate's limit and for the incumbent's."""
MOST_TASKS = 100_000
_STEPS = 60
_NEGLIGIBLE = 1e-17


class Pairs(NamedTuple):
    """Tasks that both lanes have done; two of the counts leave out what both or neither changed."""

    only_candidate: int
    only_incumbent: int
    n: int


def excess(pairs: Pairs) -> Interval:
    """The candidate's share of changed tasks minus the incumbent's own, with its 95 % interval. Needs n > 0."""
    mine, theirs, n = pairs
    high = upper(mine, n, OWN) - lower(theirs, n, OTHER)
    low = lower(mine, n, OWN) - upper(theirs, n, OTHER)
    return Interval((mine - theirs) / n, max(-1.0, low), min(1.0, high))


def share(changed: int, n: int) -> Interval:
    """One lane's share of changed tasks with its 95 % interval. Needs n > 0."""
    risk = OWN + OTHER
    return Interval(changed / n, lower(changed, n, risk), upper(changed, n, risk))


def tasks_needed(pairs: Pairs, limit: float) -> int | None:
    """With about how many tasks the interval leaves ``limit`` on one side, if the shares stay as they are; None for too many."""
    low, high = pairs.n, pairs.n
    while not _conclusive(pairs, high, limit):
        low, high = high, high * 2
        if high > MOST_TASKS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _conclusive(pairs, middle, limit) else (middle, high)
    return high


def upper(hits: int, n: int, risk: float) -> float:
    """Clopper and Pearson's upper limit: the chance with which so few hits come with a probability of ``risk``."""
    if hits >= n:
        return 1.0
    return _crossing(lambda p: _at_most(hits, n, p) > risk)


def lower(hits: int, n: int, risk: float) -> float:
    """The lower limit: the chance with which so many hits come with a probability of ``risk``."""
    return 1.0 - upper(n - hits, n, risk)


def _conclusive(pairs: Pairs, n: int, limit: float) -> bool:
    mine, theirs = (round(count * n / pairs.n) for count in pairs[:2])
    found = excess(Pairs(mine, theirs, n))
    return found.high <= limit or found.low > limit


def _crossing(holds: Callable[[float], bool]) -> float:
    """Where a condition that holds from 0 on ends, approached from above."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


def _at_most(hits: int, n: int, p: float) -> float:
    """P(X <= hits) of a binomial, summed from the last term downwards or, above the mean, by its complement."""
    if hits > n * p:
        return 1.0 - _tail(n - hits - 1, n, 1.0 - p) if hits < n else 1.0
    return _tail(hits, n, p)


def _tail(hits: int, n: int, p: float) -> float:
    if hits < 0 or p >= 1.0:
        return 0.0
    if p <= 0.0:
        return 1.0
    term = exp(
        lgamma(n + 1) - lgamma(hits + 1) - lgamma(n - hits + 1) + hits * log(p) + (n - hits) * log(1 - p)
    )
    total, odds = term, (1 - p) / p
    for count in range(hits, 0, -1):
        term *= count / (n - count + 1) * odds
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return min(1.0, total)
