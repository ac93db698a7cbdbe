"""ratio: two counters of the user's own, bad over all, against a fixed limit."""

from __future__ import annotations

from agentrollouts.api.check_kinds import RatioSpec
from agentrollouts.core.checks.result import CheckInput, CheckResult, judge_limit, percent, too_few
from agentrollouts.core.evidence import CounterQuery, sum_of


def queries(spec: RatioSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (CounterQuery(spec.bad), CounterQuery(spec.total))


def judge(spec: RatioSpec, given: CheckInput) -> CheckResult:
    """Exactly the limit passes."""
    n = sum_of(given.candidate, spec.total)
    if n < given.minimum_sessions:
        return too_few(given.name, n, given.minimum_sessions, f"{spec.total} of the candidate")
    bad = sum_of(given.candidate, spec.bad)
    reason = f"{spec.bad} {percent(bad / n)} of {n:.0f}, at most {percent(spec.max / 10_000)}"
    return judge_limit(given, bad=bad, n=n, limit=spec.max, reason=reason)
