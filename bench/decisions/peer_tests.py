"""How others decide, from their descriptions: rules that test a hypothesis about tasks, candidate against control cohort.

* Kayenta, NetflixACAJudge: a rank test of the values of an hour, minute by minute, at 98 % confidence, with a quarter of the
  difference as tolerance. The difference is that of the medians here, where Kayenta takes Hodges and Lehmann's.
* A z-test of two proportions at the 5 % level, looked at every tick though it is meant for one look.
* The mixture sequential probability ratio test of Johari, Pekelis and Walsh (arXiv:1512.04922) with a normal mixture and
  the variance as measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import groupby
from math import erfc, log, sqrt
from statistics import median

from bench.decisions.peers import CANDIDATE, CONTROL, Window
from bench.decisions.rollouts import Answer, Look, Rule
from bench.decisions.scenarios import ERROR, MARGIN, STEPS

ONE_SIDED = 1.645
"""Standard errors that chance exceeds in 5 % of the cases."""


def kayenta() -> Rule:
    """Every half hour: a candidate that ranks lower is rolled back, any other one advances."""
    window, points = Window(1), deque[tuple[float, float]](maxlen=60)

    def rule(look: Look) -> Answer:
        gained = window.after(look)
        if look.tick < 0:
            return "hold"
        first, second = (
            gained.rate(cohort)
            if gained.tasks[cohort] > 0.0
            else look.successes[cohort] / max(look.tasks[cohort], 1.0)
            for cohort in (CANDIDATE, CONTROL)
        )
        points.append((first, second))
        if look.tick % 30 != 29:
            return "hold"
        candidate, control = zip(*points, strict=True)
        return "rollback" if ranks_lower(candidate, control) else "advance"

    return rule


def ranks_lower(candidate: Sequence[float], control: Sequence[float]) -> bool:
    """Whether the candidate's values, raised by the tolerance, are lower at 98 % confidence, both ways counted."""
    tolerance = 0.25 * abs(median(candidate) - median(control))
    z = rank_test([value + tolerance for value in candidate], control)
    return z < 0.0 and erfc(-z / sqrt(2.0)) < 0.02


def rank_test(first: Sequence[float], second: Sequence[float]) -> float:
    """Mann and Whitney's U of the first sample in standard deviations from its mean; ties and continuity corrected."""
    n, m = len(first), len(second)
    ordered = sorted([(value, True) for value in first] + [(value, False) for value in second])
    ranks, tied, rank = 0.0, 0.0, 0
    for _, group in groupby(ordered, key=lambda pair: pair[0]):
        mine = [is_first for _, is_first in group]
        size = len(mine)
        ranks += sum(mine) * (rank + (size + 1) / 2)
        tied += size**3 - size
        rank += size
    variance = n * m / 12 * (n + m + 1 - tied / ((n + m) * (n + m - 1)))
    off = ranks - n * (n + 1) / 2 - n * m / 2
    if variance <= 0.0 or abs(off) <= 0.5:
        return 0.0
    return (off - 0.5 if off > 0.0 else off + 0.5) / sqrt(variance)


def peeked_z() -> Rule:
    """Significantly worse is a rollback, significantly better than worse by the margin the next step."""

    def rule(look: Look) -> Answer:
        n, good = look.tasks[:2], look.successes[:2]
        if min(n) < 20.0:
            return "hold"
        pooled = (sum(good) + 0.5) / (sum(n) + 1.0)
        error = sqrt(pooled * (1.0 - pooled) * sum(1.0 / size for size in n))
        difference = good[CANDIDATE] / n[CANDIDATE] - good[CONTROL] / n[CONTROL]
        if difference < -ONE_SIDED * error:
            return "rollback"
        return "advance" if difference + MARGIN > ONE_SIDED * error else "hold"

    return rule


def mixture_sprt() -> Rule:
    """Both hypotheses by the mixture of all effects, standard deviation 10 points; 5 to advance, step by step."""

    def rule(look: Look) -> Answer:
        n, good = look.tasks[:2], look.successes[:2]
        if min(n) < 5.0:
            return "hold"
        rates = [(well + 0.5) / (size + 1.0) for size, well in zip(n, good, strict=True)]
        variance = sum(p * (1.0 - p) / size for p, size in zip(rates, n, strict=True))
        difference = rates[CANDIDATE] - rates[CONTROL]
        if difference < 0.0 and _log_mixture(difference, variance, 0.10) >= -log(ERROR):
            return "rollback"
        needed = -log(ERROR) * (look.step + 1) / len(STEPS)
        enough = _log_mixture(difference + MARGIN, variance, 0.05) >= needed
        return "advance" if enough and difference > -MARGIN else "hold"

    return rule


def _log_mixture(difference: float, variance: float, deviation: float) -> float:
    """The logarithm of the likelihood ratio of normal effects with this deviation to none."""
    wide = variance + deviation**2
    return 0.5 * log(variance / wide) + (deviation * difference) ** 2 / (2.0 * variance * wide)
