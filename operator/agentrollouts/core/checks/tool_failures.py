"""toolFailures: the share of failed tool calls against the old version's."""

from __future__ import annotations

from agentrollouts.api.check_kinds import ToolFailuresSpec
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict, judge_increase
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of
from agentrollouts.core.statistics import Proportion

CALLS = CounterQuery("agent_tool_calls_total", "outcome")


def queries(spec: ToolFailuresSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (CALLS,)


def judge(spec: ToolFailuresSpec, given: CheckInput) -> CheckResult:
    """An agent that calls no tools has none that fail."""
    if not sum_of(given.candidate, CALLS.metric) and not sum_of(given.comparator, CALLS.metric):
        return CheckResult(given.name, Verdict.PASS, "no tool calls by either version")
    return judge_increase(
        given,
        bad=(_failed(given.candidate), _failed(given.comparator)),
        allowed=spec.max_increase / 10_000,
        what="tool calls failed",
    )


def _failed(totals: Totals) -> Proportion:
    return Proportion(sum_of(totals, CALLS.metric, "failure"), sum_of(totals, CALLS.metric))
