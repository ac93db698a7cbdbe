"""latency: the share of tasks above several edges of a histogram against the old version's.

Histogram buckets are exact counts; a quantile interpolated inside a bucket isn't, so nothing is decided on one. How much more
may lie above an edge follows from the old version's own latency around it.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentrollouts.api.check_kinds import LatencySpec, tolerated
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict, judge_increase, worst
from agentrollouts.core.counters import DURATIONS
from agentrollouts.core.evidence import CounterQuery, Totals
from agentrollouts.core.sequential.latency import margins, speaking
from agentrollouts.core.statistics import Proportion


def queries(spec: LatencySpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (DURATIONS,)


def judge(spec: LatencySpec, given: CheckInput) -> CheckResult:
    """The worst of the edges that tell something."""
    ours, theirs = _counts(given.candidate), _counts(given.comparator)
    below = _distribution(theirs)
    allowed, tolerance = (
        margins(below, growth / 10_000) for growth in (spec.max_increase, tolerated(spec, spec.max_increase))
    )
    edges = speaking(below, spec.slower_than.total_seconds() if spec.slower_than else None)
    if not edges:
        return CheckResult(given.name, Verdict.INCONCLUSIVE, _nothing(spec, theirs))
    return worst(
        given.name,
        [
            judge_increase(
                given,
                bad=(_slow(ours, edge), _slow(theirs, edge)),
                allowed=allowed[edge],
                tolerance=tolerance[edge],
                what=f"slower than {edge} s",
            )
            for edge in edges
        ],
    )


def _nothing(spec: LatencySpec, counts: Mapping[str, float]) -> str:
    if not any(counts.values()):
        return "no task of the old version in the histogram"
    if spec.slower_than is None:
        return "the histogram of the old version has no finite edge"
    return f"no finite histogram edge at or above {spec.slower_than.total_seconds():g} s"


def _counts(totals: Totals) -> dict[str, float]:
    """By edge: the tasks at or under it."""
    return {cell.value: n for cell, n in totals.items() if cell.metric == DURATIONS.metric}


def _distribution(counts: Mapping[str, float]) -> dict[str, float]:
    """By edge: the part of the tasks at or under it; empty without tasks."""
    n = counts.get("+Inf", 0.0)
    return {edge: count / n for edge, count in counts.items() if edge != "+Inf"} if n else {}


def _slow(counts: Mapping[str, float], edge: str) -> Proportion:
    n = counts.get("+Inf", 0.0)
    return Proportion(n - counts.get(edge, 0.0), n)
