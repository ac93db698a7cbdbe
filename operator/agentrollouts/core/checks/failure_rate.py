"""failureRate: the candidate's failed tasks against a fixed limit, for agents whose task mix never changes."""

from __future__ import annotations

from agentrollouts.api.check_kinds import FailureRateSpec
from agentrollouts.core.checks.result import CheckInput, CheckResult, judge_limit, percent, too_few
from agentrollouts.core.counters import TASKS
from agentrollouts.core.evidence import CounterQuery, sum_of


def queries(spec: FailureRateSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (TASKS,)


def judge(spec: FailureRateSpec, given: CheckInput) -> CheckResult:
    """Exactly the limit passes."""
    n = sum_of(given.candidate, TASKS.metric)
    if n < given.minimum_sessions:
        return too_few(given.name, n, given.minimum_sessions)
    failed = sum_of(given.candidate, TASKS.metric, "failure")
    reason = f"failed {percent(failed / n)} of {n:.0f} tasks, at most {percent(spec.max / 10_000)}"
    return judge_limit(given, bad=failed, n=n, limit=spec.max, reason=reason)
