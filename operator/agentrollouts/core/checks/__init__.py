"""The checks. Each is one file with one function; a check is added by writing it and adding its line to ``REGISTRY``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from agentrollouts.api.checks import CHECK_KINDS, CheckSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.checks import cost, failure_rate, latency, ratio, success_rate, tool_failures
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict
from agentrollouts.core.evidence import CounterQuery, Unavailable
from agentrollouts.core.snapshot import Snapshot

Check = tuple[Callable[[Any], tuple[CounterQuery, ...]], Callable[[Any, CheckInput], CheckResult]]

REGISTRY: Mapping[str, Check] = MappingProxyType(
    {
        "successRate": (success_rate.queries, success_rate.judge),
        "failureRate": (failure_rate.queries, failure_rate.judge),
        "cost": (cost.queries, cost.judge),
        "latency": (latency.queries, latency.judge),
        "toolFailures": (tool_failures.queries, tool_failures.judge),
        "ratio": (ratio.queries, ratio.judge),
    }
)
assert set(REGISTRY) <= set(CHECK_KINDS)

TASKS = CounterQuery("agent_tasks_total", "outcome")


def active_checks(spec: RolloutSpec) -> tuple[CheckSpec, ...]:
    """The checks that run: those given; else the defaults, but for a self-tuning rollout, whose failure rate is the check."""
    return spec.analysis.checks if spec.strategy.self_tuning else spec.analysis.effective.checks


def queries(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    """Every counter a rollout needs, each once."""
    wanted: dict[CounterQuery, None] = {}
    for check in active_checks(spec):
        kind, member = check.member
        wanted.update(dict.fromkeys(REGISTRY[kind][0](member)))
    return (
        tuple(wanted)
        if wanted and not spec.strategy.self_tuning
        else (TASKS, *(q for q in wanted if q != TASKS))
    )


def sample_metric(spec: RolloutSpec) -> str:
    """The counter that says how much evidence there is: finished tasks, or a custom ratio's total where tasks aren't read."""
    wanted = queries(spec)
    for metric in (TASKS.metric, latency.BUCKETS.metric, tool_failures.CALLS.metric):
        if any(query.metric == metric for query in wanted):
            return metric
    return wanted[-1].metric


def run_checks(snapshot: Snapshot) -> tuple[CheckResult, ...]:
    """Every check's verdict on the candidate; none without a candidate."""
    candidate, stable = snapshot.status.candidate, snapshot.status.stable
    if candidate is None or stable is None:
        return ()
    evidence, checks = snapshot.evidence, active_checks(snapshot.spec)
    if isinstance(evidence, Unavailable):
        reason = f"no evidence: {evidence.reason}"
        results = [CheckResult(check.name, Verdict.INCONCLUSIVE, reason) for check in checks]
    else:
        ours, theirs = (evidence.pooled(one.version, recent=True) for one in (candidate, stable))
        applies = snapshot.spec.analysis.effective
        results = [
            _judged(check, CheckInput(check.name, ours, theirs, applies.minimum_sessions, applies.margin))
            for check in checks
        ]
    return tuple(
        result.as_dry_run() if check.dry_run else result
        for check, result in zip(checks, results, strict=True)
    )


def _judged(check: CheckSpec, given: CheckInput) -> CheckResult:
    kind, spec = check.member
    return REGISTRY[kind][1](spec, given)


__all__ = [
    "REGISTRY",
    "TASKS",
    "CheckInput",
    "CheckResult",
    "Verdict",
    "active_checks",
    "queries",
    "run_checks",
    "sample_metric",
]
