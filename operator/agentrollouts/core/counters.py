"""Counters that more than one part of the core reads, as docs/reporting-outcomes.md describes them.

The session sums grow when a session closes, by the mean over its tasks.
"""

from __future__ import annotations

from agentrollouts.core.evidence import CounterQuery

TASKS = CounterQuery("agent_tasks_total", "outcome")
COST = CounterQuery("agent_task_cost_usd_total")
INTERVENTIONS = CounterQuery("agent_interventions_total")
CALLS = CounterQuery("agent_tool_calls_total", "outcome")
DURATIONS = CounterQuery("agent_task_duration_seconds_bucket", "le")
SESSIONS = CounterQuery("agent_sessions_closed_total", "reason")
SESSION_OUTCOMES = CounterQuery("agent_session_outcome_fraction_total", "outcome")
SESSION_EVENTS = CounterQuery("agent_session_event_fraction_total", "event")
SESSION_TOOLS = CounterQuery("agent_session_tool_fraction_total", "tool")
SESSION_LLM_CALLS = CounterQuery("agent_session_llm_calls_fraction_total")
SESSION_LLM_CALLS_SQUARES = CounterQuery("agent_session_llm_calls_fraction_squares_total")
SCORED_SESSIONS = CounterQuery("agent_session_scores_total", "score")
SCORE_SUMS = CounterQuery("agent_session_score_sum_total", "score")
SCORE_SQUARES = CounterQuery("agent_session_score_squares_total", "score")
