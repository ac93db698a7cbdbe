"""Comparing two proportions, with the noise of small numbers taken into account.

Newcombe's hybrid score interval (Statistics in Medicine 17, 873-890, 1998, method 10) behaves at rates near 0 and 1 and at
small n, where the textbook interval fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

Z = 3.0
"""Half-width in standard errors: evidence is looked at many times, so a single look has to be surer than the usual 95%."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """``hits`` out of ``n``; both may be fractional sums."""

    hits: float
    n: float

    @property
    def rate(self) -> float:
        """Hits per event. Raises ZeroDivisionError without events: no data is not a rate."""
        return self.hits / self.n


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its bounds, as fractions."""

    estimate: float
    low: float
    high: float


def wilson(sample: Proportion, z: float = Z) -> Interval:
    """Wilson's score interval of one proportion; needs n > 0."""
    p, n = min(max(sample.rate, 0.0), 1.0), sample.n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def difference(first: Proportion, second: Proportion, z: float = Z) -> Interval:
    """Newcombe's interval of ``first - second``; needs n > 0 in both."""
    a, b = wilson(first, z), wilson(second, z)
    estimate = a.estimate - b.estimate
    low = estimate - sqrt((a.estimate - a.low) ** 2 + (b.high - b.estimate) ** 2)
    high = estimate + sqrt((a.high - a.estimate) ** 2 + (b.estimate - b.low) ** 2)
    return Interval(estimate, max(-1.0, low), min(1.0, high))
