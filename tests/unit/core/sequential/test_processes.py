"""Whole rollouts by enumeration: however one stops and however large one makes the next block, the error stays in its budget.

Ville's inequality: under the null the chance that the wealth ever reaches c is at most 1/c. All paths of two or three blocks
are walked, with their probabilities; what a test may do on the way depends on what was seen before the block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import comb, prod

import pytest

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.measure import Block, Course, Measure
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, Trial, begun, looked
from tests.unit.core.sequential.chances import EXACT, Unit, blocks, squared

THRESHOLDS = (0.75, 0.9, 1.2, 1.5, 2.0, 3.0, 5.0, 20.0)
State = tuple[float, float]  # chance of being here, largest wealth on the way

HARD: Unit = ((0.3, 0.0), (0.3, 0.5), (0.4, 1.0))
EASY: Unit = ((0.05, 0.0), (0.1, 0.6), (0.85, 1.0))
COIN: Unit = ((0.1, 0.0), (0.9, 1.0))
CHEAP: Unit = ((0.8, 0.05), (0.2, 0.3))
Sides = tuple[Sequence[Unit], Sequence[Unit]]
Plan = Callable[[int, Course], Sides]
"""The units of the next block, from its number and what was seen so far."""


def worsened(one: Unit, margin: float) -> Unit:
    """Each unit loses a part, so that the mean falls by ``margin``."""
    mean = sum(p * x for p, x in one)
    return tuple((p, x * (1.0 - margin / mean)) for p, x in one)


def paths(
    measure: Measure, course: Course, plan: Plan, wealth: Callable[[Course], float], left: int
) -> list[State]:
    """Every path of ``left`` more blocks."""
    if not left:
        return [(1.0, wealth(course))]
    sides = plan(course.blocks, course)
    found = []
    for p, candidate in blocks(squared(sides[0])):
        for q, old in blocks(squared(sides[1])):
            after = measure.folded(course, candidate, old)
            here = wealth(after)
            found += [
                (p * q * r, max(here, most)) for r, most in paths(measure, after, plan, wealth, left - 1)
            ]
    return found


def keeps(states: Sequence[State]) -> bool:
    """Ville's inequality at every threshold."""
    assert sum(p for p, _ in states) == pytest.approx(1.0)
    return all(sum(p for p, most in states if most >= c) <= min(1.0, 1.0 / c) + EXACT for c in THRESHOLDS)


def steady(sides: Sides) -> Plan:
    return lambda at, course: sides


def greedy(small: Sides, large: Sides) -> Plan:
    """A large block while behind, a small one while ahead."""
    return lambda at, course: large if course.worse < 0.7 else small


def drifting(*each: Sides) -> Plan:
    return lambda at, course: each[at]


def history(measure: Measure, level: float) -> Course:
    return measure.begun(Block(100.0, {"total": 100.0 * level, "squares": 100.0 * level}))


COINS, MIXED = ((COIN,), (COIN,)), ((HARD, EASY), (EASY, HARD))
ROLLBACKS = {
    "coins": steady(COINS),
    "a larger block while behind": greedy(COINS, ((COIN,), (COIN, COIN))),
    "other units each time": drifting(((HARD,), (HARD,)), ((EASY,), (EASY,)), COINS),
    "a better candidate at last": drifting(COINS, ((HARD,), (HARD,)), ((COIN,), (HARD,))),
}


@pytest.mark.parametrize("name", ROLLBACKS)
@pytest.mark.parametrize("level", [0.97, 0.6])
def test_three_blocks_of_sessions_that_are_not_worse(name: str, level: float) -> None:
    measure = Success()
    assert keeps(paths(measure, history(measure, level), ROLLBACKS[name], lambda course: course.worse, 3))


@pytest.mark.parametrize("measure", [Success(0.05), Events(0.05), Cost(0.1), Cost(0.0)], ids=repr)
def test_two_blocks_of_unlike_sessions(measure: Measure) -> None:
    plan = steady(MIXED)
    assert keeps(paths(measure, history(measure, 0.7), plan, lambda course: course.worse, 2))


@pytest.mark.parametrize("margin", [0.05, 0.3])
def test_three_blocks_of_a_candidate_worse_by_the_margin(margin: float) -> None:
    """Whole wealth is there from the start, so the threshold of 1 is met; nothing above it is met too often."""
    measure = Success(0.0, margin)
    bad = ((worsened(COIN, margin),), (COIN,))
    larger = ((worsened(COIN, margin),), (COIN, COIN))

    def good(course: Course) -> float:
        assert course.good is not None
        return course.good

    plan = lambda at, course: larger if good(course) < 1.0 else bad  # noqa: E731
    assert keeps(paths(measure, history(measure, 0.5), plan, good, 3))


def test_three_blocks_of_a_candidate_dearer_by_the_margin() -> None:
    dear = tuple((p, 1.3 * x) for p, x in CHEAP)
    plan, measure = steady(((dear,), (CHEAP,))), Cost()
    assert keeps(paths(measure, history(measure, 0.1), plan, lambda course: course.good or 0.0, 3))


def test_a_stake_that_is_laid_in_full_at_each_block_is_found_out() -> None:
    """Ville's inequality can fail here: three stakes of 0.7 are more than there is to lay."""

    class Spendthrift(Success):
        def folded(self, course: Course, candidate: Block, old: Block) -> Course:
            return (
                super().folded(course._replace(blocks=0), candidate, old)._replace(blocks=course.blocks + 1)
            )

    assert not keeps(
        paths(Spendthrift(), history(Success(), 0.6), steady(COINS), lambda course: course.worse, 3)
    )


def reading(n: float, total: float) -> Reading:
    return Reading((Block(n, {"total": total, "squares": total}),))


def test_looks_at_three_cohorts_with_the_guard_between_them() -> None:
    """Through the trial itself: control and stable together, until the guard parts them on the way."""
    criteria = (Criterion("success", Success(), 1.0),)
    sizes, parted = (1, 1, 2), 0

    def walk(trial: Trial, left: int) -> list[State]:
        nonlocal parted
        if not left:
            return [(1.0, 0.0)]
        found = []
        for p, gained in outcomes_of_coins(sizes):
            now = Cohorts(*map(plus, trial.seen[0], sizes, gained))
            after = looked(criteria, trial, now)
            parted += after.apart
            here = after.courses[0].worse
            found += [(p * r, max(here, most)) for r, most in walk(after, left - 1)]
        return found

    start = begun(criteria, Cohorts(*[reading(0.0, 0.0)] * 3))
    states = walk(start._replace(alike=(45.0, 150.0)), 3)
    assert parted
    assert keeps(states)


def plus(before: Block, n: int, total: int) -> Reading:
    return reading(before.n + n, before.sums["total"] + total)


def outcomes_of_coins(sizes: tuple[int, ...], rate: float = 0.6) -> list[tuple[float, tuple[int, ...]]]:
    """Successes of each cohort, with their probability."""
    each = [[(comb(n, k) * rate**k * (1 - rate) ** (n - k), k) for k in range(n + 1)] for n in sizes]
    return [(prod(p for p, _ in one), tuple(k for _, k in one)) for one in product(*each)]
