"""What a rollout's analysis reads, and what it says: the checks by exact sequential tests, or by the quality gate's rules."""

from __future__ import annotations

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core import checks
from agentrollouts.core.breakers import breaker_queries
from agentrollouts.core.checks import CheckResult, Verdict, active_checks
from agentrollouts.core.counters import ASSIGNED, CALLS, COST, DURATIONS, KIT, SESSIONS, TASKS
from agentrollouts.core.evidence import CounterQuery, Unavailable
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.trials import is_sequential, rules_of
from agentrollouts.core.verdicts import verdicts

FOR_PEOPLE = (SESSIONS, TASKS, COST, DURATIONS, CALLS)
"""How much evidence there is, and what an approval gate shows beside the verdicts; all of it comes in one answer."""


def queries(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    """Every counter a rollout needs, each once; those of the breakers last."""
    return tuple(dict.fromkeys((*_compared(spec), *breaker_queries(spec))))


def sample_metric(spec: RolloutSpec) -> str:
    """The counter that says how much evidence there is: closed sessions, or what the checks count where they don't."""
    if not _tries(spec):
        return checks.sample_metric(spec)
    units = [rule.queries[0] for _, rule in rules_of(spec)]
    return (SESSIONS if SESSIONS in _compared(spec) else units[-1]).metric


def run_checks(snapshot: Snapshot) -> tuple[CheckResult, ...]:
    """Every check's verdict on the candidate; none without a candidate."""
    if not _tries(snapshot.spec) or snapshot.status.candidate is None or snapshot.status.stable is None:
        return checks.run_checks(snapshot)
    active, evidence = active_checks(snapshot.spec), snapshot.evidence
    if isinstance(evidence, Unavailable):
        reason = f"no evidence: {evidence.reason}"
        results = [CheckResult(check.name, Verdict.INCONCLUSIVE, reason, missing=True) for check in active]
    else:
        results = list(verdicts(snapshot, [check.name for check in active]))
    return tuple(
        result.as_dry_run() if check.dry_run else result
        for check, result in zip(active, results, strict=True)
    )


def _tries(spec: RolloutSpec) -> bool:
    return is_sequential(spec) and bool(active_checks(spec))


def _compared(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    if not _tries(spec):
        return checks.compared(spec)
    wanted = dict.fromkeys(query for _, rule in rules_of(spec) for query in rule.queries)
    shown = FOR_PEOPLE if any(query.bundle == KIT for query in wanted) else ()
    tuned = (TASKS,) if spec.strategy.self_tuning else ()
    split = (ASSIGNED,) if spec.assignment.unit == "Session" else ()
    return tuple(dict.fromkeys((*wanted, *shown, *tuned, *split)))
