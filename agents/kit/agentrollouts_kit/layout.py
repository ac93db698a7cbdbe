"""Where each number lives: every counter and every open session is a run of 8-byte cells of one block.

One block, because a task changes a dozen counters and its session together, and a process that is killed in between
must leave either all of them changed or none (see `cells`). The block is the same in memory and in the state file.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentrollouts_kit.vocabulary import (
    CALL_OUTCOMES,
    CLOSE_REASONS,
    COHORTS,
    COST_CAPS,
    DIRECTIONS,
    DURATION_EDGES,
    EVENTS,
    LENGTH_EDGES,
    OUTCOMES,
    SHADOW_DROPS,
)


class _Cursor:
    """Hands out consecutive runs of cells."""

    def __init__(self) -> None:
        self.at = 0

    def take(self, cells: int = 1) -> int:
        start = self.at
        self.at += cells
        return start


@dataclass(frozen=True, slots=True)
class CounterCells:
    """Offsets of one cohort's counters; a name in the plural is the first of a run, in the order of the vocabulary.

    Of `events` the tool failures' cell stays 0: failed calls are counted by tool.
    """

    outcomes: int
    durations: int
    duration_sum: int
    cost: int
    llm_calls: int
    tokens: int
    tool_calls: int
    events: int
    lengths: int
    length_sum: int
    assigned: int
    closed: int
    success_fraction: int
    success_squares: int
    outcome_fractions: int
    cost_fractions: int
    cost_squares: int
    latency_fractions: int
    tool_fractions: int
    event_fractions: int
    llm_calls_fraction: int
    llm_calls_squares: int
    scores: int
    score_sums: int
    score_squares: int
    topic_fractions: int
    answered: int
    length_fraction: int
    length_squares: int
    shadow_tasks: int
    shadow_cost: int
    shadow_drops: int
    size: int


@dataclass(frozen=True, slots=True)
class SessionCells:
    """Offsets inside the slot of one open session."""

    state: int
    cohort: int
    key_high: int
    key_low: int
    started: int
    last: int
    running: int
    outcomes: int
    cost_fractions: int
    durations: int
    tool_calls: int
    events: int
    llm_calls_fraction: int
    scored_tasks: int
    score_sums: int
    topics: int
    answered_tasks: int
    length_fraction: int
    size: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole block: one `CounterCells` per cohort, then one `SessionCells` per open session."""

    counters: CounterCells
    session: SessionCells
    tools: int
    scores: int
    topics: int
    """Declared ones; an agent that declares none has no cells and no series for them."""
    slots: int

    @classmethod
    def of(cls, *, tools: int, scores: int, topics: int = 0, slots: int) -> Layout:
        """Lay out for that many declared tools, scores and topics and that many open sessions."""
        return cls(
            counters=_counter_cells(tools, scores, topics),
            session=_session_cells(tools, scores, topics),
            tools=tools,
            scores=scores,
            topics=topics,
            slots=slots,
        )

    @property
    def counters_size(self) -> int:
        """Cells of the counters of all cohorts."""
        return len(COHORTS) * self.counters.size

    @property
    def size(self) -> int:
        """Cells of the whole block."""
        return self.counters_size + self.slots * self.session.size

    @property
    def without_tool(self) -> int:
        """Index of `none` among the tools of a session."""
        return self.tools + 1

    @property
    def session_topics(self) -> int:
        """Cells of the topics of a session: the declared ones and `other`."""
        return _with_more(self.topics, 1)

    def slot(self, number: int) -> int:
        """First cell of a session slot."""
        return self.counters_size + number * self.session.size


def _with_more(declared: int, more: int) -> int:
    """Cells for the declared names and some more, none where nothing is declared."""
    return declared + more if declared else 0


def _counter_cells(tools: int, scores: int, topics: int) -> CounterCells:
    cursor = _Cursor()
    take = cursor.take
    return CounterCells(
        outcomes=take(len(OUTCOMES)),
        durations=take(len(DURATION_EDGES) + 1),
        duration_sum=take(),
        cost=take(),
        llm_calls=take(),
        tokens=take(len(DIRECTIONS)),
        tool_calls=take((tools + 1) * len(CALL_OUTCOMES)),
        events=take(len(EVENTS)),
        lengths=take(len(LENGTH_EDGES) + 1),
        length_sum=take(),
        assigned=take(),
        closed=take(len(CLOSE_REASONS)),
        success_fraction=take(),
        success_squares=take(),
        outcome_fractions=take(len(OUTCOMES)),
        cost_fractions=take(COST_CAPS),
        cost_squares=take(COST_CAPS),
        latency_fractions=take(len(DURATION_EDGES) + 1),
        tool_fractions=take(tools + 2),
        event_fractions=take(len(EVENTS)),
        llm_calls_fraction=take(),
        llm_calls_squares=take(),
        scores=take(scores),
        score_sums=take(scores),
        score_squares=take(scores),
        topic_fractions=take(_with_more(topics, 2)),
        answered=take(),
        length_fraction=take(),
        length_squares=take(),
        shadow_tasks=take(),
        shadow_cost=take(),
        shadow_drops=take(len(SHADOW_DROPS)),
        size=cursor.at,
    )


def _session_cells(tools: int, scores: int, topics: int) -> SessionCells:
    cursor = _Cursor()
    take = cursor.take
    return SessionCells(
        state=take(),
        cohort=take(),
        key_high=take(),
        key_low=take(),
        started=take(),
        last=take(),
        running=take(),
        outcomes=take(len(OUTCOMES)),
        cost_fractions=take(COST_CAPS),
        durations=take(len(DURATION_EDGES) + 1),
        tool_calls=take(tools + 1),
        events=take(len(EVENTS)),
        llm_calls_fraction=take(),
        scored_tasks=take(scores),
        score_sums=take(scores),
        topics=take(_with_more(topics, 1)),
        answered_tasks=take(),
        length_fraction=take(),
        size=cursor.at,
    )
