"""Proof by enumeration: no null, no bet and no stake gives a block's e-value an expectation above 1.

Every outcome of a few units is taken with its probability. Units differ in difficulty inside a block and come to fractions
strictly between 0 and 1; only the means of the two sides meet the null, most often exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, isfinite
from random import Random

import pytest

from agentrollouts.core.sequential.evalue import Bet
from agentrollouts.core.sequential.units import Units
from tests.unit.core.sequential.chances import EXACT, Unit, good, larger, nulls, outcomes, side, worse

SIZES = [(1, 1), (1, 3), (3, 1), (2, 2), (2, 3)]
Log = Callable[[Units, Units], float]
Sides = tuple[Sequence[Unit], Sequence[Unit]]


def expectation(log_e: Log, sides: Sides) -> float:
    first, second = outcomes(sides[0]), outcomes(sides[1])
    return sum(p * q * exp(log_e(a, b)) for p, a in first for q, b in second)


def counted(log_e: Log) -> Log:
    """The same where only sums were exported."""
    return lambda a, b: log_e(Units.counted(a.n, a.total), Units.counted(b.n, b.total))


def pairs(seed: int, sizes: tuple[int, int], ratio: float, margin: float, count: int = 12) -> list[Sides]:
    chance = Random(seed)
    return [
        (side(chance, sizes[0], a), side(chance, sizes[1], b)) for a, b in nulls(chance, count, ratio, margin)
    ]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("ratio", [1.0, 1.1, 1.3, 3.0, 1 / 1.3])
@pytest.mark.parametrize("margin", [0.0, 0.05, 0.3])
def test_a_mean_that_is_not_larger_wins_nothing_on_average(
    sizes: tuple[int, int], ratio: float, margin: float
) -> None:
    chance, largest = Random(str((sizes, ratio, margin))), 0.0
    for sides in pairs(11, sizes, ratio, margin):
        there = chance.uniform(0.001, (0.999 - margin) / max(1.0, ratio))
        stake = chance.choice((0.0, 0.1, 1.0, 3.0, 1e9)) * chance.random()

        def log_e(a: Units, b: Units, there: float = there, stake: float = stake) -> float:
            return larger(stake, (ratio * there + margin, there), a, b, ratio=ratio)

        largest = max(largest, expectation(log_e, sides), expectation(counted(log_e), sides))
    assert largest <= 1 + EXACT


def some_bet(chance: Random) -> Bet:
    """Any rates, any size, also one that the rates don't allow."""
    new, old = chance.uniform(0.01, 0.99), chance.choice((chance.uniform(0.01, 0.99), 0.97))
    failing = max(1.0 - new, 1.0 - old)
    return Bet(new, old, chance.choice((1.0, chance.uniform(failing, 1.0), chance.uniform(0.01, 1.0))))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("tolerance", [0.0, 0.01, 0.05, 0.3])
def test_a_candidate_that_is_not_worse_is_not_taken_out_by_chance(
    sizes: tuple[int, int], tolerance: float
) -> None:
    chance, values = Random(str((sizes, tolerance))), []
    for old, new in pairs(12, (sizes[1], sizes[0]), 1.0, tolerance, 15):  # old at most tolerance above new
        for _ in range(4):
            bet = some_bet(chance)

            def log_e(a: Units, b: Units, bet: Bet = bet) -> float:
                return worse(bet, tolerance, a, b)

            values += [expectation(log_e, (new, old)), expectation(counted(log_e), (new, old))]
    assert max(values) <= 1 + EXACT
    assert min(values) < 1 - 1e-3  # bets were laid


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.3])
def test_a_candidate_worse_by_the_margin_is_not_promoted_by_chance(
    sizes: tuple[int, int], margin: float
) -> None:
    chance, values = Random(str((sizes, margin))), []
    for lower, higher in pairs(13, sizes, 1.0, 0.0, 15):
        new = tuple(tuple((p, x * (1.0 - margin)) for p, x in one) for one in lower)
        old = tuple(tuple((p, x * (1.0 - margin) + margin) for p, x in one) for one in higher)
        for _ in range(4):
            bet = some_bet(chance)

            def log_e(a: Units, b: Units, bet: Bet = bet) -> float:
                return good(bet, margin, a, b)

            values += [expectation(log_e, (new, old)), expectation(counted(log_e), (new, old))]
    assert max(values) <= 1 + EXACT
    assert min(values) < 1 - 1e-3


def test_on_the_boundary_nothing_is_given_away() -> None:
    """At the nearest null whole units have an expectation of 1 itself, so the proofs above measure against a bound that is met."""
    whole: Unit = ((0.3, 0.0), (0.7, 1.0))  # the null nearest to the bet
    sides = ((whole, whole), (whole, whole))
    bet = Bet(0.5, 0.9)
    assert expectation(lambda a, b: worse(bet, 0.0, a, b), sides) == pytest.approx(1.0, abs=1e-12)


def test_squares_that_are_known_find_more_than_squares_that_are_not() -> None:
    bet = Bet(0.6, 0.9, 0.5)
    halves = (Units(4, 2.0, 1.0), Units(40, 38.0, 37.0))
    assert worse(bet, 0.0, *halves) > counted(lambda a, b: worse(bet, 0.0, a, b))(*halves) > 0.0


def test_a_bet_on_the_side_of_the_null_is_no_bet() -> None:
    units = Units(5, 2, 2)
    assert worse(Bet(0.9, 0.9), 0.0, units, units) == 0.0
    assert worse(Bet(0.86, 0.9), 0.05, units, units) == 0.0
    assert good(Bet(0.8, 0.9), 0.05, units, units) == 0.0


@pytest.mark.parametrize("n", [1.0, 1e7])
@pytest.mark.parametrize("part", [0.0, 1e-12, 0.5, 1.0 - 1e-12, 1.0])
def test_ends_and_large_counts_are_finite(n: float, part: float) -> None:
    for other in (0.0, 0.3, 1.0):
        for bet in (Bet(0.01, 0.995), Bet(0.99, 0.01, 0.999), Bet(0.5, 0.5)):
            sides = Units(n, n * part, n * part * part), Units(n, n * other, n * other)
            for log_e in (worse(bet, 0.0, *sides), good(bet, 0.05, *sides)):
                assert isfinite(log_e)


def test_squares_are_bounded_by_what_the_sum_allows() -> None:
    """Of all units with a sum, those that are 0 or 1 but for one have the largest squares."""
    chance = Random(5)
    for _ in range(500):
        fractions = [chance.random() ** chance.choice((0.2, 1, 5)) for _ in range(chance.randint(1, 5))]
        known = Units(len(fractions), sum(fractions), sum(x * x for x in fractions))
        bound = Units.counted(known.n, known.total)
        assert bound.squares >= known.squares - EXACT
        assert bound.rest().squares >= known.rest().squares - EXACT
    assert Units.counted(3, 1.25) == (3, 1.25, 1.0625)


def test_the_rest_of_units_is_what_they_miss() -> None:
    fractions = [0.0, 0.25, 0.9, 1.0]
    units = Units(4, sum(fractions), sum(x * x for x in fractions))
    missing = [1 - x for x in fractions]
    assert units.rest() == pytest.approx((4, sum(missing), sum(x * x for x in missing)), rel=1e-12)
    assert units.plus(units) == pytest.approx((8, 2 * sum(fractions), 2 * sum(x * x for x in fractions)))


@pytest.mark.parametrize("margin", [0.999, 0.9995, 1.0])
def test_a_margin_of_everything_is_a_margin_still(margin: float) -> None:
    """Only a candidate that always fails, against an old version that never does, is worse by it."""
    bet = Bet(0.9, 0.9)
    assert good(bet, margin, Units(1, 0, 0), Units(1, 1, 1)) <= 0.0
    assert good(bet, margin, Units(8, 7, 7), Units(80, 70, 70)) > 3.0
    assert worse(bet, margin, Units(8, 0, 0), Units(80, 80, 80)) == 0.0
