"""successRate: does the candidate fail more of its tasks than the old version did over the same time?"""

from __future__ import annotations

from agentrollouts.api.check_kinds import SuccessRateSpec
from agentrollouts.core.checks.result import CheckInput, CheckResult, judge_increase
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of
from agentrollouts.core.statistics import Proportion

TASKS = CounterQuery("agent_tasks_total", "outcome")


def queries(spec: SuccessRateSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (TASKS,)


def judge(spec: SuccessRateSpec, given: CheckInput) -> CheckResult:
    """Everything that isn't a success counts against it, refusals and escalations too."""
    return judge_increase(
        given,
        bad=(_unsuccessful(given.candidate), _unsuccessful(given.comparator)),
        allowed=(given.margin if spec.max_drop is None else spec.max_drop) / 10_000,
        what="not successful",
    )


def _unsuccessful(totals: Totals) -> Proportion:
    n = sum_of(totals, TASKS.metric)
    return Proportion(n - sum_of(totals, TASKS.metric, "success"), n)
