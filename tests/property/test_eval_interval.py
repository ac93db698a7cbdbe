"""How often the interval's bounds are wrong: by enumeration for a few cases, by draws for many."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import comb, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.core.statistics import Proportion
from agentrollouts.evals.gate import Limits, judge
from agentrollouts.evals.interval import Pair, bounds, repeats_needed
from agentrollouts.evals.results import Case, of_cases, read, written

RATES = (0.0, 0.1, 0.5, 0.9, 1.0)
WRONG = 0.08
"""5 % is meant; with a single case the normal approximation is that far off."""


def pairs(before: Sequence[int], after: Sequence[int], repeats: int) -> list[Pair]:
    return [(Proportion(b, repeats), Proportion(a, repeats)) for b, a in zip(before, after, strict=True)]


def chance(hits: int, repeats: int, rate: float) -> float:
    return comb(repeats, hits) * rate**hits * (1 - rate) ** (repeats - hits)


@pytest.mark.parametrize(("cases", "repeats"), [(1, 2), (1, 5), (1, 12), (2, 2), (2, 4), (3, 2)])
def test_each_bound_is_seldom_wrong_however_few_cases_there_are(cases: int, repeats: int) -> None:
    seen = {
        hits: bounds(pairs(hits[:cases], hits[cases:], repeats))
        for hits in product(range(repeats + 1), repeat=2 * cases)
    }
    for old, new in product(RATES, RATES):
        rates = [old] * cases + [new] * cases
        above = below = 0.0
        for hits, interval in seen.items():
            likely = prod(chance(each, repeats, rate) for each, rate in zip(hits, rates, strict=True))
            above += likely * (interval.low > old - new + 1e-9)
            below += likely * (interval.high < old - new - 1e-9)
        assert above <= WRONG
        assert below <= WRONG


@pytest.mark.parametrize("rates", [
    [(0.5, 0.5)], [(0.95, 0.9)], [(1.0, 0.0), *[(1.0, 1.0)] * 19], [(0.9, 0.1), (0.1, 0.9), (0.6, 0.45)],
])  # fmt: skip
@pytest.mark.parametrize("repeats", [2, 5])
def test_cases_of_any_difficulty_keep_the_level(rates: list[tuple[float, float]], repeats: int) -> None:
    draw = random.Random(7)
    versions = [rates[index % len(rates)] for index in range(20)]
    true = sum(old - new for old, new in versions) / 20
    wrong = 0
    for _ in range(500):
        hits = [
            [sum(draw.random() < rate for _ in range(repeats)) for rate in version] for version in versions
        ]
        wrong += (
            bounds(pairs([each[0] for each in hits], [each[1] for each in hits], repeats)).low > true + 1e-9
        )
    assert wrong / 500 <= WRONG


def lost(cases: int, of: int, repeats: int) -> list[Pair]:
    return pairs([repeats] * of, [0] * cases + [repeats] * (of - cases), repeats)


def test_what_is_lost_in_every_repeat_is_shown_with_a_handful_of_them() -> None:
    shown = [repeats for repeats in range(2, 20) if bounds(lost(2, 24, repeats)).low > 0.05]
    assert shown[0] == 10
    assert shown == list(range(10, 20))


def test_two_repeats_that_agree_by_luck_are_no_certainty() -> None:
    found = bounds(pairs([2] * 5, [2, 2, 2, 2, 1], 2))
    assert found.low < 0 < found.estimate == pytest.approx(0.1)


scores = st.lists(st.integers(0, 4), min_size=1, max_size=6)


@given(st.integers(2, 8), scores, scores)
@settings(max_examples=100, deadline=None)
def test_an_interval_holds_its_estimate_and_turns_with_its_sides(
    repeats: int, old: list[int], new: list[int]
) -> None:
    size = min(len(old), len(new))
    before, after = ([min(hits, repeats) for hits in side[:size]] for side in (old, new))
    there, again = bounds(pairs(before, after, repeats)), bounds(pairs(after, before, repeats))
    assert -1 <= there.low < there.estimate + 1e-12
    assert there.estimate - 1e-12 < there.high <= 1
    assert (there.low, there.high) == pytest.approx((-again.high, -again.low))
    turned = bounds(pairs(before[::-1], after[::-1], repeats))
    assert (there.low, there.high) == pytest.approx((turned.low, turned.high))


def test_with_as_many_repeats_as_are_said_it_is_shown_and_with_one_less_it_isnt() -> None:
    needed = repeats_needed(lost(2, 24, 3), 0.05)
    assert needed == 10
    assert bounds(lost(2, 24, needed)).low > 0.05
    assert bounds(lost(2, 24, needed - 1)).low <= 0.05


def test_a_loss_of_exactly_the_limit_is_never_shown() -> None:
    assert repeats_needed(lost(1, 20, 2), 0.05) is None


@given(st.lists(st.lists(st.decimals(0, 1, places=6), min_size=3, max_size=3), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_results_pass_against_themselves_however_they_are_written(cases: list[list[Decimal]]) -> None:
    found = of_cases([Case(id=str(n), scores=each) for n, each in enumerate(cases)], repeats=3)
    again = read(written(found))
    assert again.score == found.score
    assert judge(again, found, Limits(found.score, Fraction(0))).passed
