"""Circuit breakers: fixed limits on what the candidate did, judged at every look. One that trips takes the candidate out.

A breaker compares with nothing and asks for no certainty: it contains damage. What it stops by chance isn't part of the
error budget, so it is reported apart from the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Literal

from agentrollouts.api.breakers import (
    BREAKER_KINDS,
    BreakerSpec,
    CostBreaker,
    ErrorsBreaker,
    InterventionsBreaker,
)
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.scalars import format_duration, format_percent, format_usd
from agentrollouts.core.counters import COST, INTERVENTIONS, TASKS
from agentrollouts.core.decision import Rollback
from agentrollouts.core.evidence import CounterQuery, Evidence, Totals, Unavailable, sum_of
from agentrollouts.core.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class BreakerResult:
    """How a breaker stands, with the sentence a person reads."""

    name: str
    state: Literal["Armed", "Tripped", "Inconclusive"]
    reason: str
    toward_tripping: float = 0.0
    """How far the number is on the way to the limit, from 0 to 1. It decides nothing but when to look again."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a kind reads beside the tasks, and how it is judged: (totals, tasks, spec) to (value, limit, sentence)."""

    reads: tuple[CounterQuery, ...]
    measure: Callable[[Totals, float, Any], tuple[float, float, str]]


def _cost(totals: Totals, n: float, spec: CostBreaker) -> tuple[float, float, str]:
    mean = sum_of(totals, COST.metric) / n
    sentence = f"${mean:.6f} a task over {n:.0f} tasks, at most ${format_usd(spec.max_per_task)}"
    return mean, spec.max_per_task / 1_000_000, sentence


def _errors(totals: Totals, n: float, spec: ErrorsBreaker) -> tuple[float, float, str]:
    rate = sum_of(totals, TASKS.metric, "failure") / n
    return rate, spec.max / 10_000, f"failed {rate:.1%} of {n:.0f} tasks, at most {format_percent(spec.max)}"


def _interventions(totals: Totals, n: float, spec: InterventionsBreaker) -> tuple[float, float, str]:
    rate = sum_of(totals, INTERVENTIONS.metric) / n
    sentence = f"interventions {rate:.1%} of {n:.0f} tasks, at most {format_percent(spec.max)}"
    return rate, spec.max / 10_000, sentence


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "cost": _Kind((COST,), _cost),
        "errors": _Kind((), _errors),
        "interventions": _Kind((INTERVENTIONS,), _interventions),
    }
)
assert tuple(_KINDS) == BREAKER_KINDS


def breaker_queries(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    """Every counter the breakers need, each once."""
    wanted: dict[CounterQuery, None] = {}
    for breaker in spec.analysis.effective.breakers:
        wanted.update(dict.fromkeys((TASKS, *_KINDS[breaker.member[0]].reads)))
    return tuple(wanted)


def breaker_windows(spec: RolloutSpec) -> tuple[timedelta, ...]:
    """The windows the breakers look at, each once."""
    windows = (breaker.window for breaker in spec.analysis.effective.breakers if breaker.window)
    return tuple(dict.fromkeys(windows))


def run_breakers(snapshot: Snapshot) -> tuple[BreakerResult, ...]:
    """How every breaker stands; none without a candidate."""
    candidate, evidence = snapshot.status.candidate, snapshot.evidence
    if candidate is None:
        return ()
    return tuple(
        BreakerResult(breaker.name, "Inconclusive", f"no evidence: {evidence.reason}")
        if isinstance(evidence, Unavailable)
        else _judged(breaker, _totals(evidence, candidate.version, breaker))
        for breaker in snapshot.spec.analysis.effective.breakers
    )


def rollback(snapshot: Snapshot) -> Rollback | None:
    """The breakers that tripped, if any did."""
    tripped = [result for result in run_breakers(snapshot) if result.state == "Tripped"]
    if not tripped:
        return None
    return Rollback(
        "BreakerTripped", "; ".join(f"{result.name}: {result.reason}" for result in tripped)[:4000]
    )


def _totals(evidence: Evidence, version: str, breaker: BreakerSpec) -> Totals:
    return evidence.pooled(version, window=breaker.window) if breaker.window else evidence.pooled(version)


def _judged(breaker: BreakerSpec, totals: Totals) -> BreakerResult:
    """Exactly the limit holds. A counter that isn't reported is unknown, and not 0."""
    kind, spec = breaker.member
    n = sum_of(totals, TASKS.metric)
    if n < breaker.minimum_tasks:
        few = f"{n:.0f} of {breaker.minimum_tasks} tasks of the candidate"
        return BreakerResult(breaker.name, "Inconclusive", few)
    known = {cell.metric for cell in totals}
    lacking = [query.metric for query in _KINDS[kind].reads if query.metric not in known]
    if lacking:
        return BreakerResult(breaker.name, "Inconclusive", f"the candidate doesn't report {lacking[0]}")
    value, limit, sentence = _KINDS[kind].measure(totals, n, spec)
    if breaker.window:
        sentence += f", in the last {format_duration(breaker.window)}"
    toward = min(1.0, value / limit) if limit > 0 else float(value > 0)
    return BreakerResult(breaker.name, "Tripped" if value > limit else "Armed", sentence, toward)
