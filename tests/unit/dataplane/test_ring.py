"""The arcs: everybody has a place, and nobody moves without reason."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.dataplane.model import FULL, Arm
from agentrollouts.dataplane.ring import arcs, served_arms

OFFSETS = st.integers(0, FULL - 1)
READY = {"new", "old"}


def three(candidate: int, control: int) -> tuple[Arm, ...]:
    return (
        Arm("candidate", "2.0.0", "new", candidate),
        Arm("stable", "1.0.0", "old", FULL - candidate - control),
        Arm("control", "1.0.0", "old", control),
    )


def arm_at(place: int, arms: tuple[Arm, ...], offset: int) -> Arm:
    found = [arc.arm for arc in arcs(arms, offset=offset) if arc.start <= place < arc.start + arc.length]
    assert len(found) == 1
    return found[0]


@st.composite
def split_arms(draw):
    cuts = sorted(draw(st.lists(st.integers(0, FULL), max_size=6)))
    bounds = [0, *cuts, FULL]
    cohorts = draw(st.lists(st.sampled_from(["candidate", "stable", "control"]), min_size=7, max_size=7))
    return tuple(
        Arm(cohorts[number], f"{number}.0.0", f"s{number}", upper - lower)
        for number, (lower, upper) in enumerate(pairwise(bounds))
    )


@given(split_arms(), OFFSETS)
def test_arcs_cover_the_ring_exactly_once_in_order(arms, offset):
    pieces = arcs(arms, offset=offset)
    end = 0
    for piece in pieces:
        assert piece.start == end
        assert piece.length > 0
        end += piece.length
    assert end == FULL
    assert len(pieces) <= sum(arm.share > 0 for arm in arms) + 1
    for arm in arms:
        assert sum(piece.length for piece in pieces if piece.arm == arm) == arm.share


@given(st.integers(0, 4_000), st.integers(0, 4_000), st.integers(0, 2_000), OFFSETS, st.integers(0, FULL - 1))
def test_growth_moves_users_only_from_stable_to_candidate(small, more, control, offset, place):
    before = arm_at(place, three(small, control), offset)
    after = arm_at(place, three(small + more, control), offset)
    assert (before.cohort, after.cohort) in {
        ("candidate", "candidate"),
        ("stable", "stable"),
        ("stable", "candidate"),
        ("control", "control"),
    }


@given(split_arms(), st.sets(st.integers(0, 6)), OFFSETS, st.integers(0, FULL - 1))
def test_only_users_of_arms_that_are_down_are_served_elsewhere(arms, up, offset, place):
    ready = {f"s{number}" for number in up}
    served = served_arms(arms, ready)
    wanted = arm_at(place, arms, offset)
    if not any(arm.share and arm.service in ready for arm in arms):
        assert served == ()
        return
    got = arm_at(place, served, offset)
    assert sum(arm.share for arm in served) == FULL
    if any(arm.share and arm.service in ready and arm.cohort != "candidate" for arm in arms):
        assert got.service in ready
    assert got.share > 0
    if wanted.cohort != "candidate":
        assert got.cohort != "candidate"
    if wanted.service in ready:
        assert (got.version, got.cohort) == (wanted.version, wanted.cohort)


def test_a_candidate_that_is_down_leaves_its_share_to_stable():
    served = served_arms(three(2_000, 500), {"old"})
    assert [(arm.cohort, arm.version, arm.share) for arm in served] == [
        ("stable", "1.0.0", 2_000),
        ("stable", "1.0.0", 7_500),
        ("control", "1.0.0", 500),
    ]


def test_nobody_takes_over_for_a_stable_that_is_down():
    served = served_arms(three(2_000, 500), {"new"})
    assert [(arm.cohort, arm.share) for arm in served] == [
        ("candidate", 2_000),
        ("stable", 7_500),
        ("control", 500),
    ]


def test_a_share_of_nothing_is_never_a_substitute():
    assert served_arms(three(0, 500), {"new"}) == ()
