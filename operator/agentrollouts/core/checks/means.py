"""Means over sessions, from sums and sums of squares, and whether one is above another beyond noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from agentrollouts.core.evidence import CounterQuery, Totals, sum_of
from agentrollouts.core.statistics import Z


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean of ``n`` values and its standard error, in the values' unit."""

    n: float
    value: float
    error: float

    @classmethod
    def of(cls, n: float, total: float, squares: float) -> Mean:
        """From the sums; needs n > 0."""
        value = total / n
        # NB: rounding can make the difference of two sums a hair negative.
        variance = max(0.0, squares / n - value * value)
        return cls(n, value, sqrt(variance / n))


def mean_of(totals: Totals, n: float, total: CounterQuery, squares: CounterQuery, *values: str) -> Mean:
    """Over ``n`` sessions, by the counters of the sum and of the squares; of the named label values only if any are named."""
    return Mean.of(n, sum_of(totals, total.metric, *values), sum_of(totals, squares.metric, *values))


def surely_above(first: Mean, second: Mean, *, factor: float = 1.0, shift: float = 0.0) -> bool:
    """Whether ``first > factor * second + shift`` by more than Z standard errors of the difference."""
    gap = first.value - factor * second.value - shift
    return gap > Z * sqrt(first.error**2 + (factor * second.error) ** 2)
