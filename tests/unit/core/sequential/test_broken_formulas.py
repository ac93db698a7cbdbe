"""The enumeration can fail: formulas that look right and aren't are all found out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, lgamma, log, log1p
from random import Random

from agentrollouts.core.sequential.evalue import Bet
from agentrollouts.core.sequential.nulls import nearest_null
from agentrollouts.core.sequential.units import Units
from tests.unit.core.sequential.chances import Unit, good, larger, outcomes, side, worse

FOUND = 1.001
BET = Bet(0.5, 0.9)
Log = Callable[[Units, Units], float]


def largest(log_e: Log, *, gap: float = 0.0, sizes: tuple[int, int] = (2, 2), means: float = 0.9) -> float:
    """The largest expectation over pairs whose first mean lies ``gap`` below the second."""
    chance, found = Random(3), 0.0
    for _ in range(60):
        old = chance.uniform(gap + 0.05, means)
        found = max(found, expectation(log_e, side(chance, sizes[0], old - gap), side(chance, sizes[1], old)))
    return found


def expectation(log_e: Log, first: Sequence[Unit], second: Sequence[Unit]) -> float:
    return sum(p * q * exp(log_e(a, b)) for p, a in outcomes(first) for q, b in outcomes(second))


def gain(rate: float, centre: float, units: Units, touching: Callable[[Units], float]) -> float:
    """The bound with any touching point and with the number of units there that keeps the sum."""
    if units.total <= 0.0:
        return units.n * log1p(-rate * centre)
    t = touching(units)
    there = units.total / t
    return (units.n - there) * log1p(-rate * centre) + there * log1p(rate * (t - centre))


def bound(
    touching: Callable[[Units], float],
    *,
    stakes: tuple[float, float] = (1.0, 1.0),
    centres: tuple[float, float] = (0.5, 0.5),
) -> Log:
    """``logs_larger`` written once more, with everything in it open to mistakes. ``stakes`` are for (first, second)."""

    def log_e(first: Units, second: Units) -> float:
        here = gain(stakes[0] / first.n, centres[0], first, touching)
        return here + gain(stakes[1] / second.n, 1.0 - centres[1], second.rest(), touching)

    return log_e


def best(units: Units) -> float:
    return max(units.squares / units.total, units.total / units.n)


def test_the_formula_written_once_more_is_valid() -> None:
    assert largest(bound(best)) <= 1 + 1e-9
    assert largest(lambda a, b: worse(BET, 0.0, a, b)) <= 1 + 1e-9


def test_stakes_that_are_not_tied() -> None:
    assert largest(bound(best, stakes=(1.5, 1.0))) > FOUND


def test_squares_as_if_all_units_were_alike() -> None:
    """total^2 / n is the least that squares can be; the chord is then a tangent, and lies above."""
    assert largest(bound(lambda units: units.total / units.n)) > FOUND


def test_squares_that_are_too_small() -> None:
    small: Callable[[Units], float] = lambda units: 0.6 * best(units) + 0.4 * units.total / units.n  # noqa: E731
    assert largest(bound(small)) > FOUND


def test_a_touching_point_beyond_the_squares_with_squares_too_small_for_it() -> None:
    """Any touching point is valid with the sum of squares there is, not with the one it would like to see."""

    def log_e(first: Units, second: Units) -> float:
        return sum(
            quadratic(0.5, units, 0.9, 0.5 * units.squares + 0.5 * units.total**2 / units.n)
            for units in (first, second.rest())
        )

    def quadratic(rate: float, units: Units, t: float, squares: float) -> float:
        low, high = log1p(-rate * 0.5), log1p(rate * (t - 0.5))
        slope = rate / (1.0 + rate * (t - 0.5))
        bend = (slope - (high - low) / t) / t
        start = (high - low) / t - bend * t
        return units.n * low + start * units.total + bend * squares

    assert largest(log_e) > FOUND

    def right(first: Units, second: Units) -> float:
        return sum(quadratic(0.5, units, 0.9, units.squares) for units in (first, second.rest()))

    assert largest(right) <= 1 + 1e-9


def test_a_margin_that_is_forgotten() -> None:
    assert largest(lambda a, b: worse(BET, 0.0, a, b), gap=0.05) > FOUND
    assert largest(lambda a, b: good(Bet(0.9, 0.9), 0.1, a, b), gap=0.05) > FOUND


def test_centres_off_the_line() -> None:
    assert largest(bound(best, centres=(0.45, 0.5))) > FOUND
    ratio: Log = lambda a, b: larger(1.0, (0.5, 0.5), a, b, ratio=1.3)  # noqa: E731
    assert largest(ratio) > FOUND


def test_a_promotion_bet_on_the_side_of_the_null_without_the_guard() -> None:
    """The likelihood ratio then bets that the candidate is worse still, and every version that is wins it."""

    def log_e(candidate: Units, old: Units) -> float:
        null = nearest_null(0.3, 0.9, 0.05, candidates=candidate.n, olds=old.n)
        return sum(
            units.total * log(bet / centre) + units.rest().total * log((1.0 - bet) / (1.0 - centre))
            for units, bet, centre in ((candidate, 0.3, null - 0.05), (old, 0.9, null))
        )

    assert largest(log_e, gap=0.4) > FOUND
    guarded: Log = lambda a, b: good(Bet(0.3, 0.9), 0.05, a, b)  # noqa: E731
    assert largest(guarded, gap=0.4) <= 1 + 1e-9


def test_a_bet_chosen_after_the_block() -> None:
    def log_e(candidate: Units, old: Units) -> float:
        drops = (Bet(rate, 0.9) for rate in (0.85, 0.7, 0.5, 0.2))
        return max(worse(bet, 0.0, candidate, old) for bet in drops)

    assert largest(log_e) > FOUND


def test_a_set_of_names_chosen_with_the_block_s_own_data() -> None:
    """One of two tools is used in each session, by both versions alike; betting on the one the candidate used more wins."""
    one: Unit = ((0.5, 0.0), (0.5, 1.0))

    def log_e(candidate: Units, old: Units) -> float:
        swapped = candidate.total / candidate.n > old.total / old.n
        sides = (candidate.rest(), old.rest()) if swapped else (candidate, old)
        return worse(Bet(0.2, 0.5), 0.0, *sides)

    assert expectation(log_e, (one, one), (one, one)) > FOUND


def test_a_split_whose_weights_know_the_new_counts() -> None:
    """Against half and half: two callers are told by what the same two came to."""

    def log_e(first: float, second: float) -> float:
        a, b = 1.0 + first, 1.0 + second
        ratio = lgamma(a + b) - lgamma(a + b + first + second)
        return ratio + sum(lgamma(w + x) - lgamma(w) - x * log(0.5) for w, x in ((a, first), (b, second)))

    assert 0.25 * exp(log_e(2, 0)) + 0.5 * exp(log_e(1, 1)) + 0.25 * exp(log_e(0, 2)) > FOUND
