"""How sure a difference between two evaluations of the same cases is, from their repeats.

A language model answers differently each time, so two evaluations of the very same version differ, too. What is asked is the regression
of this dataset: the mean over its cases that infinitely many repeats would show. It says nothing about tasks that aren't in there.

Each case and repeat gives one difference, baseline minus results, moved to u in [0, 1]. For a regression of at most m, mu = (1 + m)/2, and a
bet c in (0, 1), the product of 1 - c + c u/mu over all of them is at most 1 in expectation: each factor's mean is 1 + c (E u/mu - 1), and
a product of independent non-negative factors is at most the power of their mean (AM-GM), whatever the cases' own difficulties.
So by Markov's inequality the mean over several bets exceeds 1/LEVEL with at most that probability, for any number of cases and
any distribution of scores: no normality, no symmetry, nothing resampled. It assumes that repeats are independent of each other.
The bound is the least m that isn't refuted so. Betting on means: Waudby-Smith and Ramdas, JRSS B 86, 1-27, 2024 (arXiv 2010.09686);
the argument by AM-GM is that of ``core.sequential.evalue``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import exp, log, log1p
from types import MappingProxyType

from agentrollouts.core.statistics import Interval
from agentrollouts.evals.results import mean

LEVEL = 0.05
"""Probability of each bound to be wrong. An interval of both is right nine times of ten or more."""
_BETS = (0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85, 0.98)
_STEPS = 40  # halvings: a bound to 12 digits
_MOST = 1000

Differences = Mapping[float, int]
"""How often each difference was seen, each from -1 to 1."""


def differences(pairs: Iterable[tuple[Sequence[Decimal], Sequence[Decimal]]]) -> Differences:
    """Baseline minus results by repeat, from the scores of each case in both. The side with more repeats is averaged in groups."""
    found: Counter[float] = Counter()
    for before, after in pairs:
        groups = min(len(before), len(after))
        for index in range(groups):
            found[float(mean(before[index::groups]) - mean(after[index::groups]))] += 1
    return MappingProxyType(found)


def bounds(seen: Differences, regression: Fraction) -> Interval:
    """The regression with its bounds, each right with 95% or more."""
    better = MappingProxyType({-value: count for value, count in seen.items()})
    return Interval(float(regression), _least(seen), -_least(better))


def repeats_needed(seen: Differences, repeats: int, limit: float) -> int | None:
    """With how many repeats the lower bound would pass ``limit`` if the differences stayed as they are; None where no thousand would do."""
    logs = _log_wealth(seen, limit)
    for many in range(repeats, _MOST + 1):
        if _mixture([value * many / repeats for value in logs]) > 1 / LEVEL:
            return many
    return None


def _least(seen: Differences) -> float:
    """The least regression that isn't refuted. At the mean itself no bet wins, so it lies below."""
    low, high = -1.0, _mean(seen)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        refuted = middle > -1.0 and _mixture(_log_wealth(seen, middle)) > 1 / LEVEL
        low, high = (middle, high) if refuted else (low, middle)
    return low


def _mean(seen: Differences) -> float:
    return sum(value * count for value, count in seen.items()) / sum(seen.values())


def _log_wealth(seen: Differences, at: float) -> list[float]:
    return [
        sum(count * log1p(bet * (value - at) / (1 + at)) for value, count in seen.items()) for bet in _BETS
    ]


def _mixture(logs: Sequence[float]) -> float:
    # NB: capped, because a thousand cases that all broke would overflow a double; far above any 1/LEVEL it makes no difference.
    return exp(min(700.0, max(logs) + log(sum(exp(value - max(logs)) for value in logs) / len(logs))))
