"""The sessions a synthetic agent may have, and what each adds to the counters that agents report.

The agent is good in everything but what its success is set to: its sessions are of four shapes, the same for every version, so
that costs, latencies, tools and model calls scatter as a real agent's do and don't differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.session_kinds import ScoreSpec
from agentrollouts.core import counters
from agentrollouts.core.analysis import queries
from agentrollouts.core.breakers import breaker_queries
from agentrollouts.core.checks import active_checks
from agentrollouts.core.checks.events import SOURCES
from agentrollouts.core.evidence import Cell, CounterQuery
from agentrollouts.core.trials import is_sequential, rules_of

EDGES = (0.5, 1.0, 2.5, 5.0)
"""Upper edges in seconds of the histogram, some of those that agents report."""
CAP = "1"
"""The one cap in dollars that a synthetic agent reports; costs are given as parts of it."""
DOLLARS = 0.01
"""Mean cost of a task where no limit is given."""
CALLS = 2.0
"""Tool calls a task."""
SEARCH = "search"
FULL = 10_000.0


class Shape(NamedTuple):
    """How the tasks of a session went, beside whether they succeeded."""

    chance: float
    cost: float
    """Cost of a task, where 1 is the mean."""
    seconds: float
    llm_calls: float
    """Model calls of a task as a fraction of the cap."""
    search: float
    """The part of the tool calls that goes to the first tool."""
    tool_failures: float = 0.0
    """The part of the tasks in which a tool call failed."""


SHAPES = (
    Shape(0.50, cost=0.6, seconds=0.4, llm_calls=0.04, search=0.5),
    Shape(0.35, cost=1.1, seconds=0.9, llm_calls=0.08, search=0.7),
    Shape(0.13, cost=2.1, seconds=1.8, llm_calls=0.16, search=0.8),
    Shape(0.02, cost=2.1, seconds=2.2, llm_calls=0.16, search=0.8, tool_failures=0.5),
)

Amounts = tuple[tuple[Cell, float], ...]


class Session(NamedTuple):
    """A session of ``tasks`` tasks, ``good`` of them successful. ``cost``: the mean of a task as a part of the cap."""

    shape: Shape
    good: int
    tasks: int
    cost: float


def cells_of(spec: RolloutSpec, session: Session) -> Amounts:
    """What one session adds to each counter the rollout reads.

    Zeros are in it: agents create every series at zero.
    """
    wanted = {query.metric for query in judged(spec)}
    found = (
        *_tasks(session, _dollars(spec)),
        *_kit(session),
        *_events(spec),
        *_scores(spec, session.shape),
        *_own(spec, session.tasks),
    )
    return tuple((cell, amount) for cell, amount in found if cell.metric in wanted)


def judged(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    """The counters that decide; what an operator reads for people alone is left out, for it costs time and changes nothing."""
    if not is_sequential(spec) or not active_checks(spec):
        return queries(spec)
    tried = (query for _, rule in rules_of(spec) for query in rule.queries)
    tuned = (counters.TASKS,) if spec.strategy.self_tuning else ()
    return tuple(dict.fromkeys((*tried, *tuned, *breaker_queries(spec))))


def _cell(query: CounterQuery, value: str = "") -> Cell:
    return Cell(query.metric, value)


def _tasks(session: Session, dollars: float) -> Iterator[tuple[Cell, float]]:
    shape, good, tasks = session.shape, session.good, session.tasks
    yield from _labelled(counters.TASKS, success=good, failure=tasks - good, refused=0, escalated=0)
    yield _cell(counters.COST), tasks * shape.cost * dollars
    yield _cell(counters.INTERVENTIONS), 0.0
    failed = tasks * shape.tool_failures
    yield from _labelled(counters.CALLS, success=tasks * CALLS - failed, failure=failed)
    yield from _buckets(counters.DURATIONS, shape.seconds, tasks)


def _dollars(spec: RolloutSpec) -> float:
    """What a task costs: half of the tightest limit in dollars, if there is one."""
    analysis = spec.analysis.effective
    limits = [check.cost.max for check in active_checks(spec) if check.cost and check.cost.max is not None]
    limits += [breaker.cost.max_per_task for breaker in analysis.breakers if breaker.cost]
    return min(limits) / 1_000_000 / 2.0 if limits else DOLLARS


def _kit(session: Session) -> Iterator[tuple[Cell, float]]:
    shape, success = session.shape, session.good / session.tasks
    yield from _labelled(counters.SESSIONS, idle=1, explicit=0, expired=0)
    yield from _labelled(
        counters.SESSION_OUTCOMES, success=success, failure=1.0 - success, refused=0, escalated=0
    )
    yield from _squared(counters.SESSION_SUCCESS, counters.SESSION_SUCCESS_SQUARES, success)
    cost = min(1.0, shape.cost * session.cost)
    yield from _squared(counters.SESSION_COST, counters.SESSION_COST_SQUARES, cost, CAP)
    yield from _squared(counters.SESSION_LLM_CALLS, counters.SESSION_LLM_CALLS_SQUARES, shape.llm_calls)
    yield from _buckets(counters.SESSION_LATENCY, shape.seconds, 1)
    yield _cell(counters.SESSION_TOOLS, SEARCH), shape.search
    yield _cell(counters.SESSION_TOOLS, "answer"), 1.0 - shape.search
    yield _cell(counters.SESSION_EVENTS, "tool_failure"), shape.tool_failures
    yield _cell(counters.SESSION_TOPICS, SEARCH), shape.search
    yield _cell(counters.SESSION_TOPICS, "answer"), 1.0 - shape.search
    yield _cell(counters.ANSWERED_SESSIONS), 1.0
    yield from _squared(counters.SESSION_LENGTH, counters.SESSION_LENGTH_SQUARES, shape.search / 10.0)


def _labelled(query: CounterQuery, **amounts: float) -> Iterator[tuple[Cell, float]]:
    return ((_cell(query, value), float(amount)) for value, amount in amounts.items())


def _squared(
    total: CounterQuery, squares: CounterQuery, value: float, label: str = ""
) -> Iterator[tuple[Cell, float]]:
    yield _cell(total, label), value
    yield _cell(squares, label), value * value


def _buckets(query: CounterQuery, seconds: float, n: int) -> Iterator[tuple[Cell, float]]:
    for edge in EDGES:
        yield _cell(query, str(edge)), float(n) if seconds <= edge else 0.0
    yield _cell(query, "+Inf"), float(n)


def _events(spec: RolloutSpec) -> Iterable[tuple[Cell, float]]:
    """What checks ask for beside the outcomes: it never happens."""
    asked = [SOURCES[check.events.event] for check in active_checks(spec) if check.events is not None]
    return [(_cell(query, value), 0.0) for query, value in asked if query is counters.SESSION_EVENTS]


def _scores(spec: RolloutSpec, shape: Shape) -> Iterable[tuple[Cell, float]]:
    """Scores half-way between their limit and the best value, somewhat apart from shape to shape."""
    for check in active_checks(spec):
        if check.score is not None:
            name, value = check.score.name, _score(check.score) + (shape.search - 0.6) / 100.0
            yield _cell(counters.SCORED_SESSIONS, name), 1.0
            yield _cell(counters.SCORE_SUMS, name), value
            yield _cell(counters.SCORE_SQUARES, name), value * value


def _score(spec: ScoreSpec) -> float:
    best, usual = (0.02, 0.10) if spec.better == "lower" else (0.98, 0.90)
    return usual if spec.limit is None else (best + spec.limit / FULL) / 2.0


def _own(spec: RolloutSpec, tasks: int) -> Iterable[tuple[Cell, float]]:
    """The user's own counters: one event a task, bad ones at half their limit."""
    for check in active_checks(spec):
        if check.ratio is not None:
            yield Cell(check.ratio.total), float(tasks)
            yield Cell(check.ratio.bad), tasks * check.ratio.max / FULL / 2.0
