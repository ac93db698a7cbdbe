"""What a rollout's analysis reads, and what it says: the checks by exact sequential tests, or by the quality gate's rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from agentrollouts.api.checks import CheckSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core import checks
from agentrollouts.core.asked import own_queries
from agentrollouts.core.breakers import breaker_queries
from agentrollouts.core.checks import CheckResult, Verdict, active_checks
from agentrollouts.core.counters import ASSIGNED, CALLS, COST, DURATIONS, KIT, SESSIONS, TASKS
from agentrollouts.core.evidence import CounterQuery, Unavailable
from agentrollouts.core.monitor.behavior import READ
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
    wanted = [rule.queries for _, rule in rules_of(spec)]
    return (SESSIONS if not wanted or _reads_the_kit(wanted) else wanted[-1][0]).metric


def run_checks(snapshot: Snapshot) -> tuple[CheckResult, ...]:
    """Every check's verdict on the candidate; none without a candidate."""
    if snapshot.status.candidate is None or snapshot.status.stable is None:
        return ()
    active, evidence = active_checks(snapshot.spec), snapshot.evidence
    if isinstance(evidence, Unavailable):
        reason = f"no evidence: {evidence.reason}"
        results = tuple(
            CheckResult(check.name, Verdict.INCONCLUSIVE, reason, missing=True) for check in active
        )
    elif is_sequential(snapshot.spec):
        results = _tried(snapshot, active)
    else:
        results = checks.verdicts(snapshot, active)
    return tuple(
        result.as_dry_run() if check.dry_run else result
        for check, result in zip(active, results, strict=True)
    )


def _tried(snapshot: Snapshot, active: Sequence[CheckSpec]) -> tuple[CheckResult, ...]:
    """The trial's verdicts, and those of queries of the user's own, which no trial can test."""
    own = [check for check in active if check.promql is not None]
    tested = verdicts(snapshot, [check.name for check in active if check.promql is None])
    found = {result.name: result for result in (*tested, *checks.verdicts(snapshot, own, recent=False))}
    return tuple([found[check.name] for check in active])


def _tries(spec: RolloutSpec) -> bool:
    return is_sequential(spec) and bool(active_checks(spec))


def _compared(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    if not _tries(spec):
        wanted_alone = checks.compared(spec)
        return (*wanted_alone, *(_profiled(spec) if _reads_the_kit([wanted_alone]) else ()))
    own = [checks.promql.queries(query) for _, query in own_queries(active_checks(spec))]
    wanted = [*(rule.queries for _, rule in rules_of(spec)), *own]
    shown = _beside(spec) if _reads_the_kit(wanted) else ()
    tuned = (TASKS,) if spec.strategy.self_tuning else ()
    split = (ASSIGNED,) if spec.assignment.unit == "Session" else ()
    return tuple(dict.fromkeys((*chain.from_iterable(wanted), *shown, *tuned, *split)))


def _beside(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    return (*FOR_PEOPLE, *_profiled(spec))


def _profiled(spec: RolloutSpec) -> tuple[CounterQuery, ...]:
    """What a profile is taken of when the candidate becomes stable; it comes in the same answer."""
    return READ if spec.monitor.enabled else ()


def _reads_the_kit(wanted: Iterable[Iterable[CounterQuery]]) -> bool:
    """Whether any counter is one that agents report with the kit; closed sessions come in the same answer then."""
    return any(query.bundle == KIT for queries in wanted for query in queries)
