"""The test of a whole rollout: blocks are closed as sessions come in, and every metric's test takes its part of each.

The comparator is the old version wherever it serves, the control cohort and the rest, which halves what a rollback needs. That
rests on both being alike; a test of its own watches whether they are, and from the block after it says they aren't, the
control cohort alone is the comparator.

All metrics share one error budget: the wealth of each counts with its weight, and their sum reaching 1/alpha takes the
candidate out. That is valid however the metrics depend on each other, and never worse than dividing alpha among them.
Promotion needs every metric for itself, which needs no correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import NamedTuple

from agentrollouts.core.sequential.evalue import log_worse
from agentrollouts.core.sequential.measure import Block, Course, Measure, Sums
from agentrollouts.core.sequential.memory import Memory
from agentrollouts.core.sequential.split import Split
from agentrollouts.core.sequential.success import DROPS, Success, drops, units
from agentrollouts.core.sequential.wealth import MOST

UNLIKE = 100.0
"""The e-value from which on control and stable count as different."""
ROUNDING = 1e-6
"""Sums that seem to have shrunk by less have only been added in another order."""


class Criterion(NamedTuple):
    """One metric under the error budget. ``weight`` is its part of it; weights sum to at most 1. 0: observed only."""

    name: str
    measure: Measure
    weight: float


class Reading(NamedTuple):
    """A cohort's sums so far: closed sessions, what each criterion sums over them, and the keys assigned to it."""

    n: float
    sums: tuple[Sums, ...]
    assigned: float = 0.0


class Cohorts(NamedTuple):
    """Readings by cohort."""

    candidate: Reading
    control: Reading
    stable: Reading


class Trial(NamedTuple):
    """The state of a rollout's test between two looks."""

    seen: Cohorts
    """Sums at the end of the last closed block."""
    courses: tuple[Course, ...]
    alike: tuple[float, float] = (1.0, 1.0)
    """Wealth of the bets that the control cohort is worse than stable, and the other way round."""
    apart: bool = False
    """Control and stable have been found to differ."""
    split: Split = Split()
    assigned: tuple[float, ...] = ()
    """Keys assigned by cohort at the last look."""


def begun(criteria: Sequence[Criterion], now: Cohorts) -> Trial:
    """At the start of a rollout: whatever was counted so far is history."""
    n = now.stable.n + now.control.n
    histories = [
        Block(n, _plus(control, stable))
        for control, stable in zip(now.control.sums, now.stable.sums, strict=True)
    ]
    courses = tuple(
        criterion.measure.begun(history) for criterion, history in zip(criteria, histories, strict=True)
    )
    return Trial(now, courses, assigned=_assigned(now))


def looked(criteria: Sequence[Criterion], trial: Trial, now: Cohorts, shares: Sequence[float] = ()) -> Trial:
    """The trial after another look at the sums.

    A block is closed when both sides have a session since the last one. Sums that shrink were lost; sums above the number of
    sessions were read while they changed, and wait. ``shares`` are those of candidate, control and
    stable since the last look; empty: they changed, or aren't known.
    """
    trial = _split(trial, now, shares)
    gained = [_since(then, at) for then, at in zip(trial.seen, now, strict=True)]
    if any(_shrunk(reading) for reading in gained):
        return trial._replace(seen=now)  # sums that were lost begin anew; nothing is counted twice
    if any(_torn(reading) for reading in gained):
        return trial  # read while they changed; the next look sees all of it
    candidate, control, stable = gained
    # NB: whom a block is compared with is settled before it; the guard speaks for the next one.
    old = control if trial.apart else _both(control, stable)
    trial = _guarded(criteria, trial, gained)
    if candidate.n < 1.0 or old.n < 1.0:
        return trial
    courses = tuple(
        criterion.measure.folded(course, Block(candidate.n, mine), Block(old.n, theirs))
        for criterion, course, mine, theirs in zip(
            criteria, trial.courses, candidate.sums, old.sums, strict=True
        )
    )
    return trial._replace(seen=now, courses=courses)


def _split(trial: Trial, now: Cohorts, shares: Sequence[float]) -> Trial:
    assigned = _assigned(now)
    gained = [new - old for new, old in zip(assigned, trial.assigned, strict=True)]
    if not shares or min(gained) < 0.0:
        return trial._replace(assigned=assigned)
    return trial._replace(split=trial.split.after(shares, gained), assigned=assigned)


def _guarded(criteria: Sequence[Criterion], trial: Trial, gained: Sequence[Reading]) -> Trial:
    """The watch over control and stable, on the first criterion that measures success."""
    candidate, control, stable = gained
    at = next((i for i, criterion in enumerate(criteria) if isinstance(criterion.measure, Success)), None)
    if at is None or trial.apart or min(candidate.n, control.n, stable.n) < 1.0:
        return trial
    bets = drops(Memory(**trial.courses[at].memory), 0.0)
    one, other = (units(Block(side.n, side.sums[at])) for side in (control, stable))
    worse, better = (
        wealth * sum([exp(min(log_worse(bet, 0.0, first, second), MOST)) for bet in bets]) / len(DROPS)
        for wealth, first, second in zip(trial.alike, (one, other), (other, one), strict=True)
    )
    return trial._replace(alike=(worse, better), apart=(worse + better) / 2 >= UNLIKE)


def _assigned(now: Cohorts) -> tuple[float, ...]:
    return tuple([reading.assigned for reading in now])


def _since(then: Reading, now: Reading) -> Reading:
    return Reading(
        now.n - then.n,
        tuple(
            [
                {name: new.get(name, 0.0) - old.get(name, 0.0) for name in {**old, **new}}
                for old, new in zip(then.sums, now.sums, strict=True)
            ]
        ),
    )


def _shrunk(gained: Reading) -> bool:
    return gained.n < -ROUNDING or any(min(sums.values()) < -ROUNDING for sums in gained.sums if sums)


def _torn(gained: Reading) -> bool:
    """Whether fractions sum to more than their sessions."""
    most = gained.n + ROUNDING * max(1.0, gained.n)
    return any(max(sums.values()) > most for sums in gained.sums if sums)


def _both(one: Reading, other: Reading) -> Reading:
    return Reading(one.n + other.n, tuple([_plus(a, b) for a, b in zip(one.sums, other.sums, strict=True)]))


def _plus(one: Sums, other: Sums) -> Sums:
    both = dict(one)
    for name, amount in other.items():
        both[name] = both.get(name, 0.0) + amount
    return both
