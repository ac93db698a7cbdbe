"""successRate: does the candidate fail more of its tasks than the old version did over the same time?"""

from __future__ import annotations

from agentrollouts.api.check_kinds import SuccessRateSpec, tolerated
from agentrollouts.core.checks.result import CheckInput, CheckResult, judge_share
from agentrollouts.core.counters import TASKS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of
from agentrollouts.core.statistics import Proportion


def queries(spec: SuccessRateSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (TASKS,)


def judge(spec: SuccessRateSpec, given: CheckInput) -> CheckResult:
    """Everything that isn't a success counts against it, refusals and escalations too."""
    allowed = given.margin if spec.max_drop is None else spec.max_drop
    return judge_share(
        given,
        bad=(_unsuccessful(given.candidate), _unsuccessful(given.comparator)),
        allowed=allowed,
        tolerance=tolerated(spec, allowed),
        limit=None if spec.min is None else 10_000 - spec.min,
        what="not successful",
    )


def _unsuccessful(totals: Totals) -> Proportion:
    n = sum_of(totals, TASKS.metric)
    return Proportion(n - sum_of(totals, TASKS.metric, "success"), n)
