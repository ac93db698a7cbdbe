"""How much one block of evidence speaks against a null hypothesis: an e-value, whose expectation under it is at most 1.

Exact for any number of units, any base rate, any drift between blocks, any mix of difficulty inside a block, and any
dependence inside a unit; the units must be independent of each other. Everything chosen freely (the centres, the stake) has
to be fixed before the block.

Why it holds. The null says that the mean of a (the candidate's fractions) is at most ``ratio * mean of b + margin``. Each a
contributes a factor 1 + l (a - m_a), each b a factor 1 - k (b - m_b), all above 0, with m_a = ratio m_b + margin and stakes
tied by n_b k = ratio n_a l. By the inequality of the means the product has an expectation of at most
(1 + n_a l (mean_a - ratio mean_b - margin) / N)^N, which is at most 1 wherever the null holds.

Only count, sum and sum of squares of a block are known. ln(1 + l (x - m)) has a third derivative that is never negative, so
the quadratic that meets it at 0 and, with the same slope, at t lies below it on [0, 1] (Hermite's remainder is
(x - t)^2 x f''' / 6). That holds for every t, and t = squares / sum makes the bound the best there is for these three
numbers: some units at t, the others at 0. Units that are 0 or 1 give the likelihood ratio back.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log1p
from typing import NamedTuple, TypeAlias

from agentrollouts.core.sequential.grid import near_ratio
from agentrollouts.core.sequential.nulls import nearest_null
from agentrollouts.core.sequential.units import Units

NOTHING = 1e-9
"""A sum of fractions below this is a rounding error of nothing."""
MOST = 0.95
"""Of the largest stake that keeps every factor positive."""
WIDEST = 0.999
"""Of the margins that are tested. Who allows more than that is held to this, which never promotes more often."""
KNOWN = 1 << 12
"""So many sets of lines are kept, the least used go first: to make a line costs ten times as much as to look at one."""
ROOM = 1e-4
"""By how much a failing unit's size exceeds every rate of failure that it has to explain."""


class Bet(NamedTuple):
    """Success rates somebody expects in the next block.

    ``size`` is how much of a unit fails when something of it fails, from above 0 to 1: with 1 units are all or nothing. So
    they are where the size is too small for the rates or the margin: no mix of such units could come to them.
    """

    candidate: float
    old: float
    size: float = 1.0


Mass: TypeAlias = tuple[float, float, float]
"""Units as the bound sees them, (n, weight, at): ``weight`` of the ``n`` lie at ``at``, the others at 0."""


def mass(units: Units) -> Mass:
    """The worst case for these sums."""
    n, total, squares = units
    if total <= NOTHING:
        return n, 0.0, 1.0
    # NB: sums of floats may miss what holds for every set of fractions: total / n <= squares / total <= 1.
    at = max(squares / total, total / n)
    return (n, total, 1.0) if at > 1.0 else (n, total / at, at)


class Pair(NamedTuple):
    """A block of both sides, by what went well and by what didn't. Made once, whatever the number of bets on it."""

    good: Mass
    bad: Mass
    old_good: Mass
    old_bad: Mass
    sizes: float
    """The candidate's units for each of the old version's, about; it only chooses stakes."""

    @classmethod
    def of(cls, candidate: Units, old: Units) -> Pair:
        """Both sides have units."""
        sizes = near_ratio(candidate[0] / old[0])
        return cls(mass(candidate), mass(candidate.rest()), mass(old), mass(old.rest()), sizes)

    @property
    def turned(self) -> Pair:
        """With the two versions in each other's place."""
        return Pair(self.old_good, self.old_bad, self.good, self.bad, 1.0 / self.sizes)


class Line(NamedTuple):
    """A null hypothesis and what is laid against it: the centres m_a and 1 - m_b, and the stake on each a."""

    here: float
    there: float
    rate: float


IDLE = Line(0.5, 0.5, 0.0)
"""Nothing laid."""


def logs_larger(lines: Iterable[Line], first: Mass, lacking: Mass, *, ratio: float = 1.0) -> list[float]:
    """By line, the logarithm of the e-value against "the mean of a is at most ``ratio`` times the mean of b plus a margin".

    ``first`` are the a, ``lacking`` the b by what is missing to 1. A line has m_a = ratio m_b + margin, both centres inside
    (0, 1), and a rate l of at least 0, which is cut where a factor could reach 0.
    """
    # NB: a look lays some hundred bets, so comparisons stand for min() and max() in the loop, which cost a call each.
    n, weight, at = first
    m, heft, to = lacking
    rest, others = n - weight, m - heft
    logs = []
    for here, there, laid in lines:
        rate = laid
        other = ratio * rate * n / m
        if rate * here > MOST or other * there > MOST:
            rate = min(MOST / here, MOST * m / (ratio * n * there))
            other = ratio * rate * n / m
        log_e = rest * log1p(-rate * here) + others * log1p(-other * there)
        if weight:
            log_e += weight * log1p(rate * (at - here))
        if heft:
            log_e += heft * log1p(other * (to - there))
        logs.append(log_e)
    return logs


def log_worse(bet: Bet, tolerance: float, block: Pair) -> float:
    """Against "the candidate succeeds at most ``tolerance`` less often". A large one: take it out."""
    return logs_larger((worse_line(bet, tolerance, block.sizes),), block.bad, block.old_good)[0]


def log_good(bet: Bet, margin: float, block: Pair) -> float:
    """Against "the candidate succeeds at least ``margin`` less often". A large one: let it advance."""
    return logs_larger((good_line(bet, margin, block.sizes),), block.good, block.old_bad)[0]


def worse_line(bet: Bet, tolerance: float, sizes: float) -> Line:
    """What ``log_worse`` lays on a block with ``sizes`` of the candidate's units for each of the old version's."""
    if bet.candidate - bet.old >= -tolerance:
        return IDLE  # a bet on the null's side is no bet
    here, there, rate = _null(bet, tolerance, sizes)
    return Line(1.0 - here, there, rate)


def good_line(bet: Bet, margin: float, sizes: float) -> Line:
    """What ``log_good`` lays on such a block."""
    margin = min(margin, WIDEST)
    if bet.candidate - bet.old <= -margin:
        return IDLE
    here, there, rate = _null(bet, margin, sizes)
    return Line(here, 1.0 - there, rate)


def _null(bet: Bet, margin: float, sizes: float) -> tuple[float, float, float]:
    """The nearest null (candidate, old), and the best stake on a unit against it, for failing units of the bet's size."""
    new, before, size = bet
    least = size - ROOM
    if size < 1.0 and least > margin and least > 1.0 - new and least > 1.0 - before:
        new, before, margin = 1.0 - (1.0 - new) / size, 1.0 - (1.0 - before) / size, margin / size
    else:
        size = 1.0
    centre = nearest_null(new, before, margin, candidates=sizes, olds=1.0)
    here = centre - margin
    rate = abs(new - here) / (here * (1.0 - here) * size)
    return 1.0 - (1.0 - here) * size, 1.0 - (1.0 - centre) * size, rate
