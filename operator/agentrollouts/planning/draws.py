"""Exact draws of counts, from a seeded generator that is passed in."""

from __future__ import annotations

from math import comb, exp, floor, lgamma, log, sqrt
from random import Random

FEW = 10.0
"""Means below this are drawn by walking up the distribution, larger ones by rejection."""


def poisson(random: Random, mean: float) -> int:
    """So many events where ``mean`` are expected; none for a mean of 0 or less.

    Large means by transformed rejection (PTRS): W. Hörmann, "The transformed rejection method for generating Poisson random
    variables", Insurance: Mathematics and Economics 12 (1993).
    """
    if mean <= 0.0:
        return 0
    return _walked(random, mean) if mean < FEW else _rejected(random, mean)


def _walked(random: Random, mean: float) -> int:
    rest, chance, count = random.random(), exp(-mean), 0
    while rest > chance > 0.0:
        rest -= chance
        count += 1
        chance *= mean / count
    return count


def _rejected(random: Random, mean: float) -> int:
    b = 0.931 + 2.53 * sqrt(mean)
    a = 0.02483 * b - 0.059
    scale = log(1.1239 + 1.1328 / (b - 3.4))
    quick = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, v = random.random() - 0.5, 1.0 - random.random()
        edge = 0.5 - abs(u)
        if edge <= 0.0:
            continue
        count = floor((2.0 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= quick:
            return count
        if count < 0 or (edge < 0.013 and v > edge):
            continue
        if log(v) + scale - log(a / (edge * edge) + b) <= count * log(mean) - mean - lgamma(count + 1):
            return count


def beta_binomial(tasks: int, success: float, correlation: float) -> tuple[float, ...]:
    """By number of successes from 0 to ``tasks``: its chance in one session.

    ``correlation`` is that of two tasks of one session: 0 makes them independent, 1 makes all go like the first.
    """
    if correlation >= 1.0 or tasks == 1:
        return (1.0 - success, *(0.0,) * (tasks - 1), success)
    if correlation <= 0.0 or success in (0.0, 1.0):
        return tuple(comb(tasks, k) * success**k * (1.0 - success) ** (tasks - k) for k in range(tasks + 1))
    a, b = (part * (1.0 - correlation) / correlation for part in (success, 1.0 - success))
    whole = _log_beta(a, b)
    return tuple(comb(tasks, k) * exp(_log_beta(k + a, tasks - k + b) - whole) for k in range(tasks + 1))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
