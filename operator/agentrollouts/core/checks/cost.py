"""cost: the mean cost of a task against the old version's, and against a fixed limit where there is one."""

from __future__ import annotations

from agentrollouts.api.check_kinds import CostSpec
from agentrollouts.api.scalars import format_usd
from agentrollouts.core.checks.result import (
    CheckInput,
    CheckResult,
    Verdict,
    part_of,
    short_of,
    unreported,
    worst,
)
from agentrollouts.core.counters import COST, TASKS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of


def queries(spec: CostSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (TASKS, COST)


def judge(spec: CostSpec, given: CheckInput) -> CheckResult:
    """A comparison of means; an old version that costs nothing can't be exceeded by a share, so any cost is a WARN.

    The counters say nothing of how much costs scatter, so ``tolerance`` has no part in it: it is for the sequential mode.
    """
    results = [_compared(spec, given)]
    if spec.max is not None:
        results.insert(0, _limited(spec.max, given))
    return worst(given.name, results)


def _limited(most: int, given: CheckInput) -> CheckResult:
    n = sum_of(given.candidate, TASKS.metric)
    missing = short_of(given, (n, given.minimum_sessions)) or unreported(given, COST, compared=False)
    if missing is not None:
        return missing
    mean = _mean(given.candidate)
    verdict = Verdict.FAIL if mean * 1_000_000 > most else Verdict.PASS
    reason = f"${mean:.6f} a task, at most ${format_usd(most)}"
    return CheckResult(given.name, verdict, reason, part_of(mean, most / 1_000_000))


def _compared(spec: CostSpec, given: CheckInput) -> CheckResult:
    n = (sum_of(given.candidate, TASKS.metric), sum_of(given.comparator, TASKS.metric))
    missing = short_of(given, n) or unreported(given, COST)
    if missing is not None:
        return missing
    mean, old = _mean(given.candidate), _mean(given.comparator)
    reason = f"${mean:.6f} a task against ${old:.6f}, allowed +{spec.max_increase / 100:g}%"
    toward = part_of(mean - old, old * spec.max_increase / 10_000)
    if mean <= old * (1 + spec.max_increase / 10_000):
        return CheckResult(given.name, Verdict.PASS, reason, toward)
    return CheckResult(given.name, Verdict.FAIL if old > 0 else Verdict.WARN, reason, toward)


def _mean(totals: Totals) -> float:
    return sum_of(totals, COST.metric) / sum_of(totals, TASKS.metric)
