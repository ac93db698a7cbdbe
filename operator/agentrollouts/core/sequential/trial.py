"""The test of a whole rollout: blocks are closed as sessions come in, and every metric's test takes its part of each.

The comparator is the old version wherever it serves, the control cohort and the rest, which halves what a rollback needs. That
rests on both being alike; a test of its own watches whether they are, and in blocks that begin after it says they aren't, the
control cohort alone is the comparator.

All metrics share one error budget: the wealth of each counts with its weight, and their sum reaching 1/alpha takes the
candidate out. That is valid however the metrics depend on each other, and never worse than dividing alpha among them.
Promotion needs every metric for itself, which needs no correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from agentrollouts.core.sequential.confidence import Confidence
from agentrollouts.core.sequential.evalue import Pair, logs_larger
from agentrollouts.core.sequential.grid import near, near_part
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Block, Course, Measure, Sums, both
from agentrollouts.core.sequential.memory import Memory
from agentrollouts.core.sequential.split import Split
from agentrollouts.core.sequential.success import Success, dropping, units
from agentrollouts.core.sequential.wealth import grown

UNLIKE = 100.0
"""The e-value from which on control and stable count as different."""
APART = (0.10,)
"""By how much control and stable might differ."""
ROUNDING = 1e-6
"""Sums that seem to have shrunk by less have only been added in another order."""


class Criterion(NamedTuple):
    """One metric under the error budget. ``weight`` is its part of it; weights sum to at most 1. 0: observed only."""

    name: str
    measure: Measure
    weight: float
    holds: bool = False
    """It may hold a candidate and never takes it out: a change that isn't a fault in itself."""


class Reading(NamedTuple):
    """A cohort's sums so far, by criterion, and the keys assigned to it."""

    sides: tuple[Block, ...]
    assigned: float = 0.0


class Cohorts(NamedTuple):
    """Readings by cohort."""

    candidate: Reading
    control: Reading
    stable: Reading

    def sides(self, at: int) -> Sides:
        """The units of a criterion, by cohort."""
        return Sides(self.candidate.sides[at], self.control.sides[at], self.stable.sides[at])


class Sides(NamedTuple):
    """One criterion's units by cohort."""

    candidate: Block
    control: Block
    stable: Block

    @property
    def old(self) -> Block:
        """The old version's, wherever it served."""
        return both(self.control, self.stable)


class Trial(NamedTuple):
    """The state of a rollout's test between two looks."""

    seen: tuple[Sides, ...]
    """By criterion: sums at the end of its last closed block."""
    courses: tuple[Course, ...]
    alike: tuple[float, float] = (1.0, 1.0)
    """Wealth of the bets that the control cohort is worse than stable, and the other way round."""
    apart: bool = False
    """Control and stable have been found to differ."""
    alone: tuple[bool, ...] = ()
    """By criterion: whether its open block is compared with the control cohort alone."""
    split: Split = Split()
    assigned: tuple[float, ...] = ()
    """Keys assigned by cohort at the last look."""
    confidence: Confidence = Confidence()
    """For people: how much better or worse the candidate is at what is :func:`watched`."""


def watched(criteria: Sequence[Criterion]) -> int | None:
    """The first criterion that measures success: by it control and stable are compared, and people see its interval."""
    return next((at for at, one in enumerate(criteria) if isinstance(one.measure, Success)), None)


def begun(criteria: Sequence[Criterion], history: Cohorts, now: Cohorts | None = None) -> Trial:
    """At the start of a rollout. ``history`` is what the old version did before, ``now`` the sums to count from.

    They are the same where sums go on from a time before the rollout.
    """
    now = history if now is None else now
    courses = [criterion.measure.begun(history.sides(at).old) for at, criterion in enumerate(criteria)]
    seen = tuple([now.sides(at) for at in range(len(criteria))])
    at = watched(criteria)
    return Trial(
        seen,
        tuple(courses),
        alone=(False,) * len(seen),
        assigned=_assigned(now),
        confidence=Confidence() if at is None else Confidence.begun(units(history.sides(at).old)),
    )


def looked(
    criteria: Sequence[Criterion],
    trial: Trial,
    now: Cohorts,
    shares: Sequence[float] = (),
    *,
    for_people: bool = True,
) -> Trial:
    """The trial after another look at the sums.

    A criterion's block is closed when both sides have a unit since its last one; a fixed limit's when the candidate has. Sums
    that shrink were lost; sums above the number of units were read while they changed, and wait. ``shares`` are those of
    candidate, control and stable since the last look; empty: they changed, or aren't known. ``for_people``: with the
    interval, which no decision needs.
    """
    # NB: a look changes most of a trial, so its parts are gathered here and put together once.
    seen, courses, alone = list(trial.seen), list(trial.courses), list(trial.alone)
    guard, confidence = (trial.alike, trial.apart), trial.confidence
    first = watched(criteria)
    for at, criterion in enumerate(criteria):
        sides, course = now.sides(at), courses[at]
        block = _gained(seen[at], sides, alone=alone[at], compared=not isinstance(criterion.measure, Limit))
        if block is Unusable.WAITS:
            continue
        if isinstance(block, Sides):
            # NB: whom a block is compared with is settled before it begins. Another criterion's guard has seen the same sessions.
            courses[at] = criterion.measure.folded(
                course, block.candidate, block.control if alone[at] else block.old
            )
            if at == first:
                guard = _guarded(guard, course, block)
                confidence = _shown(confidence, block, apart=guard[1]) if for_people else confidence
        seen[at], alone[at] = sides, guard[1]
    assigned = _assigned(now)
    split = _split(trial, assigned, shares)
    return Trial(tuple(seen), tuple(courses), *guard, tuple(alone), split, assigned, confidence)


class Unusable(Enum):
    """Why sums give no block."""

    WAITS = "there is too little of it, or it was read while it changed; the next look sees all of it"
    LOST = "sums shrank, so some were lost; they begin anew, and none is counted twice"


def _gained(then: Sides, now: Sides, *, alone: bool, compared: bool) -> Sides | Unusable:
    """One criterion's block, if it is full: both sides have a unit where they are ``compared``."""
    candidate, control, stable = (
        now.candidate.n - then.candidate.n,
        now.control.n - then.control.n,
        now.stable.n - then.stable.n,
    )
    if candidate < -ROUNDING or control < -ROUNDING or stable < -ROUNDING:
        return Unusable.LOST
    if candidate < 1.0 or (compared and (control if alone else control + stable) < 1.0):
        return Unusable.WAITS
    block = Sides(
        Block(candidate, _since(then.candidate.sums, now.candidate.sums)),
        Block(control, _since(then.control.sums, now.control.sums)),
        Block(stable, _since(then.stable.sums, now.stable.sums)),
    )
    shrunk = False
    for n, sums in block:
        if sums:
            amounts = sums.values()
            if max(amounts) > n + ROUNDING * max(1.0, n):
                return Unusable.WAITS  # fractions that sum to more than their units
            shrunk = shrunk or min(amounts) < -ROUNDING
    return Unusable.LOST if shrunk else block


def _shown(confidence: Confidence, block: Sides, *, apart: bool) -> Confidence:
    """The interval after one more block of success."""
    return confidence.after(units(block.candidate), units(block.control), units(block.stable), apart=apart)


def _split(trial: Trial, assigned: tuple[float, ...], shares: Sequence[float]) -> Split:
    if not shares:
        return trial.split
    gained = [new - old for new, old in zip(assigned, trial.assigned, strict=True)]
    return trial.split if min(gained) < 0.0 or not any(gained) else trial.split.after(shares, gained)


Guard = tuple[tuple[float, float], bool]
"""``Trial.alike`` and ``Trial.apart``."""


def _guarded(guard: Guard, course: Course, block: Sides) -> Guard:
    """The watch over control and stable, on success.

    One criterion's alone: what two say about the same sessions depends on each other, and may not be multiplied.
    """
    alike, apart = guard
    if apart or block.control.n < 1.0 or block.stable.n < 1.0:
        return guard
    memory = Memory(**course.memory)
    rate, part = near(memory.rate), near_part(memory.part)
    pair = Pair.of(units(block.control), units(block.stable))
    logs = [
        logs_larger(dropping(rate, part, 0.0, sides.sizes, APART), sides.bad, sides.old_good)[0]
        for sides in (pair, pair.turned)
    ]
    worse, better = grown(alike, logs)
    return (worse, better), (worse + better) / 2 >= UNLIKE


def _assigned(now: Cohorts) -> tuple[float, ...]:
    return tuple([reading.assigned for reading in now])


def _since(before: Sums, after: Sums) -> Sums:
    if before.keys() == after.keys():
        return {name: amount - before[name] for name, amount in after.items()}
    return {name: after.get(name, 0.0) - before.get(name, 0.0) for name in {**before, **after}}
