"""Which edges of a histogram speak, and what is said where none does."""

from __future__ import annotations

import pytest

from agentrollouts.core.sequential.latency import RISES, WEIGHTS, Latency, edges, speaking
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.standing import standing
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, begun, looked

FAIR = {"0.5": 0.1, "1": 0.4, "2": 0.97, "4": 0.99, "+Inf": 1.0}


def block(n: float, below: dict[str, float]) -> Block:
    return Block(n, {edge: n * part for edge, part in below.items()})


@pytest.mark.parametrize(
    ("below", "spoken"),
    [
        (FAIR, ("1", "2")),
        ({"10": 0.9, "9": 0.8, "0.75": 0.3}, ("0.75", "9", "10")),  # by number, not by letter
        ({"1": 0.99, "2": 0.995}, ("1",)),  # all is faster than every edge
        ({"1": 0.01, "2": 0.985, "4": 0.99}, ("2",)),  # all lies between two of them
        ({"1": 0.0, "2": 0.1}, ()),  # all is slower than every edge
        ({"0": 0.5, "+Inf": 1.0}, ()),
        ({"-1": 0.5, "1": 0.5}, ("1",)),
        ({}, ()),
    ],
)
def test_edges_speak_where_the_old_version_has_something_to_either_side(
    below: dict[str, float], spoken: tuple[str, ...]
) -> None:
    assert speaking(below) == spoken


@pytest.mark.parametrize(
    ("seconds", "spoken"),
    [(0.1, ("0.5",)), (0.5, ("0.5",)), (0.6, ("1",)), (3.0, ("4",)), (4.0, ("4",)), (4.1, ())],
)
def test_slower_than_chooses_the_first_edge_at_or_beyond_it(seconds: float, spoken: tuple[str, ...]) -> None:
    """Whatever lies above it."""
    assert speaking(FAIR, seconds) == spoken
    assert speaking(dict(reversed(FAIR.items())), seconds) == spoken
    assert edges(Latency(slower_than=seconds).begun(block(100.0, FAIR)).fixed) == spoken


def test_one_edge_that_was_asked_for_is_judged_as_it_would_be_among_others() -> None:
    new, old = block(5.0, {**FAIR, "2": 0.5}), block(50.0, FAIR)
    every, alone = Latency(), Latency(slower_than=1.5)
    several = every.folded(every.begun(block(100.0, FAIR)), new, old)
    one = alone.folded(alone.begun(block(100.0, FAIR)), new, old)
    at = edges(several.fixed).index("2")
    assert edges(one.fixed) == ("2",)
    assert one.against == (several.against[at],)
    assert one.favour == (several.favour[at],)
    assert one.worse > several.worse


NONE_SPEAKS = [
    (Latency(), {"+Inf": 1.0}),
    (Latency(), {"1": 0.0, "2": 0.1, "+Inf": 1.0}),
    (Latency(), {"0": 0.3, "+Inf": 1.0}),
    (Latency(slower_than=9.0), FAIR),
]


@pytest.mark.parametrize(("measure", "below"), NONE_SPEAKS, ids=str)
def test_a_histogram_that_cannot_tell_says_nothing_and_forbids_nothing(
    measure: Latency, below: dict[str, float]
) -> None:
    """Once it is known to be one. Before, nothing speaks for the candidate, as with any histogram."""
    course = measure.begun(block(10.0, below))
    assert (course.worse, course.good) == (0.0, 1.0)
    course = measure.folded(course, block(5.0, below), block(25.0, below))
    for _ in range(3):
        assert edges(course.fixed) == ()
        assert (course.worse, course.good) == (0.0, None)
        course = measure.folded(course, block(5.0, {"1": 0.2, "+Inf": 1.0}), block(25.0, below))


def test_a_candidate_advances_past_a_histogram_that_cannot_tell() -> None:
    criteria = (Criterion("latency", Latency(slower_than=9.0), 1.0),)

    def cohorts(*each: float) -> Cohorts:
        return Cohorts(*(Reading((block(n, FAIR),)) for n in each))

    few = begun(criteria, cohorts(0.0, 0.0, 10.0))
    assert standing(criteria, few).lacking(20.0) == (0,)
    enough = looked(criteria, few, cohorts(2.0, 20.0, 40.0))
    assert standing(criteria, enough).lacking(20.0) == ()


def test_stakes_lie_on_small_rises_first() -> None:
    """A quarter on the smallest and a tenth on the largest. Where nothing is won or lost, they are what is held."""
    assert (len(WEIGHTS), sum(WEIGHTS)) == (len(RISES), pytest.approx(1.0, rel=1e-12))
    assert list(WEIGHTS) == sorted(WEIGHTS, reverse=True)
    measure = Latency()
    course = measure.begun(block(100.0, FAIR))
    assert edges(course.fixed) == ("1", "2")
    held = measure.folded(course, block(1e-9, FAIR), block(1e-9, FAIR)).against
    expected = [0.7 * weight for weight in (0.28, 0.26, 0.20, 0.15, 0.11)]
    assert [list(part) for part in held] == [pytest.approx(expected, rel=1e-6)] * 2


def test_a_course_before_it_is_settled_has_no_edges() -> None:
    course: Course = Latency().begun(block(29.0, FAIR))
    assert course.fixed == {}
    assert edges(Latency().begun(block(30.0, FAIR)).fixed) == ("1", "2")
