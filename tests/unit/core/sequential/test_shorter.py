"""A mean that may not fall: how often a fall is found, how often one is seen that isn't there, and what lets it advance."""

from __future__ import annotations

from random import Random

import pytest

from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.shorter import Shorter

MEASURE = Shorter(0.10, 0.30)


def block(chance: Random, n: int, mean: float) -> Block:
    """Sessions whose answers are from nothing to twice the mean."""
    values = [chance.uniform(0.0, 2.0 * mean) for _ in range(n)]
    return Block(n, {"total": sum(values), "squares": sum(value * value for value in values)})


def course(seed: int, mean: float, blocks: int = 60) -> list[Course]:
    """A rollout's looks; the old version's answers are 0.2 of the cap."""
    chance = Random(seed)
    found = [MEASURE.begun(block(chance, 200, 0.2))]
    for _ in range(blocks):
        found.append(MEASURE.folded(found[-1], block(chance, 8, mean), block(chance, 30, 0.2)))
    return found


def alarms(mean: float, runs: int = 100) -> int:
    return sum(max(one.worse for one in course(seed, mean)) >= 20.0 for seed in range(runs))


@pytest.mark.parametrize("mean", [0.2, 0.3, 0.181])
def test_answers_that_are_not_shorter_by_more_than_the_tolerance_raise_few_alarms(mean: float) -> None:
    assert alarms(mean) <= 5


def test_answers_half_as_long_are_found() -> None:
    assert alarms(0.1) >= 95


def test_answers_as_long_as_before_may_advance_and_a_third_shorter_ones_hardly_ever() -> None:
    def promoted(mean: float) -> int:
        return sum(max(one.good or 0.0 for one in course(seed, mean)) >= 20.0 for seed in range(60))

    assert promoted(0.2) >= 55
    assert promoted(0.2 * 0.69) <= 3


def test_an_agent_whose_answers_become_empty_is_found() -> None:
    assert alarms(0.0, runs=3) == 3
