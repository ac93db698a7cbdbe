from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from math import comb, exp, log

import pytest

from agentrollouts.models.drift import ALL, Standing, looked, lower, planned

ALPHA, ALLOWED = 0.1, 0.02
YEAR = 365 * 24
YEARS = 8
RATES = {"steady": 0.97, "shaky": 0.7}


def drawn(chance: random.Random, rates: Mapping[str, float], n: int) -> dict[str, list[float]]:
    return {probe: [float(chance.random() < rate) for _ in range(n)] for probe, rate in rates.items()}


def alarm(
    chance: random.Random,
    looks: int,
    *,
    base: int = 20,
    then: Mapping[str, float] | None = None,
    since: int = 0,
) -> int | None:
    """The look that raised the alarm. Every run draws its own baseline, because that is a sample, too."""
    plan = planned(drawn(chance, RATES, base), alpha=ALPHA, allowed=ALLOWED)
    standing = Standing()
    for look in range(1, looks + 1):
        standing = looked(plan, standing, drawn(chance, then if then and look > since else RATES, 1))
        if standing.stake(plan) >= plan.enough:
            return look
    return None


def test_a_year_of_hourly_looks_raises_no_more_false_alarms_than_promised() -> None:
    chance = random.Random(1)
    found = [alarm(chance, YEAR) for _ in range(YEARS)]
    assert sum(each is not None for each in found) <= 2  # 10 % of 8, and chance


def test_a_threshold_for_each_look_would_be_wrong_nearly_every_year() -> None:
    """The same years, a day at a time, each day judged by itself at the same alpha: what the test above keeps from happening."""
    chance = random.Random(2)
    wrong = 0
    for _ in range(YEARS):
        baseline = drawn(chance, RATES, 20)
        usual = sum(1 - score for scores in baseline.values() for score in scores) / 40 + ALLOWED
        tails = [
            sum(comb(48, k) * usual**k * (1 - usual) ** (48 - k) for k in range(n, 49)) for n in range(50)
        ]
        days = (drawn(chance, RATES, 24) for _ in range(365))
        wrong += any(tails[48 - int(sum(map(sum, day.values())))] < ALPHA for day in days)
    assert wrong >= YEARS * 0.9


@pytest.mark.parametrize("since", [0, 24 * 30])
def test_a_drift_is_found_early_and_late(since: int) -> None:
    chance = random.Random(3)
    then = {"steady": 0.2, "shaky": 0.7}
    found = [alarm(chance, since + 150, then=then, since=since) for _ in range(10)]
    assert all(each is not None and each > since for each in found)


def test_one_probe_that_flips_is_found_among_many_that_dont() -> None:
    chance = random.Random(4)
    rates = {f"probe {number}": 1.0 for number in range(30)}
    plan = planned(drawn(chance, rates, 20), alpha=0.01, allowed=0.05)
    standing = Standing()
    for _ in range(40):
        standing = looked(plan, standing, drawn(chance, {**rates, "probe 7": 0.0}, 1))
    assert standing.stake(plan) >= plan.enough
    most = max((test for test in plan.tests), key=standing.of)
    assert (most.probe, most.way) == ("probe 7", "below")


def test_becoming_better_is_a_drift_as_well() -> None:
    plan = planned({"a": [0.0] * 40, "b": [0.5] * 40}, alpha=0.01, allowed=0.05)
    standing = Standing()
    for _ in range(60):
        standing = looked(plan, standing, {"a": [1.0], "b": [0.5]})
    assert standing.stake(plan) >= plan.enough
    assert max(plan.tests, key=standing.of).way == "above"


def test_what_moves_less_than_allowed_and_chance_is_none() -> None:
    plan = planned({"a": [0.9] * 200}, alpha=0.01, allowed=0.05)
    standing = Standing()
    for _ in range(2000):
        standing = looked(plan, standing, {"a": [0.86]})
    assert standing.stake(plan) < 1.0


def test_the_stakes_are_all_there_is_and_a_look_without_answers_wins_nothing() -> None:
    plan = planned({"a": [1.0] * 20, "b": [0.5] * 20}, alpha=0.01, allowed=0.05)
    assert sum(test.part for test in plan.tests) == pytest.approx(1.0)
    standing = Standing()
    for look in range(1, 200):
        standing = looked(plan, standing, {})
        assert standing.stake(plan) == pytest.approx(1.0)
        assert standing.looks == look


@pytest.mark.parametrize("scores", [[0.0, 1.0], [0.25, 0.5, 1.0], [0.6, 0.6]])
def test_no_bet_wins_on_average_where_the_mean_is_as_it_may_be(scores: Sequence[float]) -> None:
    """Every mix of these scores whose mean is at least what is tested: the mean of what each bet becomes is at most 1."""
    plan = planned({"a": [0.9] * 100}, alpha=0.01, allowed=0.05)
    (test,) = (each for each in plan.tests if each.probe == "a" and each.way == "below")
    before = Standing(0, {})
    values = {score: looked(plan, before, {"a": [score]}).of(test) for score in {*scores, 1.0}}
    top = values[1.0]
    for score in scores:
        if score < test.least:
            weight = (1.0 - test.least) / (
                1.0 - score
            )  # of the score, the rest at 1: the mean is exactly the tested one
            assert weight * values[score] + (1 - weight) * top <= looked(plan, before, {}).of(test) * (
                1 + 1e-12
            )


def test_probes_weigh_the_same_however_many_of_their_answers_came() -> None:
    plan = planned({"good": [1.0] * 50, "bad": [0.0] * 50}, alpha=0.01, allowed=0.05)
    together = next(test for test in plan.tests if (test.probe, test.way) == (ALL, "below"))
    even = looked(plan, Standing(), {"good": [1.0], "bad": [0.0]}).of(together)
    lopsided = looked(plan, Standing(), {"good": [1.0], "bad": [0.0] * 9}).of(together)
    assert lopsided == even
    silent = looked(plan, Standing(), {"good": [1.0, 1.0], "bad": []}).of(together)
    assert silent == looked(plan, Standing(), {}).of(together)


def test_the_bound_of_a_mean_is_what_a_coin_could_have_been() -> None:
    # Twenty of twenty: the chance of that is q^20, so the bound at exp(-doubt) is its 20th root.
    assert lower(1.0, 20, 3.0) == pytest.approx(exp(-3.0 / 20))
    assert lower(0.0, 20, 3.0) == 0.0
    assert lower(0.5, 10**9, 3.0) == pytest.approx(0.5, abs=1e-3)
    assert lower(0.9, 40, 3.0) < lower(0.9, 80, 3.0) < lower(0.9, 80, 1.0) < 0.9
    # It fails no more often than it says.
    chance, rate, doubt, n = random.Random(5), 0.8, log(10), 25
    means = [sum(chance.random() < rate for _ in range(n)) / n for _ in range(4000)]
    assert sum(lower(mean, n, doubt) > rate for mean in means) / 4000 <= 0.1
