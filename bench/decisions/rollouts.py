"""One rollout under one rule, from the first tick to a rollback, a promotion or the end of the day."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from bench.decisions.scenarios import STEPS, Scenario
from bench.decisions.streams import Past, Stream

Answer = Literal["hold", "advance", "rollback"]


class Look(NamedTuple):
    """Sums since the rollout began, each for candidate, control and stable. Stable's include what it did before."""

    tick: int
    step: int
    tasks: Sequence[float]
    successes: Sequence[float]
    sessions: Sequence[float]
    """Closed ones."""
    fractions: Sequence[float]
    """Of their tasks that succeeded."""
    squares: Sequence[float]


Rule = Callable[[Look], Answer]
"""Called first at tick -1, with the history alone and its answer ignored; then every tick."""
Maker = Callable[[], Rule]
"""A rule for one rollout."""


class End(NamedTuple):
    """How a rollout ended: None is undecided. ``tasks`` are the candidate's, ``seconds`` of CPU the rule's."""

    decision: Literal["rollback", "promotion"] | None
    tick: int
    tasks: float
    looks: int
    seconds: float


def play(scenario: Scenario, stream: Stream, rule: Rule) -> End:
    """One rollout."""
    sums = _begun(scenario, stream.past)
    rule(Look(-1, 0, *sums))
    step, steps, seconds = 0, list[int](), 0.0
    for tick in range(scenario.ticks):
        steps.append(step)
        _happens(scenario, stream, steps, sums)
        before = time.thread_time()
        answer = rule(Look(tick, step, *sums))
        seconds += time.thread_time() - before
        if answer == "rollback":
            return End("rollback", tick, sums[0][0], tick + 1, seconds)
        if answer == "advance" and not scenario.gated:
            if step == len(STEPS) - 1:
                return End("promotion", tick, sums[0][0], tick + 1, seconds)
            step += 1
    return End(None, scenario.ticks - 1, sums[0][0], scenario.ticks, seconds)


def _begun(scenario: Scenario, past: Past) -> tuple[list[float], ...]:
    size = scenario.size
    history = (past.sessions * size, past.fractions * size, *past)
    return tuple([[0.0, 0.0, float(amount)] for amount in history])


def _happens(scenario: Scenario, stream: Stream, steps: Sequence[int], sums: tuple[list[float], ...]) -> None:
    """One more tick: tasks of all sessions that run, and the sessions that close with it."""
    tasks, successes, sessions, fractions, squares = sums
    now, lasting, each = len(steps) - 1, scenario.lasting, scenario.per_tick
    for age in range(min(now + 1, lasting)):
        cohorts = stream.begun(steps[now - age], now - age)
        closes = age == lasting - 1
        for at, begun in enumerate(cohorts):
            tasks[at] += each * begun.sessions
            successes[at] += begun.successes[age]
            if closes:
                sessions[at] += begun.sessions
                fractions[at] += begun.fractions
                squares[at] += begun.squares
