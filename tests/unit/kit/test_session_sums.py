"""The session sums of any sequence of tasks, against a computation that keeps every task and knows no cells."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts_kit import Reporter, task
from agentrollouts_kit.context import RequestContext, current
from agentrollouts_kit.vocabulary import COHORTS, EVENTS
from tests.kit.reading import Reading

SCORES = ("toxicity", "similarity")
TOPICS = ("billing", "delivery")
COST_CAP, CALLS_CAP, LENGTH_CAP = 2.0, 5, 100
COST_CAPS = (2.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
OWN = ("event", "score", "cap", "topic")


@dataclass(frozen=True)
class Plan:
    """What one task does, and in which session."""

    cohort: int
    user: str
    said: tuple[str, ...]
    outcome: str
    cost: float
    calls: tuple[int, ...]
    scores: tuple[tuple[str, float], ...]
    topics: frozenset[str]
    answers: tuple[int, ...]

    def perform(self, reporter: Reporter) -> None:
        token = current.set(RequestContext(cohort=self.cohort, session=self.user))
        with task(reporter=reporter) as t:
            for event in self.said:
                t.tool_call("lookup", ok=False) if event == "tool_failure" else getattr(t, event)()
            for calls in self.calls:
                t.llm_call(calls=calls)
            for name, value in self.scores:
                t.score(name, value)
            for topic in self.topics:
                t.topic(topic)
            for length in self.answers:
                t.response("x" * length)
            t.add_cost(self.cost)
            getattr(t, self.outcome)()
        current.reset(token)

    def score(self, name: str) -> float | None:
        return mean([value for score, value in self.scores if score == name])


plans = st.builds(
    Plan,
    cohort=st.integers(0, len(COHORTS) - 1),
    user=st.sampled_from(["ann", "bob", "cid"]),
    said=st.lists(st.sampled_from(EVENTS), max_size=6).map(tuple),
    outcome=st.sampled_from(["success", "fail", "refuse", "escalate"]),
    cost=st.floats(0, 4),
    calls=st.lists(st.integers(0, 4), max_size=3).map(tuple),
    scores=st.lists(st.tuples(st.sampled_from(SCORES), st.floats(0, 1)), max_size=5).map(tuple),
    topics=st.frozensets(st.sampled_from([*TOPICS, "other"]), max_size=3),
    answers=st.lists(st.integers(0, 150), max_size=2).map(tuple),
)


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def expected_sums(sessions: list[list[Plan]]) -> dict[tuple[str, str], float]:
    sums: defaultdict[tuple[str, str], float] = defaultdict(float)
    for tasks in sessions:
        for event in EVENTS:
            share = sum(event in t.said for t in tasks) / len(tasks)
            sums["agent_session_event_fraction_total", event] += share
        means = {
            "agent_session_success_fraction": [float(t.outcome == "success") for t in tasks],
            "agent_session_llm_calls_fraction": [min(sum(t.calls), CALLS_CAP) / CALLS_CAP for t in tasks],
        }
        for cap in COST_CAPS:
            fraction = mean([min(t.cost, cap) / cap for t in tasks]) or 0.0
            sums["agent_session_capped_cost_fraction_total", f"{cap:g}"] += fraction
            sums["agent_session_capped_cost_fraction_squares_total", f"{cap:g}"] += fraction**2
        for name, values in means.items():
            sums[f"{name}_total", ""] += sum(values) / len(values)
            sums[f"{name}_squares_total", ""] += (sum(values) / len(values)) ** 2
        for score in SCORES:
            found = mean([value for t in tasks if (value := t.score(score)) is not None])
            sums["agent_session_scores_total", score] += found is not None
            sums["agent_session_score_sum_total", score] += found or 0.0
            sums["agent_session_score_squares_total", score] += (found or 0.0) ** 2
        _add_topics(sums, [t.topics for t in tasks if t.topics])
        lengths = [min(sum(t.answers), LENGTH_CAP) / LENGTH_CAP for t in tasks if t.answers]
        if (length := mean(lengths)) is not None:
            sums["agent_sessions_answered_total", ""] += 1
            sums["agent_session_response_length_fraction_total", ""] += length
            sums["agent_session_response_length_fraction_squares_total", ""] += length**2
    return dict(sums)


def _add_topics(sums: defaultdict[tuple[str, str], float], tasks: list[frozenset[str]]) -> None:
    name = "agent_session_topic_fraction_total"
    for topic in (*TOPICS, "other"):
        sums[name, topic] += mean([(topic in topics) / len(topics) for topics in tasks]) or 0.0
    sums[name, "none"] += not tasks


@given(sequence=st.lists(plans, max_size=25))
@settings(max_examples=100, deadline=None)
def test_the_sums_are_those_of_a_naive_computation(sequence: list[Plan]) -> None:
    reporter = Reporter(
        tools=("lookup",),
        scores=SCORES,
        cost_cap_usd=COST_CAP,
        llm_calls_cap=CALLS_CAP,
        topics=TOPICS,
        response_length_cap=LENGTH_CAP,
        max_open_sessions=len(COHORTS) * 3,
        state_dir="",
        metrics_port=0,
    )
    sessions: defaultdict[tuple[int, str], list[Plan]] = defaultdict(list)
    for plan in sequence:
        plan.perform(reporter)
        sessions[plan.cohort, plan.user].append(plan)
    reporter.ledger.drain()
    samples = Reading.of(reporter).samples
    for number, cohort in enumerate(COHORTS):
        expected = expected_sums([tasks for (place, _), tasks in sessions.items() if place == number])
        found = {
            (s.name, next((s.labels[label] for label in OWN if label in s.labels), "")): s.value
            for s in samples
            if s.labels.get("cohort") == cohort
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected)
