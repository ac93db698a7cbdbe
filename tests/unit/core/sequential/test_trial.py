"""What a trial does with looks: which side is compared, what closes a block, and what lost sums do."""

from __future__ import annotations

from itertools import product

import pytest

from agentrollouts.core.sequential.measure import Block
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, Trial, begun, looked
from tests.unit.core.sequential.chances import EXACT

SUCCESS = (Criterion("success", Success(), 1.0),)


def reading(n: float, total: float, assigned: float = 0.0) -> Reading:
    """Whole sessions."""
    return Reading((Block(n, {"total": total, "squares": total}),), assigned)


def cohorts(*each: tuple[float, float]) -> Cohorts:
    return Cohorts(*(reading(n, total) for n, total in each))


def worse(trial: Trial) -> float:
    return trial.courses[0].worse


NOTHING = cohorts((0, 0), (0, 0), (0, 0))


def test_the_block_that_shows_control_and_stable_to_differ_is_still_compared_with_both() -> None:
    """Leaving stable out because of how this block came out would be a choice made after the fact."""
    trial = begun(SUCCESS, cohorts((0, 0), (0, 0), (60, 30)))._replace(alike=(45.0, 150.0))
    mean, apart = 0.0, 0
    for one in product((0, 1), repeat=5):  # all versions succeed every other time
        now = cohorts((1, one[0]), (1, one[1]), (63, 30 + sum(one[2:])))
        after = looked(SUCCESS, trial, now)
        mean, apart = mean + worse(after) / 32, apart + after.apart
    assert 0 < apart < 32
    assert mean <= 0.7 + EXACT


def test_a_block_waits_until_both_sides_have_a_session() -> None:
    trial = begun(SUCCESS, NOTHING)
    waiting = looked(SUCCESS, trial, cohorts((0, 0), (5, 5), (90, 85)))
    assert waiting == trial
    assert looked(SUCCESS, waiting, cohorts((1, 0), (5, 5), (90, 85))).courses[0].blocks == 1


def test_what_was_counted_before_the_rollout_is_history() -> None:
    before = cohorts((7, 0), (20, 20), (80, 77))
    trial = begun(SUCCESS, before)
    assert trial.courses[0].memory["n"] == 100
    assert trial.courses[0].memory["total"] == 97
    assert looked(SUCCESS, trial, before) == trial


def test_control_alone_is_the_comparator_once_the_cohorts_differ() -> None:
    trial = begun(SUCCESS, NOTHING)
    for step in range(1, 40):
        trial = looked(SUCCESS, trial, cohorts((step, step), (5 * step, 0), (5 * step, 5 * step)))
    assert trial.apart
    now = cohorts((40, 40), (196, 1), (290, 195))
    same_control = looked(SUCCESS, trial, now)
    other_stable = looked(SUCCESS, trial, now._replace(stable=reading(900, 195)))
    assert same_control.courses == other_stable.courses
    assert (
        looked(SUCCESS, trial, now._replace(control=Reading((trial.seen[0].control,)))).courses
        == trial.courses
    )


@pytest.mark.parametrize("worse_one", [0, 1], ids=["control worse", "stable worse"])
def test_the_cohorts_differ_whichever_of_them_is_worse(worse_one: int) -> None:
    trial = begun(SUCCESS, NOTHING)
    for step in range(1, 40):
        control, stable = 5 * step * worse_one, 5 * step * (1 - worse_one)
        trial = looked(SUCCESS, trial, cohorts((step, step), (5 * step, control), (5 * step, stable)))
    assert trial.apart
    assert trial.alike[1 - worse_one] < 1.0 < trial.alike[worse_one]


@pytest.mark.parametrize("cohort", [0, 1, 2])
def test_fewer_sessions_than_before_were_lost_whatever_became_of_them(cohort: int) -> None:
    """None of them had gone well, so no sum of theirs shrinks with them."""
    first, later = [(20.0, 0.0)] * 3, [(40.0, 0.0)] * 3
    later[cohort] = (10.0, 0.0)
    trial = looked(SUCCESS, begun(SUCCESS, NOTHING), cohorts(*first))
    lost = looked(SUCCESS, trial, cohorts(*later))
    assert lost.courses == trial.courses
    assert lost.seen[0][cohort].n == 10.0


def test_lost_sums_are_no_evidence_and_are_not_counted_again() -> None:
    trial = looked(SUCCESS, begun(SUCCESS, NOTHING), cohorts((9, 1), (50, 49), (90, 88)))
    lost = looked(SUCCESS, trial, cohorts((1, 0), (3, 3), (4, 4)))
    assert lost.courses == trial.courses
    assert looked(SUCCESS, lost, cohorts((1, 0), (3, 3), (4, 4))) == lost
    again = looked(SUCCESS, lost, cohorts((2, 0), (4, 4), (5, 5)))
    once = looked(SUCCESS, trial, cohorts((10, 1), (51, 50), (91, 89)))
    assert again.courses == once.courses


def test_a_name_that_vanishes_is_a_sum_that_was_lost() -> None:
    """As with any that shrank, the block says nothing."""
    tools = (Criterion("tools", Mix(), 1.0),)

    def at(n: float, **sums: float) -> Cohorts:
        return Cohorts(*(Reading((Block(n, sums),)) for _ in range(3)))

    trial = looked(tools, begun(tools, at(0)), at(9, ask=5.0, buy=4.0))
    lost = looked(tools, trial, at(12, ask=8.0))
    assert lost.courses == trial.courses
    assert lost.seen[0].candidate.n == 12


def test_sums_above_their_sessions_wait_for_the_next_look() -> None:
    """Sessions and their fractions come from two queries: what was written between them isn't a failure."""
    trial = looked(SUCCESS, begun(SUCCESS, NOTHING), cohorts((9, 9), (50, 50), (90, 90)))
    torn = looked(SUCCESS, trial, cohorts((10, 11), (60, 60), (95, 95)))
    assert torn == trial
    whole = cohorts((11, 11), (61, 61), (96, 96))
    assert looked(SUCCESS, torn, whole) == looked(SUCCESS, trial, whole)


def test_changed_shares_keep_what_the_split_has_won() -> None:
    def keys(candidate: float, control: float, stable: float) -> Cohorts:
        return Cohorts(*(reading(0, 0, assigned) for assigned in (candidate, control, stable)))

    trial = looked(SUCCESS, begun(SUCCESS, keys(5, 5, 90)), keys(45, 15, 120), (0.1, 0.1, 0.8))
    assert trial.split.assigned == (40, 10, 30)
    assert trial.split.won > 0.0
    unknown = looked(SUCCESS, trial, keys(145, 15, 120))
    assert unknown.split == trial.split
    lost = looked(SUCCESS, unknown, keys(0, 15, 130), (0.1, 0.1, 0.8))
    assert lost.split == trial.split
    assert looked(SUCCESS, lost, keys(1, 15, 130), (0.1, 0.1, 0.8)).split.assigned == (41, 10, 30)


def test_the_guard_of_one_criterion_does_not_choose_the_side_of_another_s_open_block() -> None:
    """Both count the same sessions, and here the same things: a choice made by the one is made after the fact for the other."""
    both = (*SUCCESS, Criterion("again", Success(), 1.0))

    def twice(at: Cohorts) -> Cohorts:
        return Cohorts(*(Reading(cohort.sides * 2) for cohort in at))

    trial = begun(both, twice(cohorts((0, 0), (0, 0), (60, 30))))._replace(alike=(45.0, 150.0))
    mean, apart = 0.0, 0
    for one in product((0, 1), repeat=5):
        now = twice(cohorts((1, one[0]), (1, one[1]), (63, 30 + sum(one[2:]))))
        after = looked(both, trial, now)
        mean, apart = mean + after.courses[1].worse / 32, apart + after.apart
        assert after.courses[0] == after.courses[1]
    assert 0 < apart < 32
    assert mean <= 0.7 + EXACT


def test_a_block_that_is_open_when_the_cohorts_turn_out_to_differ_keeps_its_side() -> None:
    """Its counters came late; the sessions in it are those that the guard has seen already."""
    both = (*SUCCESS, Criterion("late", Success(), 1.0))

    def at(*each: tuple[float, float], late: Cohorts) -> Cohorts:
        pairs = zip(cohorts(*each), late, strict=True)
        return Cohorts(*(Reading((*one.sides, *two.sides)) for one, two in pairs))

    empty = cohorts((0, 0), (0, 0), (0, 0))
    trial = begun(both, at((0, 0), (0, 0), (0, 0), late=empty))._replace(alike=(99.0, 99.0))
    now = cohorts((0, 0), (9, 0), (9, 9))
    trial = looked(both, trial, at((1, 1), (9, 0), (9, 9), late=now))
    assert trial.apart
    late = cohorts((1, 1), (9, 0), (9, 9))
    closed = looked(both, trial, at((1, 1), (9, 0), (9, 9), late=late))
    assert closed.courses[1].memory["n"] == 18
    more = at((2, 2), (10, 1), (90, 90), late=cohorts((2, 2), (10, 1), (90, 90)))
    assert [course.memory["n"] for course in looked(both, closed, more).courses] == [19, 19]


def test_only_one_criterion_watches_over_the_cohorts() -> None:
    """What two of them say about the same sessions may not be multiplied: neither may have its evidence twice."""
    both = (*SUCCESS, Criterion("again", Success(), 1.0))
    once = cohorts((1, 1), (6, 2), (9, 9))
    twice = Cohorts(*(Reading(cohort.sides * 2) for cohort in once))
    empty = Cohorts(*(Reading(cohort.sides * 2) for cohort in NOTHING))
    alone = looked(SUCCESS, begun(SUCCESS, NOTHING), once)
    assert alone.alike != (1.0, 1.0)
    assert looked(both, begun(both, empty), twice).alike == alone.alike
