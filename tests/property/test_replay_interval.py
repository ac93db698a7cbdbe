"""How often the interval of a replay is wrong: by enumeration of every outcome."""

from __future__ import annotations

from itertools import product
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.replay.interval import Pairs, excess, lower, share, tasks_needed, upper

RISK = 0.025
RATES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.9)


def outcomes(n: int) -> list[tuple[int, int]]:
    return [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]


def chance(b: int, c: int, n: int, p: float, q: float) -> float:
    return comb(n, b) * comb(n - b, c) * p**b * q**c * (1 - p - q) ** (n - b - c)


@pytest.mark.parametrize("n", [1, 2, 5, 12, 30])
def test_neither_bound_is_wrong_more_often_than_promised(n: int) -> None:
    bounds = {(b, c): excess(Pairs(b, c, n)) for b, c in outcomes(n)}
    for p, q in product(RATES, RATES):
        if p + q > 1:
            continue
        above = sum(chance(b, c, n, p, q) for (b, c), found in bounds.items() if found.low > p - q + 1e-9)
        below = sum(chance(b, c, n, p, q) for (b, c), found in bounds.items() if found.high < p - q - 1e-9)
        assert above <= RISK + 1e-12
        assert below <= RISK + 1e-12


@pytest.mark.parametrize("n", [1, 7, 40])
def test_a_share_keeps_its_level(n: int) -> None:
    bounds = [share(hits, n) for hits in range(n + 1)]
    for rate in RATES:
        likely = [comb(n, hits) * rate**hits * (1 - rate) ** (n - hits) for hits in range(n + 1)]
        assert (
            sum(each for each, found in zip(likely, bounds, strict=True) if found.low > rate + 1e-9) <= RISK
        )
        assert (
            sum(each for each, found in zip(likely, bounds, strict=True) if found.high < rate - 1e-9) <= RISK
        )


def test_the_limits_are_clopper_and_pearsons() -> None:
    # No hit: 1 - risk ** (1 / n). Hits in the middle: values of the beta distribution from published tables (10 of 20, 95 %).
    assert upper(0, 200, 0.025) == pytest.approx(1 - 0.025 ** (1 / 200), abs=1e-9)
    assert lower(200, 200, 0.025) == pytest.approx(0.025 ** (1 / 200), abs=1e-9)
    assert (lower(10, 20, 0.025), upper(10, 20, 0.025)) == pytest.approx((0.27196, 0.72804), abs=1e-5)
    assert (lower(0, 9, 0.1), upper(9, 9, 0.1)) == (0.0, 1.0)


def test_large_numbers_neither_underflow_nor_take_long() -> None:
    found = excess(Pairs(4_000, 3_000, 100_000))
    assert found.low < 0.01 < found.high
    assert found.high - found.low < 0.006


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n))))
@settings(max_examples=150, deadline=None)
def test_it_holds_its_estimate_and_moves_with_each_count(drawn: tuple[int, int, int]) -> None:
    n, b, c = drawn
    if b + c > n:
        return
    found = excess(Pairs(b, c, n))
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    if b + c < n:
        more, less = excess(Pairs(b + 1, c, n)), excess(Pairs(b, c + 1, n))
        assert more.low >= found.low
        assert more.high >= found.high
        assert less.low <= found.low
        assert less.high <= found.high


def test_with_as_many_tasks_as_are_said_it_is_shown_and_with_fewer_it_isnt() -> None:
    for pairs, limit in ((Pairs(4, 0, 200), 0.05), (Pairs(7, 0, 20), 0.05), (Pairs(6, 5, 100), 0.05)):
        found = excess(pairs)
        assert found.low <= limit < found.high
        needed = tasks_needed(pairs, limit)
        assert needed is not None
        assert needed > pairs.n
        scaled = [
            Pairs(*(round(count * n / pairs.n) for count in pairs[:2]), n) for n in (needed, needed - 1)
        ]
        enough, few = (excess(each) for each in scaled)
        assert enough.high <= limit or enough.low > limit
        assert few.low <= limit < few.high


def test_a_difference_of_exactly_the_limit_is_never_shown() -> None:
    assert tasks_needed(Pairs(5, 0, 100), 0.05) is None
