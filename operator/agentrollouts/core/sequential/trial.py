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
from typing import NamedTuple, TypeVar

from agentrollouts.core.sequential.confidence import Confidence
from agentrollouts.core.sequential.evalue import Pair, log_larger
from agentrollouts.core.sequential.grid import near, near_part
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Block, Course, Measure, both
from agentrollouts.core.sequential.memory import Memory
from agentrollouts.core.sequential.split import Split
from agentrollouts.core.sequential.success import Success, dropping, units
from agentrollouts.core.sequential.wealth import won_by

Item = TypeVar("Item")

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
    trial = _split(trial, now, shares)
    at_first = watched(criteria)
    for at, criterion in enumerate(criteria):
        trial, block = _closed(trial, at, criterion, now.sides(at), watches=at == at_first)
        if block is not None and at == at_first and for_people:
            trial = _shown(trial, block)
    return trial


def _closed(
    trial: Trial, at: int, criterion: Criterion, now: Sides, *, watches: bool
) -> tuple[Trial, Sides | None]:
    """With one criterion's block closed, if it is full, and the block where it counts.

    The criterion that ``watches`` over the cohorts says if they differ.
    """
    then = trial.seen[at]
    candidate, control, stable = (side.n - before.n for side, before in zip(now, then, strict=True))
    if min(candidate, control, stable) < -ROUNDING:
        return _next(trial, at, now), None  # sums that were lost begin anew; none is counted twice
    alone = trial.alone[at]
    compared = not isinstance(criterion.measure, Limit)
    if candidate < 1.0 or (compared and (control if alone else control + stable) < 1.0):
        return trial, None
    block = Sides(*[_since(before, side) for before, side in zip(then, now, strict=True)])
    if any(_torn(side) for side in block):
        return trial, None  # read while they changed; the next look sees all of it
    if any(_shrunk(side) for side in block):
        return _next(trial, at, now), None
    course = trial.courses[at]
    # NB: whom a block is compared with is settled before it begins. Another criterion's guard has seen the same sessions.
    old = block.control if alone else block.old
    if watches:
        trial = _guarded(trial, course, block)
    courses = _put(trial.courses, at, criterion.measure.folded(course, block.candidate, old))
    return _next(trial._replace(courses=courses), at, now), block


def _shown(trial: Trial, block: Sides) -> Trial:
    """With the interval after one more block of success."""
    candidate, control, stable = (units(side) for side in block)
    return trial._replace(confidence=trial.confidence.after(candidate, control, stable, apart=trial.apart))


def _next(trial: Trial, at: int, now: Sides) -> Trial:
    """With a criterion's next block begun."""
    return trial._replace(seen=_put(trial.seen, at, now), alone=_put(trial.alone, at, trial.apart))


def _split(trial: Trial, now: Cohorts, shares: Sequence[float]) -> Trial:
    assigned = _assigned(now)
    gained = [new - old for new, old in zip(assigned, trial.assigned, strict=True)]
    if not shares or min(gained) < 0.0 or not any(gained):
        return trial._replace(assigned=assigned)
    return trial._replace(split=trial.split.after(shares, gained), assigned=assigned)


def _guarded(trial: Trial, course: Course, block: Sides) -> Trial:
    """The watch over control and stable, on success.

    One criterion's alone: what two say about the same sessions depends on each other, and may not be multiplied.
    """
    if trial.apart or min(block.control.n, block.stable.n) < 1.0:
        return trial
    memory = Memory(**course.memory)
    rate, part = near(memory.rate), near_part(memory.part)
    pair = Pair.of(units(block.control), units(block.stable))
    worse, better = [
        won_by(wealth, log_larger(line, sides.bad, sides.old_good))
        for wealth, sides in zip(trial.alike, (pair, pair.turned), strict=True)
        for line in dropping(rate, part, 0.0, sides.sizes, APART)
    ]
    return trial._replace(alike=(worse, better), apart=(worse + better) / 2 >= UNLIKE)


def _assigned(now: Cohorts) -> tuple[float, ...]:
    return tuple([reading.assigned for reading in now])


def _put(items: tuple[Item, ...], at: int, item: Item) -> tuple[Item, ...]:
    return (*items[:at], item, *items[at + 1 :])


def _since(then: Block, now: Block) -> Block:
    before, after = then.sums, now.sums
    if before.keys() == after.keys():
        return Block(now.n - then.n, {name: amount - before[name] for name, amount in after.items()})
    names = {**before, **after}
    return Block(now.n - then.n, {name: after.get(name, 0.0) - before.get(name, 0.0) for name in names})


def _shrunk(gained: Block) -> bool:
    return bool(gained.sums) and min(gained.sums.values()) < -ROUNDING


def _torn(gained: Block) -> bool:
    """Whether fractions sum to more than their units."""
    return bool(gained.sums) and max(gained.sums.values()) > gained.n + ROUNDING * max(1.0, gained.n)
