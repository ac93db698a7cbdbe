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

from math import log, log1p
from typing import NamedTuple

from agentrollouts.core.sequential.nulls import Rates, nearest_null
from agentrollouts.core.sequential.units import Units

NOTHING = 1e-9
"""A sum of fractions below this is a rounding error of nothing."""
MOST = 0.95
"""Of the largest stake that keeps every factor positive."""
ROOM = 1e-4
"""By how much a failing unit's size exceeds every rate of failure that it has to explain."""


class Bet(NamedTuple):
    """Success rates somebody expects in the next block.

    ``size`` is how much of a unit fails when something of it fails, from above 0 to 1: with 1 units are all or nothing. So
    they are where the size is too small for the rates or the margin: no mix of such units could come to them.
    """

    rates: Rates
    size: float = 1.0


def log_larger(
    stake: float, centres: tuple[float, float], first: Units, second: Units, *, ratio: float = 1.0
) -> float:
    """The logarithm of the e-value against "the mean of ``first`` is at most ratio times the mean of ``second`` plus margin".

    ``centres`` are (m_a, m_b) with m_a = ratio m_b + margin, inside (0, 1); ``stake`` is n_a l, at least 0, and is cut
    where a factor could reach 0. Both have units.
    """
    here, there = centres
    stake = min(stake, MOST * min(first.n / here, second.n / (ratio * (1.0 - there))))
    return _gain(stake / first.n, here, first) + _gain(ratio * stake / second.n, 1.0 - there, second.rest())


def log_worse(bet: Bet, tolerance: float, candidate: Units, old: Units) -> float:
    """Against "the candidate succeeds at most ``tolerance`` less often". A large one: take it out."""
    if bet.rates.candidate - bet.rates.old >= -tolerance:
        return 0.0  # a bet on the null's side is no bet
    null, stake = _null(bet, tolerance, candidate.n, old.n)
    return log_larger(stake, (1.0 - null.candidate, 1.0 - null.old), candidate.rest(), old.rest())


def log_good(bet: Bet, margin: float, candidate: Units, old: Units) -> float:
    """Against "the candidate succeeds at least ``margin`` less often". A large one: let it advance."""
    if bet.rates.candidate - bet.rates.old <= -margin:
        return 0.0
    null, stake = _null(bet, margin, candidate.n, old.n)
    return log_larger(stake, (null.candidate, null.old), candidate, old)


def _null(bet: Bet, margin: float, candidates: float, olds: float) -> tuple[Rates, float]:
    """The nearest null, and the best stake against it, for failing units of the bet's size."""
    size = bet.size
    if not max(1.0 - min(bet.rates), margin) + ROOM < size < 1.0:
        null = nearest_null(bet.rates, margin, candidates=candidates, olds=olds)
        return null, candidates * abs(bet.rates.candidate - null.candidate) / (
            null.candidate * (1.0 - null.candidate)
        )
    new, before = (1.0 - (1.0 - rate) / size for rate in bet.rates)
    inner = nearest_null(Rates(new, before), margin / size, candidates=candidates, olds=olds)
    stake = candidates * abs(new - inner.candidate) / (inner.candidate * (1.0 - inner.candidate) * size)
    return Rates(1.0 - (1.0 - inner.candidate) * size, 1.0 - (1.0 - inner.old) * size), stake


def _gain(rate: float, centre: float, units: Units) -> float:
    """The lower bound of the sum of ``ln(1 + rate (x - centre))`` over units with these sums."""
    n, total, squares = units
    if total <= NOTHING:
        return n * log1p(-rate * centre)
    # NB: sums of floats may miss what holds for every set of fractions: total / n <= squares / total <= 1.
    touching = min(1.0, max(squares / total, total / n))
    there = total / touching
    return (n - there) * log1p(-rate * centre) + there * log(1.0 + rate * (touching - centre))
