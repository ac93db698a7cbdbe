from __future__ import annotations

from itertools import pairwise
from math import exp, lgamma, log
from random import Random

import pytest

from bench.decisions.samplers import binomial, poisson, table


def chance_of(k, mean):
    return exp(k * log(mean) - mean - lgamma(k + 1))


class Fixed(Random):
    """A source of one number."""

    def __init__(self, number):
        super().__init__(0)
        self.number = number

    def random(self):
        return self.number


@pytest.mark.parametrize("mean", [0.03, 0.9, 3.7, 36.0, 900.0])
def test_the_table_is_the_distribution_function(mean):
    made = poisson(mean)
    below = {
        k: high - low for k, (low, high) in zip(made.outcomes, pairwise([0.0, *made.cumulative]), strict=True)
    }
    assert all(below[k] == pytest.approx(chance_of(k, mean), abs=1e-13) for k in below)
    assert sum(k * p for k, p in below.items()) == pytest.approx(mean, rel=1e-12)
    assert sum((k - mean) ** 2 * p for k, p in below.items()) == pytest.approx(mean, rel=1e-10)
    assert made.cumulative[-1] == 1.0


def test_nothing_is_expected_and_nothing_comes():
    assert poisson(0.0).draw(Random(1)) == 0


def test_a_negative_mean_is_refused():
    with pytest.raises(ValueError, match="0 or more, got -1"):
        poisson(-1.0)


@pytest.mark.parametrize(
    ("number", "outcome"),
    [(0.0, "a"), (0.1999, "a"), (0.2, "b"), (0.6999, "b"), (0.7, "c"), (1 - 2**-53, "c")],
)
def test_each_outcome_has_its_part_of_the_unit_interval(number, outcome):
    assert table("abc", [2.0, 5.0, 3.0]).draw(Fixed(number)) == outcome


def test_an_outcome_without_a_chance_is_never_drawn():
    assert table("abc", [0.0, 1.0, 0.0]).draw(Fixed(0.0)) == "b"


def test_a_binomial_by_hand():
    assert binomial(3, 0.25) == pytest.approx([27 / 64, 27 / 64, 9 / 64, 1 / 64])
