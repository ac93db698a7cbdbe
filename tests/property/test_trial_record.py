"""The record of a trial: exact to the last bit, gone on with as if nothing had been, and refused whole once damaged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.latency import PROMOTING, RISES, Latency
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Block, Course, Sums
from agentrollouts.core.sequential.mix import NEW, NEW_UNITS, OLD, ONLY_KNOWN, WOULD_BE_MISSED, Mix
from agentrollouts.core.sequential.mix import RISES as MIX_RISES
from agentrollouts.core.sequential.record import read, written
from agentrollouts.core.sequential.split import Split
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Criterion, Reading, Sides, Trial, begun, looked
from tests.property.test_sequential import (
    CRITERIA,
    ONE,
    SHARES,
    START,
    STEPS,
    Step,
    numbers,
    running,
    told,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
AMOUNTS = st.floats(0.0, 1e9)
NAMES = st.text(max_size=8)


def some(names: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, float]]:
    return st.dictionaries(names, NUMBERS, max_size=4)


def many(count: int, each: st.SearchStrategy[float] = AMOUNTS) -> st.SearchStrategy[tuple[float, ...]]:
    return st.tuples(*[each] * count)


BLOCKS = st.builds(Block, NUMBERS, some(NAMES))
MEASURES = {
    "success": Success(),
    "cost": Cost(),
    "events": Events(),
    "latency": Latency(),
    "mix": Mix(),
    "limit": Limit(0.1),
}


def remembering(
    bets: int, favour: st.SearchStrategy[Any], memory: Mapping[str, st.SearchStrategy[float]]
) -> st.SearchStrategy[Course]:
    return st.builds(
        Course,
        st.integers(0, 10**6),
        st.tuples(many(bets)),
        favour,
        st.fixed_dictionaries(dict(memory)),
        st.just({}),
    )


@st.composite
def mixes(draw: st.DrawFn) -> Course:
    """With what was used before the rollout, or without, where that was too little to tell."""
    known = draw(st.dictionaries(NAMES, st.sampled_from((ONLY_KNOWN, WOULD_BE_MISSED)), max_size=3))
    met = draw(
        st.dictionaries(st.sampled_from((OLD, NEW)).flatmap(lambda mark: NAMES.map(mark.__add__)), AMOUNTS)
    )
    used = {OLD + name: draw(AMOUNTS) for name in known}
    missed = sum(kind == WOULD_BE_MISSED for kind in known.values())
    more = (many(missed), many(len(MIX_RISES))) if known else ()
    return Course(
        draw(st.integers(0, 10**6)),
        draw(st.tuples(many(len(MIX_RISES)), *more)),
        (),
        {**met, **used, "n": draw(AMOUNTS), NEW_UNITS: draw(AMOUNTS)},
        known,
    )


ONCE = st.tuples(many(1))
KNOWN = {"n": AMOUNTS, "total": AMOUNTS}
COURSES: dict[str, st.SearchStrategy[Course]] = {
    "success": remembering(6, st.tuples(many(3)), {**KNOWN, "failing": AMOUNTS, "failing_squares": AMOUNTS}),
    "cost": remembering(6, ONCE | st.just(()), {**KNOWN, "squares": AMOUNTS}),
    "events": remembering(6, ONCE, KNOWN),
    "latency": st.builds(
        Course,
        st.integers(0, 10**6),
        st.tuples(*[many(len(RISES))] * 2),
        st.tuples(many(1), many(1)),
        st.fixed_dictionaries({"n": AMOUNTS, "0.25": AMOUNTS, "1": AMOUNTS, "+Inf": AMOUNTS}),
        st.fixed_dictionaries(
            {name: st.floats(0.005, 0.9) for name in ("0.25", "1", "0.25" + PROMOTING, "1" + PROMOTING)}
        ),
    ),
    "mix": mixes(),
    "limit": remembering(6, st.just(()), {}),
}


@st.composite
def trials(draw: st.DrawFn) -> tuple[tuple[Criterion, ...], Trial]:
    """Any criteria in any state, also states that no rollout comes to."""
    kinds = draw(st.lists(st.sampled_from(sorted(MEASURES)), max_size=3))
    criteria = tuple(Criterion(kind, MEASURES[kind], 0.1) for kind in kinds)
    cohorts = draw(st.integers(0, 3))
    return criteria, Trial(
        tuple(Sides(*draw(st.tuples(BLOCKS, BLOCKS, BLOCKS))) for _ in kinds),
        tuple(draw(COURSES[kind]) for kind in kinds),
        draw(st.tuples(NUMBERS, NUMBERS)),
        draw(st.booleans()),
        tuple(draw(st.booleans()) for _ in kinds),
        Split(draw(NUMBERS), draw(many(cohorts)), draw(many(cohorts))),
        draw(many(3)),
    )


@given(trials())
@settings(max_examples=40)
def test_what_is_written_is_read_to_the_last_bit(drawn: tuple[tuple[Criterion, ...], Trial]) -> None:
    criteria, trial = drawn
    again = read(written(trial), criteria)
    assert again == trial
    assert [number.hex() for number in numbers(again)] == [number.hex() for number in numbers(trial)]
    assert written(again) == written(trial)


@given(first=ONE, steps=STEPS, data=st.data())
@settings(max_examples=25)
def test_going_on_from_the_record_is_going_on(first: Step, steps: list[Step], data: st.DataObject) -> None:
    """Wherever an operator restarts on the way, once or after every look."""
    restarts = data.draw(st.sets(st.integers(0, len(steps))))
    looks = list(running([first, *steps], START))
    trial = begun(CRITERIA, START)
    for at, now in enumerate(looks):
        trial = looked(CRITERIA, trial, now, SHARES)
        if at in restarts:
            again = read(written(trial), CRITERIA)
            assert again is not None
            trial = again
    assert trial == told(looks, START)
    assert written(trial) == written(told(looks, START))


def gained(n: float) -> Reading:
    """Whole and half sessions, of each criterion alike."""
    means: tuple[Sums, ...] = (
        {"total": 0.9, "squares": 0.8},
        {"total": 0.1, "squares": 0.02},
        {"total": 0.03},
        {"0.5": 0.3, "1": 0.7, "2": 0.9, "+Inf": 1.0},
        {"ask": 0.6, "buy": 0.4},
    )
    return Reading(tuple(Block(n, {name: n * part for name, part in each.items()}) for each in means), n)


TEXT = written(told(list(running([(gained(7.0), gained(9.0), gained(130.0))] * 3, START)), START))


@given(data=st.data())
@settings(max_examples=300)
def test_damaged_text_is_no_trial(data: st.DataObject) -> None:
    """A character lost, added or changed anywhere, two that changed places, a part that was cut off."""
    text = TEXT
    assert read(text, CRITERIA) is not None
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters())
    damaged = data.draw(
        st.sampled_from(
            (
                text[:at],
                text[at + 1 :],
                text[:at] + text[at + 1 :],
                text[:at] + other + text[at:],
                text[:at] + other + text[at + 1 :],
                text[:at] + text[at : at + 2][::-1] + text[at + 2 :],
                text * 2,
            )
        )
    )
    assert (read(damaged, CRITERIA) is None) == (damaged != text)


@given(st.text() | st.sampled_from(("null", "{}", "[]", "[" * 100_000, "1", "00000000", "\ud800" * 9)))
def test_any_other_text_is_no_trial(text: str) -> None:
    assert read(text, CRITERIA) is None
