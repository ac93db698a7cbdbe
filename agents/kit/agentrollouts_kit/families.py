"""Which counters there are: each family's name, the cells it shows and the label values they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.utils import floatToGoString

from agentrollouts_kit.layout import CounterCells
from agentrollouts_kit.tally import Caps
from agentrollouts_kit.vocabulary import (
    CALL_OUTCOMES,
    CHECKPOINT,
    CLOSE_REASONS,
    DESTRUCTIVE_ROLLBACK,
    DIRECTIONS,
    DURATION_EDGES,
    EVENTS,
    FEEDBACK,
    FIRST_FEEDBACK,
    INTERVENTION,
    LENGTH_EDGES,
    OTHER_TOOL,
    OTHER_TOPIC,
    OUTCOMES,
    SHADOW_DROPS,
    WITHOUT_TOOL,
    WITHOUT_TOPIC,
)


def _edges(edges: Sequence[float]) -> tuple[str, ...]:
    return (*map(floatToGoString, edges), "+Inf")


@dataclass(frozen=True, slots=True)
class CounterFamily:
    """A family of counters: its first cell, and the values of its own labels in the order of the cells."""

    name: str
    help: str
    cell: int
    labels: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ((),)


@dataclass(frozen=True, slots=True)
class HistogramFamily:
    """A histogram: its first bucket cell, the cell of its sum, and its edges as text."""

    name: str
    help: str
    cell: int
    sum_cell: int
    edges: tuple[str, ...]


def counters(
    cells: CounterCells,
    *,
    tools: tuple[str, ...],
    scores: tuple[str, ...],
    topics: tuple[str, ...],
    caps: Caps,
) -> tuple[CounterFamily, ...]:
    """Every family of counters of a process that declared these names."""
    return (
        *_task_counters(cells, tools),
        *_session_counters(cells, tools),
        *_capped_counters(cells, caps),
        *_score_counters(cells, scores),
        *_answer_counters(cells, topics),
        *_shadow_counters(cells),
    )


def _single(values: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((value,) for value in values)


def _task_counters(cells: CounterCells, tools: tuple[str, ...]) -> tuple[CounterFamily, ...]:
    calls = tuple((tool, outcome) for tool in (*tools, OTHER_TOOL) for outcome in CALL_OUTCOMES)
    return (
        CounterFamily(
            "agent_tasks", "Tasks that ended, by outcome.", cells.outcomes, ("outcome",), _single(OUTCOMES)
        ),
        CounterFamily("agent_task_cost_usd", "Cost of the tasks, in US dollars.", cells.cost),
        CounterFamily("agent_llm_calls", "Calls of language models.", cells.llm_calls),
        CounterFamily("agent_llm_tokens", "Tokens.", cells.tokens, ("direction",), _single(DIRECTIONS)),
        CounterFamily("agent_tool_calls", "Calls of tools.", cells.tool_calls, ("tool", "outcome"), calls),
        CounterFamily("agent_checkpoints", "Stops for somebody to confirm.", cells.events + CHECKPOINT),
        CounterFamily("agent_interventions", "Times a person had to step in.", cells.events + INTERVENTION),
        CounterFamily(
            "agent_destructive_rollbacks",
            "Destructive actions that were undone.",
            cells.events + DESTRUCTIVE_ROLLBACK,
        ),
        CounterFamily(
            "agent_feedback",
            "Times a user disliked an answer, asked for another or took over.",
            cells.events + FIRST_FEEDBACK,
            ("event",),
            _single(FEEDBACK),
        ),
    )


def _session_counters(cells: CounterCells, tools: tuple[str, ...]) -> tuple[CounterFamily, ...]:
    all_tools = _single((*tools, OTHER_TOOL, WITHOUT_TOOL))
    part = "Sum over closed sessions of the fraction of their"
    return (
        CounterFamily("agent_sessions_assigned", "Sessions begun.", cells.assigned),
        CounterFamily(
            "agent_sessions_closed", "Sessions closed.", cells.closed, ("reason",), _single(CLOSE_REASONS)
        ),
        CounterFamily(
            "agent_session_success_fraction", f"{part} tasks that succeeded.", cells.success_fraction
        ),
        CounterFamily("agent_session_success_fraction_squares", "The same, squared.", cells.success_squares),
        CounterFamily(
            "agent_session_outcome_fraction",
            f"{part} tasks with the outcome.",
            cells.outcome_fractions,
            ("outcome",),
            _single(OUTCOMES),
        ),
        CounterFamily(
            "agent_session_latency_fraction",
            f"{part} tasks that took at most `le` seconds.",
            cells.latency_fractions,
            ("le",),
            _single(_edges(DURATION_EDGES)),
        ),
        CounterFamily(
            "agent_session_tool_fraction", f"{part} tool calls.", cells.tool_fractions, ("tool",), all_tools
        ),
        CounterFamily(
            "agent_session_event_fraction",
            f"{part} tasks in which the event happened.",
            cells.event_fractions,
            ("event",),
            _single(EVENTS),
        ),
    )


def _capped_counters(cells: CounterCells, caps: Caps) -> tuple[CounterFamily, ...]:
    dollars = _single([f"{cap:g}" for cap in caps.cost_usd])
    return (
        CounterFamily(
            "agent_session_capped_cost_fraction",
            "Sum over closed sessions of their tasks' mean of min(cost, cap) / cap, for each cap in US dollars.",
            cells.cost_fractions,
            ("cap",),
            dollars,
        ),
        CounterFamily(
            "agent_session_capped_cost_fraction_squares",
            "The same, squared.",
            cells.cost_squares,
            ("cap",),
            dollars,
        ),
        CounterFamily(
            "agent_session_llm_calls_fraction",
            "Sum over closed sessions of their tasks' mean of min(LLM calls, cap) / cap.",
            cells.llm_calls_fraction,
        ),
        CounterFamily(
            "agent_session_llm_calls_fraction_squares", "The same, squared.", cells.llm_calls_squares
        ),
    )


def _score_counters(cells: CounterCells, scores: tuple[str, ...]) -> tuple[CounterFamily, ...]:
    names = _single(scores)
    return (
        CounterFamily(
            "agent_session_scores", "Closed sessions that had the score.", cells.scores, ("score",), names
        ),
        CounterFamily(
            "agent_session_score_sum",
            "Sum over closed sessions of their scored tasks' mean.",
            cells.score_sums,
            ("score",),
            names,
        ),
        CounterFamily(
            "agent_session_score_squares", "The same, squared.", cells.score_squares, ("score",), names
        ),
    )


def _answer_counters(cells: CounterCells, topics: tuple[str, ...]) -> tuple[CounterFamily, ...]:
    all_topics = _single((*topics, OTHER_TOPIC, WITHOUT_TOPIC)) if topics else ()
    return (
        CounterFamily(
            "agent_session_topic_fraction",
            "Sum over closed sessions of the fraction of their tasks with the topic.",
            cells.topic_fractions,
            ("topic",),
            all_topics,
        ),
        CounterFamily(
            "agent_sessions_answered", "Closed sessions with an answer of known length.", cells.answered
        ),
        CounterFamily(
            "agent_session_response_length_fraction",
            "Sum over answered sessions of their answers' mean of min(characters, cap) / cap.",
            cells.length_fraction,
        ),
        CounterFamily(
            "agent_session_response_length_fraction_squares", "The same, squared.", cells.length_squares
        ),
    )


def _shadow_counters(cells: CounterCells) -> tuple[CounterFamily, ...]:
    return (
        CounterFamily(
            "agent_shadow_tasks", "Shadow tasks answered here for the cohort that asked.", cells.shadow_tasks
        ),
        CounterFamily("agent_shadow_cost_usd", "What these cost, in US dollars.", cells.shadow_cost),
        CounterFamily(
            "agent_shadow_dropped",
            "Sampled tasks of the cohort that got no score.",
            cells.shadow_drops,
            ("reason",),
            _single(SHADOW_DROPS),
        ),
    )


def histograms(cells: CounterCells) -> tuple[HistogramFamily, ...]:
    """Every histogram."""
    return (
        HistogramFamily(
            "agent_task_duration_seconds",
            "Duration of the tasks; one that never ended is above every edge.",
            cells.durations,
            cells.duration_sum,
            _edges(DURATION_EDGES),
        ),
        HistogramFamily(
            "agent_response_length_chars",
            "Length of the answers, in characters.",
            cells.lengths,
            cells.length_sum,
            _edges(LENGTH_EDGES),
        ),
    )
