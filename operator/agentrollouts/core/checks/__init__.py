"""The checks. Each is one file with one function; a check is added by writing it and adding its line to ``REGISTRY``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from agentrollouts.api.checks import CHECK_KINDS, DEFAULT_CHECKS, CheckSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.asked import told
from agentrollouts.core.checks import (
    cost,
    events,
    failure_rate,
    latency,
    latency_quantile,
    llm_calls,
    promql,
    ratio,
    response_length,
    score,
    success_rate,
    tool_failures,
    tool_mix,
    topic_mix,
)
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict
from agentrollouts.core.counters import CALLS, DURATIONS, SESSIONS, TASKS
from agentrollouts.core.evidence import CounterQuery, Evidence
from agentrollouts.core.snapshot import Snapshot

Check = tuple[Callable[[Any], tuple[CounterQuery, ...]], Callable[[Any, CheckInput], CheckResult]]

REGISTRY: Mapping[str, Check] = MappingProxyType(
    {
        "successRate": (success_rate.queries, success_rate.judge),
        "failureRate": (failure_rate.queries, failure_rate.judge),
        "cost": (cost.queries, cost.judge),
        "latency": (latency.queries, latency.judge),
        "latencyQuantile": (latency_quantile.queries, latency_quantile.judge),
        "toolFailures": (tool_failures.queries, tool_failures.judge),
        "toolMix": (tool_mix.queries, tool_mix.judge),
        "topicMix": (topic_mix.queries, topic_mix.judge),
        "responseLength": (response_length.queries, response_length.judge),
        "events": (events.queries, events.judge),
        "llmCalls": (llm_calls.queries, llm_calls.judge),
        "score": (score.queries, score.judge),
        "ratio": (ratio.queries, ratio.judge),
        "promql": (promql.queries, promql.judge),
    }
)
assert tuple(REGISTRY) == CHECK_KINDS


def active_checks(spec: RolloutSpec) -> tuple[CheckSpec, ...]:
    """The checks that run. Of a self-tuning rollout the failure rate is the check, and the default ones don't run beside it."""
    checks = spec.analysis.effective.checks
    return () if spec.strategy.self_tuning and checks is DEFAULT_CHECKS else checks


def compared(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    """Every counter the checks read in threshold mode, each once."""
    wanted: dict[CounterQuery, None] = {}
    for check in active_checks(spec):
        kind, member = check.member
        wanted.update(dict.fromkeys(REGISTRY[kind][0](member)))
    return tuple({TASKS: None} | wanted if spec.strategy.self_tuning or not wanted else wanted)


def sample_metric(spec: RolloutSpec) -> str:
    """The counter that says how much evidence there is: finished tasks; where they aren't read, what the checks count."""
    wanted = compared(spec)
    for query in (TASKS, DURATIONS, CALLS, SESSIONS):
        if query in wanted:
            return query.metric
    return wanted[-1].metric


def verdicts(
    snapshot: Snapshot, wanted: Iterable[CheckSpec], *, recent: bool = True
) -> tuple[CheckResult, ...]:
    """What each of these checks says by its own rules; there is a candidate, and evidence about it.

    So all are judged in threshold mode; in sequential mode those that can't be tested, over everything (``recent`` False).
    """
    candidate, stable, evidence = snapshot.status.candidate, snapshot.status.stable, snapshot.evidence
    assert candidate is not None and stable is not None and isinstance(evidence, Evidence)
    ours, theirs = (evidence.pooled(one.version, recent=recent) for one in (candidate, stable))
    analysis = snapshot.spec.analysis
    applies = analysis.effective
    given = CheckInput("", ours, theirs, applies.minimum_sessions, applies.margin)
    says = partial(
        told,
        evidence,
        candidate=candidate.version,
        stable=stable.version,
        now=snapshot.now,
        interval=analysis.interval,
    )
    return tuple(
        _judged(check, replace(given, name=check.name, told=says(check.name) if check.promql else given.told))
        for check in wanted
    )


def _judged(check: CheckSpec, given: CheckInput) -> CheckResult:
    kind, spec = check.member
    return REGISTRY[kind][1](spec, given)


__all__ = [
    "REGISTRY",
    "CheckInput",
    "CheckResult",
    "Verdict",
    "active_checks",
    "compared",
    "sample_metric",
    "verdicts",
]
