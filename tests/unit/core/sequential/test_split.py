"""The split guard: a martingale under the configured shares, and the Dirichlet-multinomial it is meant to be."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import exp, factorial, isfinite, log, prod

import pytest

from agentrollouts.core.sequential.split import MOST, Split
from tests.unit.core.sequential.chances import EXACT

SHARES = [(0.5, 0.5), (0.05, 0.05, 0.9), (0.001, 0.0, 0.999), (0.2, 0.3, 0.5)]


def multinomial(shares: Sequence[float], n: int) -> list[tuple[float, tuple[int, ...]]]:
    """Every split of ``n`` keys with its probability."""
    found = []
    for counts in product(range(n + 1), repeat=len(shares)):
        if sum(counts) == n:
            ways = factorial(n) // prod(factorial(count) for count in counts)
            found.append((ways * prod(s**c for s, c in zip(shares, counts, strict=True)), counts))
    return found


@pytest.mark.parametrize("shares", SHARES, ids=str)
@pytest.mark.parametrize("n", [1, 4])
def test_callers_split_as_configured_win_nothing_on_average(shares: tuple[float, ...], n: int) -> None:
    """From nothing, after lopsided looks under the same shares, and after looks under others."""
    fresh = Split()
    lopsided = fresh.after(shares, [30.0, *[0.0] * (len(shares) - 1)])
    turned = lopsided.after(shares[::-1], [1.0] * len(shares))
    for before in (fresh, lopsided, turned):
        mean = sum(p * exp(before.after(shares, counts).won) for p, counts in multinomial(shares, n))
        assert mean == pytest.approx(exp(before.won), rel=EXACT)


def test_looks_add_up_to_one_look() -> None:
    """The likelihood of a stretch does not depend on how it was cut."""
    shares = (0.1, 0.2, 0.7)
    whole = Split().after(shares, (9, 5, 20))
    parts = Split().after(shares, (4, 0, 2)).after(shares, (0, 0, 0)).after(shares, (5, 5, 18))
    assert parts.won == pytest.approx(whole.won, rel=1e-12)
    assert parts.assigned == whole.assigned


def test_the_formula_as_a_direct_product() -> None:
    """Key by key: the chance that the belief gives to the next one over its share, in exact fractions."""
    shares, counts = (Fraction(1, 10), Fraction(2, 10), Fraction(7, 10)), (6, 1, 5)
    e, weights = Fraction(1), [100 * share for share in shares]
    for at, count in enumerate(counts):
        for _ in range(count):
            e *= weights[at] / sum(weights) / shares[at]
            weights[at] += 1
    won = Split().after([float(share) for share in shares], counts).won
    assert exp(won) == pytest.approx(float(e), rel=1e-9)


def test_a_change_of_shares_begins_anew_and_keeps_what_was_won() -> None:
    first = Split().after((0.5, 0.5), (40, 0))
    second = first.after((0.4, 0.6), (4, 6))
    assert second.assigned == (4, 6)
    assert second.won == pytest.approx(first.won + Split().after((0.4, 0.6), (4, 6)).won)


def test_cohorts_without_a_share_have_no_say() -> None:
    assert Split().after((0.4, 0.0, 0.6), (4, 9, 6)).won == pytest.approx(
        Split().after((0.4, 0.6), (4, 6)).won
    )
    alone = Split(2.0, (0.5, 0.5), (3.0, 4.0)).after((0.0, 1.0), (7, 8))
    assert (alone.won, alone.assigned) == (2.0, (0.0, 0.0))


def test_routing_that_is_broken_is_found_and_stays_a_number() -> None:
    split = Split()
    for _ in range(5):
        split = split.after((0.05, 0.95), (5e6, 5e6))
    assert split.won == MOST
    assert isfinite(exp(split.won))
    assert Split().after((0.05, 0.95), (10, 90)).won < log(1000) < Split().after((0.05, 0.95), (40, 60)).won
