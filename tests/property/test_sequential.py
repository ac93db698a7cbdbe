"""Whatever looks come, in whatever order: a trial is a pure function of what was counted, and always a number."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from math import isfinite
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.latency import Latency
from agentrollouts.core.sequential.measure import Block, Sums
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.record import read, written
from agentrollouts.core.sequential.standing import standing
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, Trial, begun, looked

CRITERIA = (
    Criterion("success", Success(), 0.5),
    Criterion("cost", Cost(), 0.1),
    Criterion("refusals", Events(), 0.1),
    Criterion("latency", Latency(), 0.2),
    Criterion("tools", Mix(), 0.1),
)
EDGES = ("0.5", "1", "2", "+Inf")
TOOLS = ("ask", "buy", "call", "n", "+", "")
SHARES = (0.05, 0.05, 0.9)

Step = tuple[Reading, Reading, Reading]
"""What the three cohorts gain between two looks."""


@st.composite
def gains(draw: st.DrawFn, most: int = 4, tools: Sequence[str] = TOOLS) -> Reading:
    """Some units of each criterion, with fractions that may be all success, all failure, or next to nothing.

    Counters are flushed one by one, so criteria needn't have seen the same number of units.
    """
    count = st.integers(0, most) | st.sampled_from((0, 1))
    n, late = draw(count), draw(st.just(0) | st.integers(0, 31))
    each = [n // 2 if late >> at & 1 else n for at in range(5)]
    part = st.sampled_from((0.0, 1e-9, 0.001, 0.5, 1.0)) | st.floats(0.0, 1.0)
    mean = draw(part)
    below = sorted(draw(st.tuples(part, part, part)))
    # NB: tools that are used alike would be told apart by the order of sums, which a missed scrape changes.
    lot = Random(draw(st.integers(0, 2**32)))
    weights = [lot.uniform(0.01, 1.0) for _ in tools]
    sums: tuple[Sums, ...] = (
        {"total": mean, "squares": mean * draw(st.floats(mean, 1.0))},
        {"total": mean / 2, "squares": mean / 2 * mean},
        {"total": draw(part)},
        dict(zip(EDGES, (*below, 1.0), strict=True)),
        {name: weight / sum(weights) for name, weight in zip(tools, weights, strict=True)},
    )
    return Reading(
        tuple(
            Block(float(n), {name: n * share for name, share in means.items()} if n else {})
            for n, means in zip(each, sums, strict=True)
        ),
        float(draw(st.integers(0, 2 * most))),
    )


def plus(one: Reading, other: Reading) -> Reading:
    def both(first: Block, second: Block) -> Block:
        names = {**first.sums, **second.sums}
        return Block(
            first.n + second.n,
            {name: first.sums.get(name, 0.0) + second.sums.get(name, 0.0) for name in names},
        )

    sides = tuple(both(a, b) for a, b in zip(one.sides, other.sides, strict=True))
    return Reading(sides, one.assigned + other.assigned)


def running(steps: Sequence[Step], start: Cohorts) -> Iterator[Cohorts]:
    """The sums as each look sees them."""
    now = start
    for step in steps:
        now = Cohorts(*map(plus, now, step))
        yield now


def told(looks: Sequence[Cohorts], start: Cohorts) -> Trial:
    trial = begun(CRITERIA, start)
    for now in looks:
        trial = looked(CRITERIA, trial, now, SHARES)
    return trial


EMPTY = Reading((Block(0.0, {}),) * len(CRITERIA))
START = Cohorts(EMPTY, EMPTY, EMPTY)
ONE = st.tuples(gains(), gains(), gains(most=40))
STEPS = st.lists(ONE, max_size=6)
HUGE = st.lists(st.tuples(*[gains(most=10_000_000)] * 3), max_size=6)


def numbers(trial: Trial) -> Iterator[float]:
    """Everything that is kept of a trial."""
    for side in (side for sides in trial.seen for side in sides):
        yield from (side.n, *side.sums.values())
    for course in trial.courses:
        yield float(course.blocks)
        yield from (held for part in (*course.against, *course.favour) for held in part)
        yield from (*course.memory.values(), *course.fixed.values())
    yield from (*trial.alike, trial.split.won, *trial.split.shares, *trial.split.assigned, *trial.assigned)


def closed(trial: Trial) -> Cohorts:
    """The sums at the end of each criterion's last block, as a look would see them."""
    cohorts = zip(*trial.seen, strict=True)
    return Cohorts(*(Reading(sides, n) for sides, n in zip(cohorts, trial.assigned, strict=True)))


def wealth(trial: Trial) -> list[float]:
    return [held for course in trial.courses for part in (*course.against, *course.favour) for held in part]


@given(first=ONE, steps=STEPS | HUGE)
@settings(max_examples=100)
def test_any_looks_give_numbers(first: Step, steps: list[Step]) -> None:
    """Cohorts without sessions, all success, all failure, tiny parts, ten million at once."""
    start = Cohorts(*first)
    trial = begun(CRITERIA, start)
    for now in running(steps, start):
        trial = looked(CRITERIA, trial, now, SHARES)
        says = standing(CRITERIA, trial)
        assert all(isfinite(number) for number in numbers(trial))
        assert min(wealth(trial)) >= 0.0
        assert isfinite(says.against)
        assert isfinite(says.split)


@given(steps=STEPS)
@settings(max_examples=30)
def test_the_same_looks_give_the_same_trial(steps: list[Step]) -> None:
    looks = list(running(steps, START))
    assert told(looks, START) == told(looks, START)


@given(steps=STEPS, repeats=st.integers(1, 3))
@settings(max_examples=30)
def test_a_look_that_is_repeated_changes_nothing(steps: list[Step], repeats: int) -> None:
    looks = list(running(steps, START))
    assert told([now for now in looks for _ in range(1 + repeats)], START) == told(looks, START)


@given(steps=st.lists(ONE, min_size=2, max_size=8), data=st.data())
@settings(max_examples=50)
def test_a_missed_scrape_makes_one_block_of_two(steps: list[Step], data: st.DataObject) -> None:
    """Nothing is lost and nothing is new: as if the two had been one look from the start."""
    at = data.draw(st.integers(0, len(steps) - 2))
    looks = list(running(steps, START))
    merged = [*steps[:at], tuple(map(plus, steps[at], steps[at + 1])), *steps[at + 2 :]]
    missed, together = told(looks[:at] + looks[at + 1 :], START), told(list(running(merged, START)), START)
    assert wealth(missed) == pytest.approx(wealth(together), rel=1e-6, abs=1e-12)
    assert [course.blocks for course in missed.courses] == [course.blocks for course in together.courses]


@given(steps=STEPS, quiet=st.integers(0, 2))
@settings(max_examples=50)
def test_looks_at_which_one_side_has_nothing_only_make_the_next_block_larger(
    steps: list[Step], quiet: int
) -> None:
    """Without the candidate, or without the old version, there is no evidence, and none is lost."""
    start = told(list(running(steps, START)), START)
    silent = [
        tuple(EMPTY if (at == 0) == (quiet > 0) else gained for at, gained in enumerate(one)) for one in steps
    ]
    looks = list(running(silent, closed(start)))
    trial = start
    for now in looks:
        trial = looked(CRITERIA, trial, now)
        assert trial.courses == start.courses
        assert trial.seen == start.seen


@given(steps=st.lists(ONE, min_size=1, max_size=6), lost=st.integers(0, 2), part=st.floats(0.0, 0.99))
@settings(max_examples=50)
def test_history_that_is_lost_is_no_evidence(steps: list[Step], lost: int, part: float) -> None:
    looks = list(running(steps, START))
    before = told(looks, START)
    shrunk = looks[-1][lost].sides
    fewer = Reading(
        tuple(Block(side.n * part, {k: v * part for k, v in side.sums.items()}) for side in shrunk)
    )
    now = looks[-1]._replace(**{looks[-1]._fields[lost]: fewer})
    after = looked(CRITERIA, before, now)
    for at in range(len(CRITERIA)):
        if before.seen[at][lost].n > fewer.sides[at].n + 1.0:
            assert after.courses[at] == before.courses[at]
            assert after.seen[at] == now.sides(at)
    assert looked(CRITERIA, after, now).courses == after.courses


def test_the_state_of_a_thousand_looks_is_bounded() -> None:
    """64 tools and 11 edges: as large after a thousand looks as after ten."""
    edges = [*(str(0.25 * 2**at) for at in range(10)), "+Inf"]
    tools = [f"tool-{at}" for at in range(64)]

    def reading(n: float) -> Reading:
        sums: tuple[Sums, ...] = (
            {"total": 0.9 * n, "squares": 0.85 * n},
            {"total": 0.2 * n, "squares": 0.06 * n},
            {"total": 0.01 * n},
            {edge: n * (1.0 - 0.5 ** (at + 1)) if edge != "+Inf" else n for at, edge in enumerate(edges)},
            dict.fromkeys(tools, n / 64),
        )
        return Reading(tuple(Block(n, each) for each in sums), n)

    trial, sizes = begun(CRITERIA, Cohorts(*map(reading, (0.0, 40.0, 400.0)))), []
    for look in range(1, 1001):
        now = Cohorts(*map(reading, (1.0 * look, 40.0 + look, 400.0 + 18.0 * look)))
        trial = looked(CRITERIA, trial, now, SHARES)
        sizes.append(sum(1 for _ in numbers(trial)))
    text = written(trial)
    assert len(text) < 65_536 / 2  # names may be twice as long
    assert read(text, CRITERIA) == trial
    assert trial.courses[0].blocks == 1000
    assert len(set(sizes[9:])) == 1
    assert sizes[-1] < 700


def test_a_trial_is_the_same_in_every_process() -> None:
    """To the last digit, however the process orders its sets: an operator that restarts resumes exactly."""
    script = """
from agentrollouts.core.sequential.measure import Block
from agentrollouts.core.sequential.mix import Mix, distance
def block(n, *parts):
    return Block(n, {f"tool-{at}": n * part for at, part in enumerate(parts)})
ours, theirs = (0.031, 0.3, 0.17, 0.23, 0.11, 0.159), (0.231, 0.2, 0.07, 0.13, 0.01, 0.359)
course = Mix().begun(block(7.7, *theirs))
for n in range(30):
    course = Mix().folded(course, block(3.0, *ours), block(10.7, *theirs))
far = distance(block(3.0, *ours).sums, block(10.7, *theirs).sums, (3.0, 10.7))
print(far.hex(), [held.hex() for held in course.against[0]])
"""
    told_by = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3", "4")
    }
    assert len(told_by) == 1
