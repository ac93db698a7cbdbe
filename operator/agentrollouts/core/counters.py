"""Counters that more than one part of the core reads, as docs/reporting-outcomes.md describes them.

The session sums grow when a session closes, by the mean over its tasks. All are one bundle: what a scrape brought together is
read together.
"""

from __future__ import annotations

from agentrollouts.core.evidence import CounterQuery

KIT = "agent"
"""The bundle of the counters that agents report."""


def _counter(metric: str, dimension: str = "") -> CounterQuery:
    return CounterQuery(metric, dimension, KIT)


TASKS = _counter("agent_tasks_total", "outcome")
COST = _counter("agent_task_cost_usd_total")
INTERVENTIONS = _counter("agent_interventions_total")
CALLS = _counter("agent_tool_calls_total", "outcome")
DURATIONS = _counter("agent_task_duration_seconds_bucket", "le")
SESSIONS = _counter("agent_sessions_closed_total", "reason")
ASSIGNED = _counter("agent_sessions_assigned_total")
SESSION_OUTCOMES = _counter("agent_session_outcome_fraction_total", "outcome")
SESSION_EVENTS = _counter("agent_session_event_fraction_total", "event")
SESSION_TOOLS = _counter("agent_session_tool_fraction_total", "tool")
SESSION_LLM_CALLS = _counter("agent_session_llm_calls_fraction_total")
SESSION_LLM_CALLS_SQUARES = _counter("agent_session_llm_calls_fraction_squares_total")
SCORED_SESSIONS = _counter("agent_session_scores_total", "score")
SCORE_SUMS = _counter("agent_session_score_sum_total", "score")
SCORE_SQUARES = _counter("agent_session_score_squares_total", "score")
SESSION_TOPICS = _counter("agent_session_topic_fraction_total", "topic")
ANSWERED_SESSIONS = _counter("agent_sessions_answered_total")
SESSION_LENGTH = _counter("agent_session_response_length_fraction_total")
SESSION_LENGTH_SQUARES = _counter("agent_session_response_length_fraction_squares_total")
SESSION_SUCCESS = _counter("agent_session_success_fraction_total")
SESSION_SUCCESS_SQUARES = _counter("agent_session_success_fraction_squares_total")
SESSION_COST = _counter("agent_session_capped_cost_fraction_total", "cap")
SESSION_COST_SQUARES = _counter("agent_session_capped_cost_fraction_squares_total", "cap")
SESSION_LATENCY = _counter("agent_session_latency_fraction_total", "le")
