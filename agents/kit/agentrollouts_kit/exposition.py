"""The counters as Prometheus families. Every series of every cohort is always there, at zero until it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from agentrollouts_kit.identity import Identity
from agentrollouts_kit.layout import CounterCells, Layout
from agentrollouts_kit.tally import Caps
from agentrollouts_kit.vocabulary import (
    CALL_OUTCOMES,
    CHECKPOINT,
    CLOSE_REASONS,
    COHORTS,
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

_COMMON = ("agent", "version", "digest", "cohort")


def _edges(edges: Sequence[float]) -> tuple[str, ...]:
    return (*map(floatToGoString, edges), "+Inf")


@dataclass(frozen=True, slots=True)
class _Counter:
    """A family of counters: its first cell, and the values of its own labels in the order of the cells."""

    name: str
    help: str
    cell: int
    labels: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ((),)


@dataclass(frozen=True, slots=True)
class _Histogram:
    """A histogram: its first bucket cell, the cell of its sum, and its edges as text."""

    name: str
    help: str
    cell: int
    sum_cell: int
    edges: tuple[str, ...]


class Exposition:
    """Turns the counter cells of one process or the sum over several into metric families."""

    def __init__(
        self,
        *,
        identity: Identity,
        tools: tuple[str, ...],
        scores: tuple[str, ...],
        topics: tuple[str, ...] = (),
        layout: Layout,
        caps: Caps,
    ) -> None:
        self._labels = (identity.agent, identity.version, identity.digest)
        self._size = layout.counters.size
        self._counters = (
            *_task_counters(layout.counters, tools),
            *_session_counters(layout.counters, tools),
            *_capped_counters(layout.counters, caps),
            *_score_counters(layout.counters, scores),
            *_answer_counters(layout.counters, topics),
            *_shadow_counters(layout.counters),
        )
        self._histograms = _histograms(layout.counters)
        self._caps = caps

    def families(self, cells: Sequence[float], *, problems: int) -> Iterator[Metric]:
        """All families with these values; `cells` are the counter cells of a layout."""
        for counter in self._counters:
            yield self._counter(counter, cells)
        for histogram in self._histograms:
            yield self._histogram(histogram, cells)
        yield self._gauge("agent_build_info", "Always 1; which version this process runs.", 1)
        largest, *_ = self._caps.cost_usd
        yield self._gauge("agent_cost_cap_usd", "The largest cap of the cost of a task.", largest)
        yield self._gauge(
            "agent_llm_calls_cap",
            "The cap of a task's calls of language models in the session's fraction.",
            self._caps.llm_calls,
        )
        yield self._gauge(
            "agent_response_length_cap_chars",
            "The cap of a task's answer in the session's fraction, in characters.",
            self._caps.response_chars,
        )
        trouble = CounterMetricFamily(
            "agent_reporting_problems",
            "Reports that were wrong or could not be recorded; see the log.",
            labels=_COMMON[:3],
        )
        trouble.add_metric(self._labels, problems)
        yield trouble

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, text, labels=_COMMON[:3])
        family.add_metric(self._labels, value)
        return family

    def _counter(self, counter: _Counter, cells: Sequence[float]) -> Metric:
        family = CounterMetricFamily(counter.name, counter.help, labels=(*_COMMON, *counter.labels))
        for number, cohort in enumerate(COHORTS):
            first = number * self._size + counter.cell
            for offset, values in enumerate(counter.values):
                family.add_metric((*self._labels, cohort, *values), cells[first + offset])
        return family

    def _histogram(self, histogram: _Histogram, cells: Sequence[float]) -> Metric:
        family = HistogramMetricFamily(histogram.name, histogram.help, labels=_COMMON)
        for number, cohort in enumerate(COHORTS):
            first = number * self._size + histogram.cell
            counts = accumulate(cells[first : first + len(histogram.edges)])
            buckets = list(zip(histogram.edges, counts, strict=True))
            total = cells[number * self._size + histogram.sum_cell]
            family.add_metric((*self._labels, cohort), buckets, sum_value=total)
        return family


def _single(values: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((value,) for value in values)


def _task_counters(cells: CounterCells, tools: tuple[str, ...]) -> tuple[_Counter, ...]:
    calls = tuple((tool, outcome) for tool in (*tools, OTHER_TOOL) for outcome in CALL_OUTCOMES)
    return (
        _Counter(
            "agent_tasks", "Tasks that ended, by outcome.", cells.outcomes, ("outcome",), _single(OUTCOMES)
        ),
        _Counter("agent_task_cost_usd", "Cost of the tasks, in US dollars.", cells.cost),
        _Counter("agent_llm_calls", "Calls of language models.", cells.llm_calls),
        _Counter("agent_llm_tokens", "Tokens.", cells.tokens, ("direction",), _single(DIRECTIONS)),
        _Counter("agent_tool_calls", "Calls of tools.", cells.tool_calls, ("tool", "outcome"), calls),
        _Counter("agent_checkpoints", "Stops for somebody to confirm.", cells.events + CHECKPOINT),
        _Counter("agent_interventions", "Times a person had to step in.", cells.events + INTERVENTION),
        _Counter(
            "agent_destructive_rollbacks",
            "Destructive actions that were undone.",
            cells.events + DESTRUCTIVE_ROLLBACK,
        ),
        _Counter(
            "agent_feedback",
            "Times a user disliked an answer, asked for another or took over.",
            cells.events + FIRST_FEEDBACK,
            ("event",),
            _single(FEEDBACK),
        ),
    )


def _session_counters(cells: CounterCells, tools: tuple[str, ...]) -> tuple[_Counter, ...]:
    all_tools = _single((*tools, OTHER_TOOL, WITHOUT_TOOL))
    part = "Sum over closed sessions of the fraction of their"
    return (
        _Counter("agent_sessions_assigned", "Sessions begun.", cells.assigned),
        _Counter(
            "agent_sessions_closed", "Sessions closed.", cells.closed, ("reason",), _single(CLOSE_REASONS)
        ),
        _Counter("agent_session_success_fraction", f"{part} tasks that succeeded.", cells.success_fraction),
        _Counter("agent_session_success_fraction_squares", "The same, squared.", cells.success_squares),
        _Counter(
            "agent_session_outcome_fraction",
            f"{part} tasks with the outcome.",
            cells.outcome_fractions,
            ("outcome",),
            _single(OUTCOMES),
        ),
        _Counter(
            "agent_session_latency_fraction",
            f"{part} tasks that took at most `le` seconds.",
            cells.latency_fractions,
            ("le",),
            _single(_edges(DURATION_EDGES)),
        ),
        _Counter(
            "agent_session_tool_fraction", f"{part} tool calls.", cells.tool_fractions, ("tool",), all_tools
        ),
        _Counter(
            "agent_session_event_fraction",
            f"{part} tasks in which the event happened.",
            cells.event_fractions,
            ("event",),
            _single(EVENTS),
        ),
    )


def _capped_counters(cells: CounterCells, caps: Caps) -> tuple[_Counter, ...]:
    dollars = _single([f"{cap:g}" for cap in caps.cost_usd])
    return (
        _Counter(
            "agent_session_capped_cost_fraction",
            "Sum over closed sessions of their tasks' mean of min(cost, cap) / cap, for each cap in US dollars.",
            cells.cost_fractions,
            ("cap",),
            dollars,
        ),
        _Counter(
            "agent_session_capped_cost_fraction_squares",
            "The same, squared.",
            cells.cost_squares,
            ("cap",),
            dollars,
        ),
        _Counter(
            "agent_session_llm_calls_fraction",
            "Sum over closed sessions of their tasks' mean of min(LLM calls, cap) / cap.",
            cells.llm_calls_fraction,
        ),
        _Counter("agent_session_llm_calls_fraction_squares", "The same, squared.", cells.llm_calls_squares),
    )


def _score_counters(cells: CounterCells, scores: tuple[str, ...]) -> tuple[_Counter, ...]:
    names = _single(scores)
    return (
        _Counter(
            "agent_session_scores", "Closed sessions that had the score.", cells.scores, ("score",), names
        ),
        _Counter(
            "agent_session_score_sum",
            "Sum over closed sessions of their scored tasks' mean.",
            cells.score_sums,
            ("score",),
            names,
        ),
        _Counter("agent_session_score_squares", "The same, squared.", cells.score_squares, ("score",), names),
    )


def _answer_counters(cells: CounterCells, topics: tuple[str, ...]) -> tuple[_Counter, ...]:
    all_topics = _single((*topics, OTHER_TOPIC, WITHOUT_TOPIC)) if topics else ()
    return (
        _Counter(
            "agent_session_topic_fraction",
            "Sum over closed sessions of the fraction of their tasks with the topic.",
            cells.topic_fractions,
            ("topic",),
            all_topics,
        ),
        _Counter(
            "agent_sessions_answered", "Closed sessions with an answer of known length.", cells.answered
        ),
        _Counter(
            "agent_session_response_length_fraction",
            "Sum over answered sessions of their answers' mean of min(characters, cap) / cap.",
            cells.length_fraction,
        ),
        _Counter(
            "agent_session_response_length_fraction_squares", "The same, squared.", cells.length_squares
        ),
    )


def _shadow_counters(cells: CounterCells) -> tuple[_Counter, ...]:
    return (
        _Counter(
            "agent_shadow_tasks", "Shadow tasks answered here for the cohort that asked.", cells.shadow_tasks
        ),
        _Counter("agent_shadow_cost_usd", "What these cost, in US dollars.", cells.shadow_cost),
        _Counter(
            "agent_shadow_dropped",
            "Sampled tasks of the cohort that got no score.",
            cells.shadow_drops,
            ("reason",),
            _single(SHADOW_DROPS),
        ),
    )


def _histograms(cells: CounterCells) -> tuple[_Histogram, ...]:
    return (
        _Histogram(
            "agent_task_duration_seconds",
            "Duration of the tasks; one that never ended is above every edge.",
            cells.durations,
            cells.duration_sum,
            _edges(DURATION_EDGES),
        ),
        _Histogram(
            "agent_response_length_chars",
            "Length of the answers, in characters.",
            cells.lengths,
            cells.length_sum,
            _edges(LENGTH_EDGES),
        ),
    )


class Collected(CollectorRegistry):
    """Families that were collected already, in the shape an encoder takes."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The families."""
        return iter(self._families)
