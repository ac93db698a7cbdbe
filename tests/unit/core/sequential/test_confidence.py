"""The interval for people: valid block by block, right at all looks together, and narrower the more is known."""

from __future__ import annotations

from itertools import pairwise
from math import exp, log
from random import Random

import pytest

from agentrollouts.core.sequential.confidence import GROWTH, MARGINS, SUREST, Confidence
from agentrollouts.core.sequential.record import read, written
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, begun, looked
from agentrollouts.core.sequential.units import Units
from tests.unit.core.sequential.chances import EXACT, Unit, added, nulls, outcomes, side

NOBODY = Units()


def drawn(chance: Random, n: int, rate: float) -> Units:
    """So many sessions, each all success or all failure."""
    good = float(sum(chance.random() < rate for _ in range(n)))
    return Units(float(n), good, good)


def known(chance: Random) -> Confidence:
    """An interval in the middle of a rollout, whose bets may be good or bad ones."""
    bad = chance.random() ** 3
    return Confidence.begun(drawn(chance, 60, 1 - bad))._replace(
        candidate=drawn(chance, chance.randint(0, 10), chance.random()), apart=chance.random() < 0.5
    )


def blocks(
    sides: tuple[tuple[Unit, ...], tuple[Unit, ...]], start: Confidence
) -> list[tuple[float, Confidence]]:
    """The interval after one block, with the chance of each."""
    return [
        (p * q, start.after(new, old, NOBODY, apart=False))
        for p, new in outcomes(sides[0])
        for q, old in outcomes(sides[1])
    ]


@pytest.mark.parametrize("sizes", [(1, 1), (1, 3), (2, 2), (3, 1)], ids=str)
@pytest.mark.parametrize("margin", [-0.9, -0.3, -0.05, -0.005, 0.0, 0.01, 0.1, 0.5])
def test_no_margin_is_rejected_on_average_where_it_holds(sizes: tuple[int, int], margin: float) -> None:
    """Both tests of a margin, over every outcome of one block of sessions of different difficulty."""
    at, chance = MARGINS.index(margin), Random(str((sizes, margin)))
    most: list[float] = []
    for a, b in nulls(chance, 12, 1.0, margin):  # the candidate is at most so much better
        sides = side(chance, sizes[0], a), side(chance, sizes[1], b)
        most.append(sum(p * exp(after.below.won[at]) for p, after in blocks(sides, known(chance))))
    for b, a in nulls(chance, 12, 1.0, -margin):  # at least so much
        sides = side(chance, sizes[0], a), side(chance, sizes[1], b)
        most.append(sum(p * exp(after.above.won[at]) for p, after in blocks(sides, known(chance))))
    assert max(most) <= 1 + EXACT
    assert min(most) < 1 - 1e-4  # bets were laid


def rollout(
    seed: int, rates: tuple[float, float], sessions: int, correlated: bool = False
) -> list[Confidence]:
    """After each of the candidate's sessions; the old version has four times as many."""
    chance, found = Random(seed), [Confidence.begun(drawn(Random(seed), 100, rates[1]))]

    def some(n: int, rate: float) -> Units:
        if not correlated:
            return drawn(chance, n, rate)
        parts = [chance.betavariate(2 * rate, 2 * (1 - rate)) for _ in range(n)]
        return Units(n, sum(parts), sum(part * part for part in parts))

    for _ in range(sessions):
        sides = some(1, rates[0]), some(1, rates[1]), some(3, rates[1])
        found.append(found[-1].after(*sides, apart=False))
    return found


def closed(found: list[Confidence]) -> list[Confidence]:
    """Those that end with a block."""
    return [after for before, after in pairwise(found) if after.candidate != before.candidate]


@pytest.mark.parametrize(
    ("rates", "correlated"),
    [((0.97, 0.97), False), ((0.87, 0.97), False), ((0.6, 0.55), False), ((0.8, 0.8), True)],
    ids=str,
)
def test_it_holds_the_difference_at_every_look(rates: tuple[float, float], correlated: bool) -> None:
    """At an error of a fifth, 12 of 60 rollouts may miss it; chance makes 24 of that less than once in a thousand times."""
    missed = 0
    for seed in range(60):
        intervals = [one.interval(0.2) for one in closed(rollout(seed, rates, 120, correlated))]
        missed += not all(ends and ends[0] <= rates[0] - rates[1] <= ends[1] for ends in intervals)
    assert missed <= 24


@pytest.mark.parametrize(
    ("rates", "most"), [((0.97, 0.97), 0.02), ((0.67, 0.97), 0.16), ((0.99, 0.8), 0.10)], ids=str
)
def test_it_narrows_to_the_difference(rates: tuple[float, float], most: float) -> None:
    """To the next margins of the grid, which are coarse where nobody asks for a tenth of a point."""
    widths = []
    for after in (50, 500, 5_000):
        low, high = rollout(3, rates, after)[-1].interval(0.05) or (1.0, -1.0)
        assert low <= rates[0] - rates[1] <= high
        widths.append(high - low)
    assert widths[0] > widths[1] >= widths[2]
    assert widths[2] <= most


def test_a_margin_that_is_out_stays_out() -> None:
    """Also where later sessions speak for it again."""
    chance, now = Random(1), Confidence.begun(Units(100, 95, 95))
    outs: list[tuple[set[float], set[float]]] = []
    for rate in (0.5, 0.99):
        for _ in range(400):
            now = now.after(
                drawn(chance, 1, rate), drawn(chance, 1, 0.95), drawn(chance, 8, 0.95), apart=False
            )
            outs.append((set(now.above.rejected(0.05)), set(now.below.rejected(0.05))))
    assert all(a <= c and b <= d for (a, b), (c, d) in pairwise(outs))
    assert outs[399][0] > {0.0, 0.05}
    fallen = [won for won, most in zip(now.above.won, now.above.most, strict=True) if won < most - 1]
    assert fallen  # the evidence itself did fall


def test_a_difference_that_changed_on_the_way_has_no_interval() -> None:
    now = Confidence.begun(Units(100, 50, 50))
    for good in (0.0, 1.0):
        for _ in range(900):
            now = now.after(Units(1, good, good), Units(1, 1, 1), Units(1, 0, 0), apart=False)
    assert now.interval(0.05) is None


def test_nothing_known_is_everything_possible() -> None:
    assert Confidence().interval(0.05) == (-1.0, 1.0)


def test_an_error_that_it_keeps_no_count_of_is_refused() -> None:
    for alpha in (0.0, SUREST / 2, 1.0, -1.0):
        with pytest.raises(ValueError, match=r"expected an error from 0\.001"):
            Confidence().interval(alpha)


def test_more_certainty_is_a_wider_interval() -> None:
    now = rollout(5, (0.9, 0.95), 600)[-1]
    ends = [now.interval(alpha) or (0.0, 0.0) for alpha in (SUREST, 0.05, 0.5)]
    assert all(a[0] <= b[0] and b[1] <= a[1] for a, b in pairwise(ends))
    assert ends[0] != ends[2]


def test_blocks_are_closed_by_counts_alone() -> None:
    """Two rollouts of the same counts and opposite outcomes close theirs at the same moments."""
    good = closed(rollout(1, (1.0, 1.0), 300))
    bad = closed(rollout(1, (0.0, 0.5), 300))
    counts = [one.candidate.n for one in good]
    assert counts == [one.candidate.n for one in bad]
    assert counts[:11] == list(range(1, 12))
    grown = [(after - before, GROWTH * before) for before, after in pairwise(counts)]
    assert all(part - 1e-9 <= more < max(1.0, part) + 1 for more, part in grown)


def test_a_rollout_of_any_length_has_few_blocks() -> None:
    now, many = Confidence(), 0
    for _ in range(20_000):
        after = now.after(Units(1, 1, 1), Units(1, 1, 1), Units(8, 8, 8), apart=False)
        many, now = many + (after.candidate != now.candidate), after
    assert many <= 11 + log(20_000 / 10) / log(1 + GROWTH)


@pytest.mark.parametrize(("rate", "low", "high"), [(0.0, -1.0, -0.9), (0.5, -0.7, -0.3), (0.95, -0.125, 0.1)])
def test_a_first_block_may_bring_everything_at_once(rate: float, low: float, high: float) -> None:
    """As after a restart, or with a thousand sessions a minute."""
    ends = Confidence.begun(Units(400, 380, 380)).after(
        Units(300, 300 * rate, 300 * rate), Units(300, 285, 285), Units(3_000, 2_850, 2_850), apart=False
    )
    found = ends.interval(0.05)
    assert found is not None
    assert low <= found[0] <= rate - 0.95 <= found[1] <= high


def test_a_block_without_the_old_version_waits() -> None:
    now = Confidence().after(Units(5, 5, 5), NOBODY, NOBODY, apart=False)
    assert now.candidate.n == 0
    assert now.after(NOBODY, Units(1, 1, 1), NOBODY, apart=False).candidate.n == 5


def test_whom_a_block_is_compared_with_is_settled_before_it() -> None:
    fails, holds = Units(9, 0, 0), Units(9, 9, 9)
    start = Confidence.begun(Units(100, 50, 50))
    first = start.after(Units(9, 5, 5), holds, fails, apart=True)
    assert first.old.n == 100 + 18
    second = first.after(Units(9, 5, 5), holds, fails, apart=True)
    assert second.old == first.old.plus(holds)


def test_a_trial_follows_its_first_measure_of_success_and_goes_on_from_its_record() -> None:
    criteria = (Criterion("success", Success(), 0.6), Criterion("score", Success(), 0.4))

    def at(n: int, good: float) -> Cohorts:
        def reading(units: float, part: float) -> Reading:
            whole = added([{"total": part, "squares": part}] * int(units))
            return Reading((whole, whole._replace(sums={"total": units * 0.5, "squares": units * 0.5})))

        return Cohorts(reading(n, good), reading(2 * n, 1.0), reading(9 * n, 1.0))

    trial = begun(criteria, at(0, 1.0), at(0, 1.0))
    for n in range(1, 40):
        trial = looked(criteria, trial, at(n, 0.0))
    assert trial.confidence.candidate.total == 0.0
    assert trial.confidence.old.total == trial.confidence.old.n
    _, high = trial.confidence.interval(0.05) or (0.0, 1.0)
    assert high < -0.5
    again = read(written(trial), criteria)
    assert again == trial
    now = at(60, 0.2)
    assert again is not None
    assert looked(criteria, again, now) == looked(criteria, trial, now)
    aside = looked(criteria, trial, now, for_people=False)
    assert aside.courses == looked(criteria, trial, now).courses
    assert aside.confidence == trial.confidence
    assert log(2 / 0.05) < max(trial.confidence.above.most)
