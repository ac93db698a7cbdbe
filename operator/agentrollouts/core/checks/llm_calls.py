"""llmCalls: the mean number of model calls a task, session by session, against the old version's.

Agents report it as a fraction of a cap that both versions share, so only the ratio of the two means is used.
"""

from __future__ import annotations

from agentrollouts.api.check_kinds import tolerated
from agentrollouts.api.session_kinds import LlmCallsSpec
from agentrollouts.core.checks.means import Mean, mean_of, surely_above
from agentrollouts.core.checks.result import (
    CheckInput,
    CheckResult,
    Verdict,
    part_of,
    short_of,
    unreported,
)
from agentrollouts.core.counters import SESSION_LLM_CALLS, SESSION_LLM_CALLS_SQUARES, SESSIONS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of


def queries(spec: LlmCallsSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (SESSIONS, SESSION_LLM_CALLS, SESSION_LLM_CALLS_SQUARES)


def judge(spec: LlmCallsSpec, given: CheckInput) -> CheckResult:
    """An old version that makes no calls can't be exceeded by a share, so any call is a WARN."""
    n = (sum_of(given.candidate, SESSIONS.metric), sum_of(given.comparator, SESSIONS.metric))
    missing = (
        short_of(given, n, "sessions")
        or unreported(given, SESSION_LLM_CALLS)
        or unreported(given, SESSION_LLM_CALLS_SQUARES)
    )
    if missing is not None:
        return missing
    ours, theirs = _mean(given.candidate, n[0]), _mean(given.comparator, n[1])
    if theirs.value == 0:
        some = ours.value > 0
        return CheckResult(
            given.name,
            Verdict.WARN if some else Verdict.PASS,
            f"the old version makes no model calls, the candidate {'some' if some else 'none either'}",
        )
    rise = ours.value / theirs.value - 1
    reason = (
        f"{rise * 100:+.1f}% model calls in {ours.n:.0f} sessions against {theirs.n:.0f},"
        f" allowed +{spec.max_increase / 100:g}%"
    )
    toward = part_of(rise, spec.max_increase / 10_000)
    if ours.value <= theirs.value * (1 + spec.max_increase / 10_000):
        return CheckResult(given.name, Verdict.PASS, reason, toward)
    sure = surely_above(ours, theirs, factor=1 + tolerated(spec, spec.max_increase) / 10_000)
    return CheckResult(given.name, Verdict.FAIL if sure else Verdict.WARN, reason, toward)


def _mean(totals: Totals, n: float) -> Mean:
    return mean_of(totals, n, SESSION_LLM_CALLS, SESSION_LLM_CALLS_SQUARES)
