"""toolFailures: the share of failed tool calls against the old version's, and a fixed limit where there is one."""

from __future__ import annotations

from agentrollouts.api.check_kinds import ToolFailuresSpec, tolerated
from agentrollouts.core.checks.result import (
    CheckInput,
    CheckResult,
    Verdict,
    compares,
    judge_share,
    unreported,
)
from agentrollouts.core.counters import CALLS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of
from agentrollouts.core.statistics import Proportion


def queries(spec: ToolFailuresSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (CALLS,)


def judge(spec: ToolFailuresSpec, given: CheckInput) -> CheckResult:
    """An agent that calls no tools has none that fail; one that doesn't report its calls may have any number."""
    missing = unreported(given, CALLS, compared=compares(spec.max_increase, spec.max))
    if missing is not None:
        return missing
    if not sum_of(given.candidate, CALLS.metric) and not sum_of(given.comparator, CALLS.metric):
        return CheckResult(given.name, Verdict.PASS, "no tool calls by either version")
    return judge_share(
        given,
        bad=(_failed(given.candidate), _failed(given.comparator)),
        allowed=spec.max_increase,
        tolerance=tolerated(spec, spec.max_increase),
        limit=spec.max,
        what="tool calls failed",
        unit="tool calls",
    )


def _failed(totals: Totals) -> Proportion:
    return Proportion(sum_of(totals, CALLS.metric, "failure"), sum_of(totals, CALLS.metric))
