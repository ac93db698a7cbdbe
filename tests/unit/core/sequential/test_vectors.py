"""Numbers that pin every formula. Each is written down here a second time, from its paper, in plain arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log

import pytest

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.evalue import Bet
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.grid import near, near_part, near_ratio
from agentrollouts.core.sequential.latency import Latency, edges, margins
from agentrollouts.core.sequential.measure import Block
from agentrollouts.core.sequential.memory import Memory, kept
from agentrollouts.core.sequential.nulls import nearest_null
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.units import Units
from agentrollouts.core.sequential.wealth import grown, laid
from tests.unit.core.sequential.chances import good, larger, worse

CLOSE = 1e-9


def odds_step(rate: float) -> float:
    """The rate on the grid: a tenth of the logarithm of its odds."""
    steps = round(10 * log(rate / (1 - rate)))
    return 1 / (1 + exp(-steps / 10))


def ratio_step(ratio: float) -> float:
    return exp(round(12 * log(ratio)) / 12)


def divergence(p: float, q: float) -> float:
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))


def bisected(bet: tuple[float, float], margin: float, n: float, k: float) -> float:
    """The old version's rate of the nearest null: the root of the stakes' difference."""
    low, high = margin, 1.0
    for _ in range(200):
        old = (low + high) / 2
        new = old - margin
        if n * (bet[0] - new) / (new * (1 - new)) + k * (bet[1] - old) / (old * (1 - old)) > 0:
            low = old
        else:
            high = old
    return low


def test_whole_units_give_the_likelihood_ratio_of_two_proportions() -> None:
    """Turner, Ly and Grünwald: the bet's likelihood over that of the nearest null, here the pooled rate."""
    m = (Fraction(80, 100) + Fraction(97, 100)) / 2
    e = (Fraction(4, 5) / m) ** 8 * (Fraction(1, 5) / (1 - m)) ** 4
    e *= (Fraction(97, 100) / m) ** 11 * (Fraction(3, 100) / (1 - m))
    found = worse(Bet(0.80, 0.97), 0.0, Units(12, 8, 8), Units(12, 11, 11))
    assert exp(found) == pytest.approx(float(e), rel=CLOSE)


@pytest.mark.parametrize(("log_e", "bet"), [(worse, (0.7, 0.95)), (good, (0.93, 0.95))])
def test_the_likelihood_ratio_with_a_margin(log_e, bet) -> None:
    """Turner and Grünwald: the same with the nearest pair on the line."""
    old = bisected(bet, 0.05, 1, 1)
    new = old - 0.05
    expected = 7 * log(bet[0] / new) + 2 * log((1 - bet[0]) / (1 - new))
    expected += 8 * log(bet[1] / old) + log((1 - bet[1]) / (1 - old))
    assert log_e(Bet(*bet), 0.05, Units(9, 7, 7), Units(9, 8, 8)) == pytest.approx(expected, rel=CLOSE)


def g(rate: float, centre: float, n: float, total: float, squares: float) -> float:
    """G of the variance-adaptive e-value: h units at t, the others at 0."""
    t, h = squares / total, total * total / squares
    return (n - h) * log(1 - rate * centre) + h * log(1 + rate * (t - centre))


def test_fractions_are_bounded_by_units_at_two_points() -> None:
    """Failing units of size 0.4: the null nearest to the bet is sought among those, and scaled back."""
    size, margin, n, k = 0.4, 0.05, 8.0, 30.0
    bet = Bet(0.75, 0.95, size)
    z = (1 - 0.25 / size, 1 - 0.05 / size)
    inner = bisected(z, margin / size, ratio_step(n / k), 1)
    new, old = 1 - (1 - inner + margin / size) * size, 1 - (1 - inner) * size
    a = inner - margin / size
    stake = n * (a - z[0]) / (a * (1 - a) * size)
    candidate, stable = Units(n, 6.1, 5.0), Units(k, 28.7, 27.9)
    failing, well = (n - 6.1, n - 2 * 6.1 + 5.0), (28.7, 27.9)
    expected = g(stake / n, 1 - new, n, *failing) + g(stake / k, old, k, *well)
    assert worse(bet, margin, candidate, stable) == pytest.approx(expected, rel=CLOSE)


def test_a_promotion_counts_successes_of_the_candidate_and_failures_of_the_old_version() -> None:
    size, margin, n, k = 0.5, 0.05, 8.0, 30.0
    inner = bisected((0.9, 0.9), margin / size, ratio_step(n / k), 1)
    a = inner - margin / size
    stake = n * (0.9 - a) / (a * (1 - a) * size)
    new, old = 1 - (1 - a) * size, 1 - (1 - inner) * size
    stake = min(stake, 0.95 * n / new, 0.95 * k / (1 - old))
    expected = g(stake / n, new, n, 7.5, 7.2) + g(stake / k, 1 - old, k, 30 - 28.7, 30 - 2 * 28.7 + 27.9)
    found = good(Bet(0.95, 0.95, size), margin, Units(n, 7.5, 7.2), Units(k, 28.7, 27.9))
    assert found == pytest.approx(expected, rel=CLOSE)


def test_a_stake_is_cut_where_a_factor_could_reach_nothing() -> None:
    first, second = Units(2, 1.5, 1.25), Units(3, 0.5, 0.25)
    cut = 0.95 * min(2 / 0.5, 3 / (1.3 * (1 - 0.5 / 1.3)))
    expected = g(cut / 2, 0.5, 2, 1.5, 1.25) + g(1.3 * cut / 3, 1 - 0.5 / 1.3, 3, 2.5, 3 - 1 + 0.25)
    assert larger(99, (0.5, 0.5 / 1.3), first, second, ratio=1.3) == pytest.approx(expected, rel=CLOSE)


@pytest.mark.parametrize("margin", [0.0, 0.01, 0.05, 0.2, 0.9])
@pytest.mark.parametrize("bet", [(0.93, 0.95), (0.01, 0.995), (0.5, 0.99), (0.02, 0.01), (0.999, 0.999)])
@pytest.mark.parametrize(("n", "k"), [(3.0, 50.0), (1.0, 1.0), (1e6, 2.0), (1.0, 1e7)])
def test_the_nearest_null_is_on_the_line_and_the_nearest(margin, bet, n, k) -> None:
    found = nearest_null(*bet, margin, candidates=n, olds=k)

    def away(old: float) -> float:
        return n * divergence(bet[0], old - margin) + k * divergence(bet[1], old)

    assert 0.0 < found - margin <= found < 1.0
    others = [margin + (1.0 - margin) * part / 1000 for part in range(1, 1000)]
    assert away(found) <= min(map(away, others)) * (1 + CLOSE) + 1e-13 * (n + k)


def test_cost_bets_on_each_rise() -> None:
    """Smoothed mean and variance of 100 sessions, centres on the line through the tolerated rise, stakes of the paper."""
    course = Cost(0.1, 0.3).begun(Block(100.0, {"total": 20.0, "squares": 5.0}))
    m = (20.0 + 1e-5) / (100 + 1e-2)
    v = 5.0 / (100 + 1e-2) - m * m
    new, old, sizes = (4.0, 2.0, 1.2), (20.0, 4.1, 1.0), ratio_step(4 / 20)

    def rest(n: float, total: float, squares: float) -> tuple[float, float, float]:
        return n, n - total, n - 2 * total + squares

    against = []
    for rise in (0.1, 0.25, 0.5, 1.0, 2.0, 4.0):
        more = rise * m
        spread = v * (1.1 + rise) ** 2 + more**2 + 1.1**2 * sizes * v
        rate = min(more / (spread + 1.1 * m * more), 0.95 / (1.1 * m), 0.95 * 20 / 4 / (1.1 * (1 - m)))
        against.append(exp(g(rate, 1.1 * m, *new) + g(1.1 * rate * 4 / 20, 1 - m, *rest(*old))) * 0.7 / 6)
    less = 0.3 * m
    spread = v + less**2 + 1.3**2 * sizes * v
    best = less / (spread + (1 - 1.3 * m) * less) * sizes / (4 / 20)
    rate = min(best, 0.95 / (1 - 1.3 * m), 0.95 * 20 / (1.3 * 4 * m))
    favour = exp(g(rate, 1 - 1.3 * m, *rest(*new)) + g(1.3 * rate * 4 / 20, m, *old))
    names = ("total", "squares")
    after = Cost(0.1, 0.3).folded(
        course,
        Block(4.0, dict(zip(names, new[1:], strict=True))),
        Block(20.0, dict(zip(names, old[1:], strict=True))),
    )
    assert after.against[0] == pytest.approx(against, rel=CLOSE)
    assert after.good == pytest.approx(favour, rel=CLOSE)
    assert after.memory == pytest.approx({"n": 120.0, "total": 24.1, "squares": 6.0})


def test_success_bets_on_each_drop_and_on_three_ways_to_be_as_good() -> None:
    course = Success().begun(Block(100.0, {"total": 97.0, "squares": 96.0}))
    q = 97.5 / 101
    alone = round(40 * ((2.0 + 2.0) / (3.0 + 2.0) - 1 + q) / q) / 40
    q = odds_step(q)
    candidate, old = Units(4, 2.5, 2.25), Units(40, 39, 38.5)

    def size(failing: float) -> float:
        return alone + (1 - alone) * min(failing, 1.0)

    drops = [max(0.01, q - drop) for drop in (0.02, 0.05, 0.10, 0.20, 0.40, 0.80)]
    against = [exp(worse(Bet(p, q, size(1 - p)), 0.0, candidate, old)) for p in drops]
    usual = size(1 - q + 0.05)
    bets = [Bet(q, q, usual), Bet(q, q), Bet(q - 0.025, q, usual)]
    favour = [exp(good(bet, 0.05, candidate, old)) / 3 for bet in bets]
    after = Success().folded(
        course, Block(4.0, {"total": 2.5, "squares": 2.25}), Block(40.0, {"total": 39.0, "squares": 38.5})
    )
    weights = (0.25, 0.25, 0.2, 0.15, 0.1, 0.05)
    assert after.against[0] == pytest.approx(
        [0.7 * w * e for w, e in zip(weights, against, strict=True)], rel=CLOSE
    )
    assert after.favour[0] == pytest.approx(favour, rel=CLOSE)


def test_events_bet_on_each_rise() -> None:
    course = Events().begun(Block(100.0, {"total": 2.0}))
    q = odds_step(2.02 / 100.5)
    new, old = Units.counted(5, 3.0), Units.counted(30, 29.5)
    rises = (0.01, 0.02, 0.04, 0.08, 0.15, 0.40)
    against = [exp(worse(Bet(1 - q - 0.01 - rise, 1 - q), 0.01, new, old)) for rise in rises]
    after = Events().folded(course, Block(5.0, {"total": 2.0}), Block(30.0, {"total": 0.5}))
    assert after.against[0] == pytest.approx([0.7 * e / 6 for e in against], rel=CLOSE)
    assert after.good == pytest.approx(exp(good(Bet(1 - q, 1 - q), 0.05, new, old)), rel=CLOSE)


def test_the_margin_of_an_edge_is_the_mass_that_crosses_it() -> None:
    """Where a bucket is wider than the growth: its mass times ln(1 + growth) over ln of its width."""
    found = margins({"1": 0.2, "2": 0.6, "4": 0.9, "8": 0.99, "+Inf": 1.0}, 0.1)
    slope = log(1.1) / log(2)
    expected = {"1": 0.2 * slope, "2": 0.4 * slope, "4": 0.3 * slope, "8": 0.09 * slope}
    assert found == pytest.approx(expected, rel=CLOSE)
    assert margins({"1": 0.98, "2": 0.99}, 0.1)["2"] == 0.005


def test_growth_over_several_buckets_takes_the_mass_of_each() -> None:
    found = margins({"1": 0.2, "1.1": 0.3, "1.21": 0.7, "10": 0.9}, 0.21)
    assert found["1.21"] == pytest.approx(0.5, rel=CLOSE)
    assert found["1.1"] == pytest.approx(0.1 + 0.2 * log(1.1) / log(2), rel=CLOSE)
    assert margins({"1": 0.2, "1.0001": 0.9}, 9.0) == pytest.approx({"1": 0.2, "1.0001": 0.9})
    assert margins({"0": 0.1, "+Inf": 1.0}, 0.1) == {}


def test_edges_that_speak_have_a_fair_part_of_the_old_version_above_them() -> None:
    history = Block(100.0, {"1": 5.0, "2": 30.0, "4": 90.0, "8": 99.5, "+Inf": 100.0})
    assert edges(Latency().begun(history).fixed) == ("2", "4")
    fast = Block(100.0, {"1": 99.5, "2": 100.0, "+Inf": 100.0})
    assert edges(Latency().begun(fast).fixed) == ("1",)


def test_latency_bets_at_each_edge_on_what_lies_above_it() -> None:
    """Like events, with the margins of the edge; the worst edge decides in favour, the mean of all against."""
    course = Latency(0.1, 0.3).begun(Block(100.0, {"1": 15.0, "2": 60.0, "4": 90.0, "+Inf": 100.0}))
    candidate = {"1": 0.5, "2": 2.0, "4": 3.5, "+Inf": 5.0}
    old = {"1": 7.0, "2": 18.0, "4": 26.0, "+Inf": 30.0}
    after = Latency(0.1, 0.3).folded(course, Block(5.0, candidate), Block(30.0, old))
    assert edges(course.fixed) == ("2", "4")
    promoting = []
    above_each = {"1": 85.02 / 100.5, "2": 40.02 / 100.5, "4": 10.02 / 100.5}  # smoothed
    for at, (edge, before) in enumerate({"2": "1", "4": "2"}.items()):
        above, within = above_each[edge], above_each[before] - above_each[edge]
        tolerance, margin = within * log(1.1) / log(2), within * log(1.3) / log(2)
        sides = Units.counted(5, candidate[edge]), Units.counted(30, old[edge])
        above = odds_step(above)
        bets = [
            Bet(1 - min(0.995, above + tolerance + rise), 1 - above)
            for rise in (0.02, 0.04, 0.09, 0.20, 0.42)
        ]
        laid_out = (0.28, 0.26, 0.20, 0.15, 0.11)
        won = [
            0.7 * part * exp(worse(bet, tolerance, *sides)) for part, bet in zip(laid_out, bets, strict=True)
        ]
        assert after.against[at] == pytest.approx(won, rel=CLOSE)
        promoting.append(exp(good(Bet(1 - above, 1 - above), margin, *sides)))
    assert after.favour == (
        pytest.approx((promoting[0],), rel=CLOSE),
        pytest.approx((promoting[1],), rel=CLOSE),
    )
    assert after.good == pytest.approx(min(promoting), rel=CLOSE)
    assert after.worse == pytest.approx(sum(map(sum, after.against)) / 2, rel=CLOSE)


def test_stakes_are_laid_over_the_blocks() -> None:
    logs = (log(3), log(0.5))
    assert laid((0.0, 0.0), 1, (0.75, 0.25), logs) == pytest.approx((0.7 * 0.75 * 3, 0.7 * 0.25 / 2))
    assert laid((2.0, 1.0), 2, (0.75, 0.25), logs) == pytest.approx(((2 + 0.075) * 3, (1 + 0.025) / 2))
    assert laid((2.0, 1.0), 5, (1.0, 0.0), logs) == pytest.approx(((2 + 0.2 / 20) * 3, 0.5))
    total = sum(sum(laid((0.0,), block, (1.0,), (0.0,))) for block in range(1, 10_001))
    assert total == pytest.approx(0.9 - 0.2 / 10_000)
    assert grown((0.5, 2.0), logs) == pytest.approx((1.5, 1.0))


def test_a_grid_is_fine_where_rates_are_close_to_an_end() -> None:
    assert near(0.5) == 0.5
    assert near(0.97) == pytest.approx(odds_step(0.97), rel=CLOSE)
    assert max(abs(near(p) / p - 1) for p in (0.002, 0.0123, 0.05, 0.2)) < 0.05
    assert max(abs((1 - near(p)) / (1 - p) - 1) for p in (0.95, 0.97, 0.995)) < 0.05
    assert max(abs(near_ratio(r) / r - 1) for r in (1e-7, 0.05, 1.0, 3.3, 1e7)) < 0.05
    assert [near_part(part) for part in (0.001, 0.5, 0.51, 0.99, 1.0)] == [0.025, 0.5, 0.5, 1.0, 1.0]


def test_memory_fades_once_it_is_full() -> None:
    full = Memory(500.0, 480.0, 60.0, 30.0)
    after = full.after(Units(30, 29, 28.5), 25.0)
    assert after == pytest.approx((500 * 0.8**0.5 + 30, 480 * 0.8**0.5 + 29, 60 * 0.9 + 1, 30 * 0.9 + 0.5))
    assert (kept(400.0, 1e9), kept(401.0, 1e9), kept(401.0, 0.0)) == (1.0, 0.8, 1.0)
    assert Memory.of_history(Units(4000, 3900, 3860)) == pytest.approx((400, 390, 50, 30))
    assert Memory.of_history(Units()) == Memory()
    assert (Memory(1e6, 1e6).rate, Memory(1e6, 0.0).rate, Memory().rate) == (0.995, 0.05, 0.5)
