"""A fixed limit on the candidate alone: its mean may be at the limit for ever and wins nothing on average."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log1p
from random import Random

import pytest

from agentrollouts.core.sequential.limit import RISES, Limit
from agentrollouts.core.sequential.measure import Block, Course
from tests.unit.core.sequential.chances import EXACT, Unit, blocks, outcomes, side, squared

NOTHING = Block(0.0, {})
LIMITS = (0.001, 0.02, 0.3, 0.9, 0.995, 1.0)


def counted(n: float, total: float) -> Block:
    return Block(n, {"total": total})


def mean_after(limit: Limit, course: Course, units: Sequence[Unit]) -> float:
    return sum(p * limit.folded(course, block, NOTHING).worse for p, block in blocks(squared(units)))


@pytest.mark.parametrize("most", LIMITS)
@pytest.mark.parametrize("n", [1, 2, 4])
def test_a_candidate_within_its_limit_wins_nothing_on_average(most: float, n: int) -> None:
    """From the start and from any past, with units of different difficulty; two thirds of them exactly at the limit."""
    chance, limit = Random(str((most, n))), Limit(most)
    for at in range(12):
        course = limit.begun(NOTHING)
        for _ in range(at % 4):
            course = limit.folded(course, counted(3.0, 3.0 * chance.random()), NOTHING)
        mean = most * chance.random() if at % 3 == 2 else most
        number = course.blocks + 1
        fresh = 0.7 if number == 1 else 0.2 / (number * (number - 1))
        after = mean_after(limit, course, side(chance, n, mean))
        assert after <= (course.worse + fresh) * (1 + EXACT)


def test_at_the_limit_whole_units_give_nothing_away() -> None:
    """So the proof above measures against a bound that is met."""
    whole: Unit = ((0.7, 0.0), (0.3, 1.0))
    assert mean_after(Limit(0.3), Limit(0.3).begun(NOTHING), (whole,) * 3) == pytest.approx(0.7, rel=EXACT)


def test_broken_formulas_are_found_out() -> None:
    """A centre below the limit; and a sum that is taken for units half of which lie where all of them might."""
    at_limit: Unit = ((0.7, 0.0), (0.3, 1.0))
    assert mean_after(Limit(0.29), Limit(0.29).begun(NOTHING), (at_limit,) * 3) > 0.7 * 1.001

    def too_even(total: float) -> float:
        return exp(3 * log1p(1.5 * (total / 3 - 0.3)))

    means = sum(p * too_even(units.total) for p, units in outcomes((at_limit,) * 3))
    assert means > 1.001


def test_a_limit_of_everything_is_never_exceeded() -> None:
    course = Limit(1.0).begun(NOTHING)
    for _ in range(50):
        course = Limit(1.0).folded(course, counted(100.0, 100.0), NOTHING)
    assert course.worse <= 0.9
    assert course.good is None


def test_a_limit_of_next_to_everything_is_no_tighter_than_it_says() -> None:
    """At 99.5 % a candidate that fails 99.4 % of the time stays."""
    course = Limit(0.995).begun(NOTHING)
    for _ in range(100):
        course = Limit(0.995).folded(course, counted(1000.0, 994.0), NOTHING)
        assert course.worse < 1.0


def test_a_limit_bets_on_each_rise() -> None:
    """Against 2 %, with 4 of 10 units: the likelihood ratio of each rate above the limit, with equal parts of the stake."""
    course = Limit(0.02).folded(Limit(0.02).begun(NOTHING), counted(10.0, 4.0), NOTHING)
    rates = [0.02 + rise for rise in RISES]
    ratios = [(p / 0.02) ** 4 * ((1 - p) / 0.98) ** 6 for p in rates]
    assert course.against[0] == pytest.approx([0.7 / 6 * e for e in ratios], rel=1e-9)
    assert course.good is None


def test_fractions_count_as_the_worst_that_their_sum_can_mean() -> None:
    """Only sums are exported: 1.5 may be one whole failure and a half, and is taken for that."""
    course = Limit(0.1).folded(Limit(0.1).begun(NOTHING), counted(4.0, 1.5), NOTHING)
    t, h = 1.25 / 1.5, 1.5 * 1.5 / 1.25
    expected = []
    for rise in RISES:
        rate = min(0.95 / 0.1, rise / (0.1 * 0.9))
        expected.append(0.7 / 6 * exp((4 - h) * log1p(-rate * 0.1) + h * log1p(rate * (t - 0.1))))
    assert course.against[0] == pytest.approx(expected, rel=1e-9)


def test_a_limit_needs_nothing_of_the_old_version() -> None:
    one = Limit(0.1).folded(Limit(0.1).begun(NOTHING), counted(4.0, 2.0), NOTHING)
    other = Limit(0.1).folded(Limit(0.1).begun(counted(900.0, 900.0)), counted(4.0, 2.0), counted(60.0, 59.0))
    assert one == other
