"""latencyQuantile: a quantile of the task durations against a fixed limit.

It is read from the buckets of all pods added up: a mean of the pods' quantiles is no quantile of anything. Buckets tell
between which two edges it lies and no more, so where the limit is between those two the answer is WARN.
"""

from __future__ import annotations

from math import ceil, inf

from agentrollouts.api.check_kinds import LatencyQuantileSpec
from agentrollouts.api.scalars import format_percent
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict, part_of, too_few
from agentrollouts.core.counters import DURATIONS
from agentrollouts.core.evidence import CounterQuery, Totals


def queries(spec: LatencyQuantileSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (DURATIONS,)


def judge(spec: LatencyQuantileSpec, given: CheckInput) -> CheckResult:
    """Above the last finite edge is above the limit. A quantile of 99% needs a hundred tasks: of fewer it is just the slowest."""
    edges = _buckets(given.candidate)
    n, beyond = edges.pop(inf, 0.0), 10_000 - spec.quantile
    needed = max(given.minimum_sessions, ceil(10_000 / beyond))
    if n < needed:
        return too_few(given.name, n, needed)
    if not edges:
        return CheckResult(given.name, Verdict.INCONCLUSIVE, f"{DURATIONS.metric} has no finite edge")
    limit = spec.max.total_seconds()
    low, high = _around(edges, n * spec.quantile / 10_000)
    what = f"{format_percent(spec.quantile)} of {n:.0f} tasks"
    within = max((count for edge, count in edges.items() if edge <= limit), default=0.0)
    toward = part_of(1 - within / n, beyond / 10_000)
    if high <= limit:
        return CheckResult(given.name, Verdict.PASS, f"{what} within {high:g} s, at most {limit:g} s", toward)
    if low >= limit or high == inf:
        return CheckResult(
            given.name, Verdict.FAIL, f"{what} are not within {low:g} s, at most {limit:g} s", toward
        )
    return CheckResult(
        given.name,
        Verdict.WARN,
        f"{what} between {low:g} and {high:g} s; the buckets can't tell on which side of {limit:g} s",
        toward,
    )


def _buckets(totals: Totals) -> dict[float, float]:
    """Edge in seconds to the tasks within it, in growing order."""
    counts = {cell.value: n for cell, n in totals.items() if cell.metric == DURATIONS.metric}
    return dict(sorted((float(edge), n) for edge, n in counts.items()))


def _around(edges: dict[float, float], rank: float) -> tuple[float, float]:
    """The edges between which the task of a rank lies: (0 or the last edge too low, the first that suffices or infinity)."""
    low = 0.0
    for edge, count in edges.items():
        if count >= rank:
            return low, edge
        low = edge
    return low, inf
