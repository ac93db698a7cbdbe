"""latency: the share of slow tasks against the old version's.

Histogram buckets are exact counts; a quantile interpolated inside a bucket isn't, so nothing is decided on one.
"""

from __future__ import annotations

from agentrollouts.api.check_kinds import LatencySpec
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict, judge_increase
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of
from agentrollouts.core.statistics import Proportion

BUCKETS = CounterQuery("agent_task_duration_seconds_bucket", "le")


def queries(spec: LatencySpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (BUCKETS,)


def judge(spec: LatencySpec, given: CheckInput) -> CheckResult:
    """Slow is above the first bucket edge at or beyond ``slowerThan``."""
    edge = _edge(given.comparator, spec.slower_than.total_seconds())
    if edge is None:
        return CheckResult(
            given.name,
            Verdict.INCONCLUSIVE,
            f"no finite histogram edge at or above {spec.slower_than.total_seconds():g} s",
        )
    return judge_increase(
        given,
        bad=(_slow(given.candidate, edge), _slow(given.comparator, edge)),
        allowed=spec.max_increase / 10_000,
        what=f"slower than {edge} s",
    )


def _edge(totals: Totals, at_least: float) -> str | None:
    edges = {cell.value for cell in totals if cell.metric == BUCKETS.metric and cell.value != "+Inf"}
    return min((edge for edge in edges if float(edge) >= at_least), key=float, default=None)


def _slow(totals: Totals, edge: str) -> Proportion:
    n = sum_of(totals, BUCKETS.metric, "+Inf")
    return Proportion(n - sum_of(totals, BUCKETS.metric, edge), n)
