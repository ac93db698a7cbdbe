"""The interval's promise, by enumeration: each bound is wrong with at most LEVEL, however few cases there are."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.evals.gate import Limits, judge
from agentrollouts.evals.interval import LEVEL, bounds, differences, repeats_needed
from agentrollouts.evals.results import Case, of_cases, read, written

RATES = (0.0, 0.05, 0.3, 0.5, 0.9, 1.0)


def chances(old: float, new: float, units: int) -> dict[tuple[int, int, int], float]:
    """How likely so many units got better, stayed and got worse are, where each repeat passes with these rates."""
    better, worse = (1 - old) * new, old * (1 - new)
    return {
        (up, units - up - down, down): comb(units, up) * comb(units - up, down)
        * better**up * worse**down * (1 - better - worse) ** (units - up - down)
        for up in range(units + 1) for down in range(units + 1 - up)
    }  # fmt: skip


def seen(up: int, same: int, down: int) -> tuple[dict[float, int], Fraction]:
    counts = {-1.0: up, 0.0: same, 1.0: down}
    return {value: count for value, count in counts.items() if count}, Fraction(down - up, up + same + down)


@pytest.mark.parametrize("units", [2, 5, 12])
def test_each_bound_is_wrong_with_at_most_its_level(units: int) -> None:
    intervals = {each: bounds(*seen(*each)) for each in chances(0.5, 0.5, units)}
    for old, new in product(RATES, RATES):
        true, likely = old - new, chances(old, new, units)
        assert sum(chance for each, chance in likely.items() if intervals[each].low > true) <= LEVEL
        assert sum(chance for each, chance in likely.items() if intervals[each].high < true) <= LEVEL


def test_cases_of_different_difficulty_keep_the_level() -> None:
    """Half of the units always lose, half never do: what is asked is their mean, and it is known without noise."""
    for units in (4, 10, 40, 200):
        assert bounds(*seen(0, units // 2, units // 2)).low <= 0.5


def test_enough_of_what_is_plain_is_shown() -> None:
    for units, shown in ((5, False), (8, True)):
        assert (bounds(*seen(0, 0, units)).low > 0.05) is shown
    assert bounds(*seen(0, 900, 100)).low > 0.05
    assert bounds(*seen(0, 950, 50)).low <= 0.05


scores = st.lists(st.sampled_from([0, 0.25, 0.5, 1]), min_size=2, max_size=5)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_an_interval_holds_its_estimate_and_turns_with_its_sides(
    pairs: list[tuple[list[float], list[float]]],
) -> None:
    exact = [tuple([Decimal(str(score)) for score in side] for side in pair) for pair in pairs]
    forth, back = differences(exact), differences([(after, before) for before, after in exact])
    estimate = Fraction(0)
    for value, count in forth.items():
        estimate += Fraction(value) * count / sum(forth.values())
    there, again = bounds(forth, estimate), bounds(back, -estimate)
    assert -1 <= there.low <= there.estimate <= there.high <= 1
    assert (there.low, there.high) == pytest.approx((-again.high, -again.low), abs=1e-9)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_the_order_of_cases_decides_nothing(pairs: list[tuple[list[float], list[float]]]) -> None:
    exact = [tuple([Decimal(str(score)) for score in side] for side in pair) for pair in pairs]
    assert differences(exact) == differences(exact[::-1])


def test_with_as_many_repeats_as_are_said_it_is_shown_and_with_one_less_it_isnt() -> None:
    one = {0.0: 9, 1.0: 1}
    needed = repeats_needed(one, 1, 0.05)
    assert needed is not None
    for repeats, shown in ((needed - 1, False), (needed, True)):
        counts = {value: count * repeats for value, count in one.items()}
        assert (bounds(counts, Fraction(1, 10)).low > 0.05) is shown


def test_a_loss_hardly_beyond_the_limit_is_never_shown() -> None:
    assert repeats_needed({0.0: 9499, 1.0: 501}, 1, 0.05) is None


def test_the_side_with_more_repeats_is_averaged_and_not_cut() -> None:
    old, new = [Decimal(1)] * 4 + [Decimal(0)] * 2, [Decimal(1), Decimal(0)]
    found = differences([(old, new)])
    assert sum(value * count for value, count in found.items()) / 2 == pytest.approx(4 / 6 - 1 / 2)


@given(st.lists(st.lists(st.decimals(0, 1, places=6), min_size=3, max_size=3), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_results_pass_against_themselves_however_they_are_written(cases: list[list[Decimal]]) -> None:
    found = of_cases([Case(id=str(n), scores=each) for n, each in enumerate(cases)], repeats=3)
    again = read(written(found))
    assert again.score == found.score
    assert judge(again, found, Limits(found.score, Fraction(0))).passed
