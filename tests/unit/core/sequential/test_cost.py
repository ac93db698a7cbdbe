"""Cost where nothing costs anything: nothing to be promoted by, until something does."""

from __future__ import annotations

from itertools import product

import pytest

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.standing import standing
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, begun, looked
from tests.unit.core.sequential.chances import EXACT

COST = Cost(0.1, 0.3)


def block(n: float, mean: float = 0.0) -> Block:
    return Block(n, {"total": n * mean, "squares": n * mean * mean})


@pytest.mark.parametrize("history", [Block(0.0, {}), block(0.0), block(400.0)])
def test_where_nothing_costs_anything_no_evidence_is_needed(history: Block) -> None:
    course = COST.begun(history)
    for _ in range(5):
        assert (course.worse, course.good, course.blocks) == (0.0, None, 0)
        course = COST.folded(course, block(4.0), block(60.0))


def test_a_candidate_advances_where_nothing_costs_anything() -> None:
    criteria = (Criterion("cost", COST, 1.0),)

    def cohorts(look: float) -> Cohorts:
        return Cohorts(*(Reading((block(n * look),)) for n in (1.0, 1.0, 18.0)))

    trial = begun(criteria, cohorts(0.0))
    for look in (1.0, 2.0):
        trial = looked(criteria, trial, cohorts(look))
        assert standing(criteria, trial).lacking(20.0) == ()
    dear = cohorts(3.0)._replace(candidate=Reading((Block(3.0, {"total": 0.5, "squares": 0.25}),)))
    assert standing(criteria, looked(criteria, trial, dear)).lacking(20.0) == (0,)


@pytest.mark.parametrize(("new", "old"), [(0.2, 0.0), (0.0, 0.2), (0.2, 0.2)])
def test_a_first_cost_on_either_side_begins_the_bet_in_the_next_block(new: float, old: float) -> None:
    course = COST.begun(block(400.0))
    begins = COST.folded(course, block(4.0, new), block(60.0, old))
    assert begins.favour == ((1.0,),)
    assert (begins.against, begins.blocks) == (course.against, 0)
    after = COST.folded(begins, block(4.0, 0.2), block(60.0, 0.2))
    assert after.blocks == 1
    assert after.favour != begins.favour
    assert after.worse > 0.0


def test_the_block_that_begins_a_bet_wins_nothing_on_average_and_one_that_knew_it_would() -> None:
    """Free or dear by chance, the candidate dearer by the margin: betting on blocks because they cost something is no bet."""
    free = COST.begun(block(400.0))
    before = COST.begun(block(400.0, 0.1))
    mean = knowing = 0.0
    for new, old in product((0.0, 0.26), (0.0, 0.2)):
        sides = block(1.0, new), block(1.0, old)
        mean += sum(COST.folded(free, *sides).favour[0]) / 4 if new + old else 1 / 4
        knowing += good(COST.folded(before, *sides)) / 4 if old > new else 1 / 4
    assert mean <= 1 + EXACT
    assert knowing > 1.001


def good(course: Course) -> float:
    assert course.good is not None
    return course.good


def test_a_version_that_begins_to_cost_is_found_though_the_old_one_is_free() -> None:
    course = COST.begun(block(400.0))
    for _ in range(12):
        course = COST.folded(course, block(5.0, 0.3), block(60.0))
    assert course.worse > 20.0
    assert good(course) < 1.0
