"""What happens in one rollout, tick by tick, whoever judges it: every rule meets the same sessions in the same step.

Sessions that begin in a tick are drawn at once, with all that will come of them. A session whose tasks are tied fails or
succeeds as one, at the rate of the tick it began in; the others' tasks succeed independently, at the rate of their own tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod
from random import Random
from typing import NamedTuple

from bench.decisions.samplers import Table, binomial, poisson, table
from bench.decisions.scenarios import STEPS, Scenario

HISTORY = 60
"""Ticks that the old version has served, all of it, before the rollout."""


class Begun(NamedTuple):
    """A cohort's sessions that begin in one tick.

    ``successes`` are tasks by tick, from the first one on; ``fractions`` and ``squares`` sum the part of each session's tasks
    that succeeded and its square.
    """

    sessions: int
    successes: tuple[int, ...]
    fractions: float
    squares: float


class Past(NamedTuple):
    """The old version before the rollout."""

    sessions: float
    fractions: float
    squares: float


Tick = tuple[Begun, Begun, Begun]
"""Candidate, control, stable."""


class Stream:
    """One rollout. Draws depend on the scenario, the seed, the number of the repetition and the step, and on no rule."""

    def __init__(self, scenario: Scenario, seed: int, repetition: int) -> None:
        name = f"{seed}/{scenario.name}/{repetition}"
        self.past = _past(scenario, Random(f"{name}/past"))
        self._ticks: list[list[Tick]] = [[] for _ in STEPS]
        self._source = [_ticks(scenario, step, Random(f"{name}/{step}")) for step in range(len(STEPS))]

    def begun(self, step: int, tick: int) -> Tick:
        """What begins at a tick, if the rollout is in this step."""
        known, source = self._ticks[step], self._source[step]
        while len(known) <= tick:
            known.append(next(source))
        return known[tick]


def _past(scenario: Scenario, chance: Random) -> Past:
    sessions = HISTORY * scenario.rate / STEPS[0][0] * (1.0 - STEPS[0][0]) / scenario.size
    _, p = scenario.success(0)
    if not scenario.tied:
        good, bad = poisson(sessions * p).draw(chance), poisson(sessions * (1.0 - p)).draw(chance)
        return Past(good + bad, good, good)
    number = poisson(sessions).draw(chance)
    # NB: of so many sessions the mean is near enough; history only chooses the bets.
    spread = p * (1.0 - p) * (scenario.tied + (1.0 - scenario.tied) / scenario.size)
    return Past(number, number * p, number * (p * p + spread))


def _ticks(scenario: Scenario, step: int, chance: Random) -> Iterator[Tick]:
    drawn = _sticky if scenario.tied else _single
    expected = scenario.sessions(step)
    for tick in range(scenario.ticks):
        new, old = scenario.success(tick)
        candidate, control, stable = (
            drawn(scenario, sessions, p, (tick, at), chance)
            for at, (sessions, p) in enumerate(zip(expected, (new, old, old), strict=True))
        )
        yield candidate, control, stable


def _single(scenario: Scenario, sessions: float, p: float, _: tuple[int, int], chance: Random) -> Begun:
    good, bad = poisson(sessions * p).draw(chance), poisson(sessions * (1.0 - p)).draw(chance)
    return Begun(good + bad, (good,), good, good)


def _sticky(scenario: Scenario, sessions: float, p: float, at: tuple[int, int], chance: Random) -> Begun:
    tied = sessions * scenario.tied
    good, bad = poisson(tied * p).draw(chance), poisson(tied * (1.0 - p)).draw(chance)
    free = poisson(sessions - tied).draw(chance)
    tick, cohort = at
    rates = tuple([scenario.success(tick + later)[min(cohort, 1)] for later in range(scenario.lasting)])
    courses = courses_of(scenario.per_tick, rates)
    drawn = [courses.draw(chance) for _ in range(free)]
    each = scenario.per_tick * good
    size = scenario.size
    totals = [sum(course) / size for course in drawn]
    return Begun(
        good + bad + free,
        tuple([each + sum(now) for now in zip(*drawn, strict=True)]) or (each,) * scenario.lasting,
        good + sum(totals),
        good + sum([total * total for total in totals]),
    )


@lru_cache(maxsize=8192)
def courses_of(per_tick: int, rates: tuple[float, ...]) -> Table[tuple[int, ...]]:
    """Successes tick by tick of a session whose tasks are independent, ``per_tick`` a tick at these success rates."""
    courses = list(product(range(per_tick + 1), repeat=len(rates)))
    each = [binomial(per_tick, p) for p in rates]
    return table(courses, [prod([each[at][good] for at, good in enumerate(course)]) for course in courses])
