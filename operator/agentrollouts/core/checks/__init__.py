"""The checks. Each is one file with one function; a check is added by writing it and adding its line to ``REGISTRY``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from agentrollouts.api.analysis import CHECK_KINDS, CheckSpec
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
assert tuple(REGISTRY) == CHECK_KINDS

TASKS = CounterQuery("agent_tasks_total", "outcome")


def kind_and_spec(check: CheckSpec) -> tuple[str, Any]:
    """The one member of a check that is set. Raises ValueError when there isn't exactly one."""
    given = [
        (kind, value)
        for kind, field in zip(CHECK_KINDS, _FIELDS, strict=True)
        if (value := getattr(check, field)) is not None
    ]
    if len(given) != 1:
        raise ValueError(
            f"check {check.name!r}: expected exactly one of {', '.join(CHECK_KINDS)}; got {len(given)}"
        )
    return given[0]


_FIELDS = ("success_rate", "failure_rate", "cost", "latency", "tool_failures", "ratio")


def active_checks(spec: RolloutSpec) -> tuple[CheckSpec, ...]:
    """The checks that run: those given; else the defaults, but for a self-tuning rollout, whose failure rate is the check."""
    return spec.analysis.checks if spec.strategy.self_tuning else spec.analysis.effective_checks()


def queries(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    """Every counter a rollout needs, each once."""
    wanted: dict[CounterQuery, None] = {}
    for check in active_checks(spec):
        kind, member = kind_and_spec(check)
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
    evidence = snapshot.evidence
    results = []
    for check in active_checks(snapshot.spec):
        kind, spec = kind_and_spec(check)
        if isinstance(evidence, Unavailable):
            result = CheckResult(check.name, Verdict.INCONCLUSIVE, reason=f"no evidence: {evidence.reason}")
        else:
            given = CheckInput(
                name=check.name,
                candidate=evidence.pooled(candidate.version, recent=True),
                comparator=evidence.pooled(stable.version, recent=True),
                minimum_samples=snapshot.spec.analysis.minimum_samples,
            )
            result = REGISTRY[kind][1](spec, given)
        results.append(result.as_dry_run() if check.dry_run else result)
    return tuple(results)


__all__ = [
    "REGISTRY",
    "TASKS",
    "CheckInput",
    "CheckResult",
    "Verdict",
    "active_checks",
    "kind_and_spec",
    "queries",
    "run_checks",
    "sample_metric",
]
