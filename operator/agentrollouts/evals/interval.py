"""How sure a difference between two evaluations of the same cases is, from their repeats.

A language model answers differently each time, so two evaluations of the very same version differ, too. What is asked is the regression
of this dataset: the mean over its cases that infinitely many repeats would show. It says nothing about tasks that aren't in there.

Each case is a stratum: its repeats on either side scatter around a rate of their own, and the variances of all add up. A case's variance is
r (1 - r)/(K - 1), where r is its rate with half a success and half a failure added (as Agresti and Caffo add theirs: The American
Statistician 54, 280-288, 2000), so repeats that agree by luck aren't taken for certainty; a bootstrap of two equal repeats would have no
width at all. K - 1 makes up for the rate being estimated from the same K. A case that is lost in every repeat is then hardly any noise,
while a test over all differences at once takes the gap between easy and hard cases for noise.

Limits: it assumes that repeats are independent of each other. Scores between 0 and 1 vary less than answers that are right or wrong, so for
those it is too wide. It is an approximation: tests/property/test_eval_interval.py enumerates all outcomes of versions with a known
regression: a bound is wrong in 5 % of them or less, with a single case in up to 8 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import sqrt

from agentrollouts.core.statistics import Interval, Proportion

Z = 1.6448536269514722
"""Half-width in standard errors: each bound is meant to be right in 95 % of the evaluations, both together in 90 %."""
MOST_REPEATS = 1000

Pair = tuple[Proportion, Proportion]
"""One case: what its repeats scored in the baseline, and in the results; two repeats or more of each."""


def side(scores: Sequence[Decimal]) -> Proportion:
    """The repeats of a case on one side."""
    return Proportion(float(sum(scores)), len(scores))


def bounds(pairs: Sequence[Pair]) -> Interval:
    """The regression, baseline minus results, with its bounds; needs at least one case."""
    estimate = sum(before.rate - after.rate for before, after in pairs) / len(pairs)
    half = Z * sqrt(sum(_variance(before) + _variance(after) for before, after in pairs)) / len(pairs)
    return Interval(estimate, max(-1.0, estimate - half), min(1.0, estimate + half))


def repeats_needed(pairs: Sequence[Pair], limit: float) -> int | None:
    """With how many repeats on both sides the lower bound passes ``limit``, if every case keeps its rates; None for more than a thousand."""
    low, high = 2, MOST_REPEATS
    if not _shown(pairs, high, limit):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _shown(pairs, middle, limit) else (middle + 1, high)
    return low


def _variance(repeats: Proportion) -> float:
    rate = (repeats.hits + 0.5) / (repeats.n + 1)
    return rate * (1 - rate) / (repeats.n - 1)


def _shown(pairs: Sequence[Pair], repeats: int, limit: float) -> bool:
    scaled = [
        (Proportion(before.rate * repeats, repeats), Proportion(after.rate * repeats, repeats))
        for before, after in pairs
    ]
    return bounds(scaled).low > limit
