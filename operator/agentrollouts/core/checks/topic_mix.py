"""topicMix: how far what the candidate's tasks are about is from the old version's. It warns and never fails."""

from __future__ import annotations

from agentrollouts.api.session_kinds import TopicMixSpec
from agentrollouts.core.checks.mixes import judge_mix
from agentrollouts.core.checks.result import CheckInput, CheckResult
from agentrollouts.core.counters import SESSION_TOPICS, SESSIONS
from agentrollouts.core.evidence import CounterQuery


def queries(spec: TopicMixSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (SESSIONS, SESSION_TOPICS)


def judge(spec: TopicMixSpec, given: CheckInput) -> CheckResult:
    """WARN when the mix moved by more than the tolerance and what chance moves it by."""
    return judge_mix(given, SESSION_TOPICS, tolerance=spec.tolerance, what="topics")
