"""The arithmetic of sessions: what one closed session adds to its cohort's counters.

Pure, like `counting`. The numbers are fractions and means over the session's tasks, because tasks of one session
resemble one another: only the session may count as a unit. Where the operator needs a variance, the square is added too.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from agentrollouts_kit.counting import SLOT_FREE, Change
from agentrollouts_kit.layout import Layout
from agentrollouts_kit.vocabulary import (
    CLOSE_REASONS,
    COST_CAPS,
    DURATION_EDGES,
    EVENTS,
    OUTCOMES,
    SUCCESS,
    CloseReason,
)


def close_session(change: Change, layout: Layout, slot: int, *, cohort: int, reason: CloseReason) -> None:
    """Add the fractions of a session to its cohort's counters and free the slot.

    The session has at least one task, and all of its tasks have been counted.
    """
    cells, own = layout.counters, layout.session
    base = cohort * cells.size
    held = list(change.view[slot : slot + own.size])
    outcomes = held[own.outcomes : own.outcomes + len(OUTCOMES)]
    durations = held[own.durations : own.durations + len(DURATION_EDGES) + 1]
    events = held[own.events : own.events + len(EVENTS)]
    tasks = sum(outcomes)
    change.set(slot + own.state, SLOT_FREE)
    change.add(base + cells.closed + CLOSE_REASONS.index(reason), 1)
    _add_with_square(
        change, base + cells.success_fraction, base + cells.success_squares, outcomes[SUCCESS] / tasks
    )
    for cap in range(COST_CAPS):
        _add_with_square(
            change,
            base + cells.cost_fractions + cap,
            base + cells.cost_squares + cap,
            held[own.cost_fractions + cap] / tasks,
        )
    _add_with_square(
        change,
        base + cells.llm_calls_fraction,
        base + cells.llm_calls_squares,
        held[own.llm_calls_fraction] / tasks,
    )
    _add_fractions(change, base + cells.outcome_fractions, outcomes, tasks)
    _add_fractions(change, base + cells.latency_fractions, accumulate(durations), tasks)
    _add_fractions(change, base + cells.event_fractions, events, tasks)
    _add_tools(change, layout, base, held)
    _add_scores(change, layout, base, held)
    _add_topics(change, layout, base, held)
    _add_length(change, layout, base, held)


def _add_with_square(change: Change, cell: int, square_cell: int, value: float) -> None:
    change.add(cell, value)
    change.add(square_cell, value * value)


def _add_fractions(change: Change, first: int, counts: Iterable[float], whole: float) -> None:
    for index, count in enumerate(counts):
        change.add(first + index, count / whole)


def _add_tools(change: Change, layout: Layout, base: int, held: list[float]) -> None:
    """Fractions of the session's calls, not of its tasks: what is compared is which tools a version reaches for."""
    first = layout.session.tool_calls
    tools = held[first : first + layout.tools + 1]
    fractions = base + layout.counters.tool_fractions
    if calls := sum(tools):
        _add_fractions(change, fractions, tools, calls)
    else:
        change.add(fractions + layout.without_tool, 1)


def _add_scores(change: Change, layout: Layout, base: int, held: list[float]) -> None:
    """The session's mean over the tasks that have the score; a session without any has no part in it."""
    cells, own = layout.counters, layout.session
    for score in range(layout.scores):
        if tasks := held[own.scored_tasks + score]:
            mean = held[own.score_sums + score] / tasks
            change.add(base + cells.scores + score, 1)
            _add_with_square(
                change, base + cells.score_sums + score, base + cells.score_squares + score, mean
            )


def _add_topics(change: Change, layout: Layout, base: int, held: list[float]) -> None:
    """Fractions of the tasks that have a topic; a session without any counts as `none`, of an agent that names topics."""
    if not layout.topics:
        return
    first = layout.session.topics
    topics = held[first : first + layout.session_topics]
    fractions = base + layout.counters.topic_fractions
    if whole := sum(topics):
        _add_fractions(change, fractions, topics, whole)
    else:
        change.add(fractions + layout.session_topics, 1)


def _add_length(change: Change, layout: Layout, base: int, held: list[float]) -> None:
    """The mean over the answers of known length: a task that failed without one has no length, and not one of 0."""
    cells, own = layout.counters, layout.session
    if answered := held[own.answered_tasks]:
        change.add(base + cells.answered, 1)
        mean = held[own.length_fraction] / answered
        _add_with_square(change, base + cells.length_fraction, base + cells.length_squares, mean)
