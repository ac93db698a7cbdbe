"""The cap that a cost is tested at: settled from history, and as exact as a given one."""

from __future__ import annotations

import pytest

from agentrollouts.core.sequential.capped import CappedCost, fitting, named, settled
from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.measure import Block, Course

CAPS = (1.0, 0.3, 0.1, 0.03, 0.01)
MEASURE = CappedCost(0.1, 0.3)


def block(*dollars: float, caps: tuple[float, ...] = CAPS) -> Block:
    """Sessions that cost so much a task."""
    parts = {f"{cap:g}": [min(one, cap) / cap for one in dollars] for cap in caps}
    totals = {cap: sum(found) for cap, found in parts.items()}
    return Block(float(len(dollars)), named(totals, {c: sum(x * x for x in f) for c, f in parts.items()}))


def at(cap: float, *dollars: float) -> Block:
    fractions = [min(one, cap) / cap for one in dollars]
    return Block(len(dollars), {"total": sum(fractions), "squares": sum(x * x for x in fractions)})


@pytest.mark.parametrize(
    ("dollars", "cap"), [(0.001, "0.01"), (0.0036, "0.03"), (0.03, "0.1"), (0.2, "1"), (0.9, "1"), (7.0, "1")]
)
def test_the_smallest_cap_with_room_above_the_mean_fits(dollars: float, cap: str) -> None:
    assert fitting(block(dollars)) == cap


def test_without_caps_none_fits() -> None:
    assert fitting(Block(5.0, {})) is None


def test_what_follows_is_the_test_at_that_cap() -> None:
    past, new, old = (0.01, 0.02) * 30, (0.02, 0.04, 0.03), (0.01, 0.02) * 5
    expected = Cost(0.1, 0.3).folded(Cost(0.1, 0.3).begun(at(0.1, *past)), at(0.1, *new), at(0.1, *old))
    course = MEASURE.begun(block(*past))
    assert settled(course) == "0.1"
    found = MEASURE.folded(course, block(*new), block(*old))
    assert settled(found) == "0.1"
    assert (found.blocks, found.worse, found.good) == pytest.approx((1, expected.worse, expected.good))


def test_until_the_old_version_is_known_cost_says_nothing() -> None:
    course = MEASURE.begun(block(*[0.2] * 20))
    assert (course.worse, course.good, settled(course)) == (0.0, 1.0, None)
    course = MEASURE.folded(course, block(*[0.9] * 20), block(*[0.2] * 9))
    assert (course.worse, course.good, settled(course)) == (0.0, 1.0, None)
    course = MEASURE.folded(course, block(0.9), block(0.2))
    assert (course.blocks, course.worse, course.good, settled(course)) == (0, 0.0, 1.0, "1")
    assert MEASURE.folded(course, block(0.9), block(0.2)).blocks == 1


def test_what_costs_nothing_needs_no_evidence() -> None:
    course = MEASURE.begun(block(*[0.0] * 40))
    assert (course.good, settled(MEASURE.folded(course, block(0.0), block(0.0)))) == (None, None)


@pytest.mark.parametrize(("new", "old"), [(0.02, 0.0), (0.0, 0.02), (0.02, 0.02)])
def test_the_first_cost_on_either_side_begins_anew(new: float, old: float) -> None:
    """What cost nothing before would make the mean, and with it the cap, too small."""
    course = MEASURE.begun(block(*[0.0] * 400))
    course = MEASURE.folded(course, block(*[new] * 4), block(*[old] * 4))
    assert (course.good, course.memory["n"], settled(course)) == (1.0, 8.0, None)
    course = MEASURE.folded(course, block(*[new] * 4), block(*[old] * 60))
    assert settled(course) is not None


def test_a_version_that_is_cut_at_other_caps_tells_nothing() -> None:
    course = MEASURE.begun(block(*[0.02] * 40))
    assert MEASURE.folded(course, block(0.9, caps=(2.0, 1.0)), block(0.02)) == course


def test_a_cap_far_above_the_costs_finds_next_to_nothing() -> None:
    """Why there are several: a hundred sessions that cost the same, at the cap of a dollar and at the one that fits."""

    def evidence(measure: Cost | CappedCost, course: Course, some: Block, many: Block) -> float:
        for _ in range(50):
            course = measure.folded(course, some, many)
        assert course.good is not None
        return course.good

    few, past = (0.004, 0.016), (0.004, 0.016) * 19
    wide = evidence(Cost(0.1, 0.3), Cost(0.1, 0.3).begun(at(1.0, *past)), at(1.0, *few), at(1.0, *past))
    fits = evidence(MEASURE, MEASURE.begun(block(*past)), block(*few), block(*past))
    assert fits > 20.0 > wide


@pytest.mark.parametrize("cap", ["0", "-1", "", "much"])
def test_a_cap_is_a_positive_number(cap: str) -> None:
    with pytest.raises(ValueError, match=r"expected caps above 0|could not convert"):
        named({cap: 1.0}, {cap: 1.0})
