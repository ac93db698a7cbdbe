from __future__ import annotations

from math import sqrt
from random import Random
from statistics import fmean, pvariance

import pytest

from agentrollouts.planning.draws import beta_binomial, poisson


@pytest.mark.parametrize("mean", [0.3, 4.0, 9.9, 10.1, 60.0, 3000.0])
def test_counts_have_the_mean_and_the_variance_of_a_poisson_distribution(mean: float) -> None:
    random, n = Random(7), 20_000
    drawn = [poisson(random, mean) for _ in range(n)]
    assert abs(fmean(drawn) - mean) < 4 * sqrt(mean / n)
    assert pvariance(drawn) == pytest.approx(mean, rel=0.06)
    assert min(drawn) >= 0


@pytest.mark.parametrize("mean", [0.0, -1.0])
def test_nothing_is_expected_and_nothing_comes(mean: float) -> None:
    assert poisson(Random(1), mean) == 0


@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.7, 1.0])
def test_sessions_keep_the_rate_and_have_the_correlation(correlation: float) -> None:
    tasks, rate = 4, 0.8
    chances = beta_binomial(tasks, rate, correlation)
    fractions = [k / tasks for k in range(tasks + 1)]
    mean = sum(c * f for c, f in zip(chances, fractions, strict=True))
    variance = sum(c * (f - mean) ** 2 for c, f in zip(chances, fractions, strict=True))
    assert sum(chances) == pytest.approx(1.0)
    assert mean == pytest.approx(rate)
    assert variance == pytest.approx(rate * (1 - rate) * (1 / tasks + (1 - 1 / tasks) * correlation))


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_sure_rate_leaves_one_outcome(rate: float) -> None:
    assert beta_binomial(3, rate, 0.5)[3 if rate else 0] == 1.0
