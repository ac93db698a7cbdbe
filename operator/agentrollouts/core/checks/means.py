"""Means over sessions, from sums and sums of squares, and whether one is above another beyond noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

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


def surely_above(first: Mean, second: Mean, *, factor: float = 1.0, shift: float = 0.0) -> bool:
    """Whether ``first > factor * second + shift`` by more than Z standard errors of the difference."""
    gap = first.value - factor * second.value - shift
    return gap > Z * sqrt(first.error**2 + (factor * second.error) ** 2)
