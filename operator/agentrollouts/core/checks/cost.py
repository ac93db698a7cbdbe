"""cost: the mean cost of a task against the old version's."""

from __future__ import annotations

from agentrollouts.api.check_kinds import CostSpec
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict, part_of, too_few
from agentrollouts.core.checks.success_rate import TASKS
from agentrollouts.core.evidence import CounterQuery, sum_of

COST = CounterQuery("agent_task_cost_usd_total")


def queries(spec: CostSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (TASKS, COST)


def judge(spec: CostSpec, given: CheckInput) -> CheckResult:
    """A comparison of means; an old version that costs nothing can't be exceeded by a share, so any cost is a WARN."""
    ours, theirs = sum_of(given.candidate, TASKS.metric), sum_of(given.comparator, TASKS.metric)
    if ours < given.minimum_sessions:
        return too_few(given.name, ours, given.minimum_sessions)
    if theirs < given.minimum_sessions:
        return too_few(given.name, theirs, given.minimum_sessions, "tasks of the old version")
    mean, old = sum_of(given.candidate, COST.metric) / ours, sum_of(given.comparator, COST.metric) / theirs
    reason = f"${mean:.6f} a task against ${old:.6f}, allowed +{spec.max_increase / 100:g}%"
    toward = part_of(mean - old, old * spec.max_increase / 10_000)
    if mean <= old * (1 + spec.max_increase / 10_000):
        return CheckResult(given.name, Verdict.PASS, reason, toward)
    return CheckResult(given.name, Verdict.FAIL if old > 0 else Verdict.WARN, reason, toward)
