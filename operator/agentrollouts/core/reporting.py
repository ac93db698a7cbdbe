"""The next status: what is reported of a decision, so that nothing is written because a number moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel

from agentrollouts.api.agentroute import AgentRouteSpec
from agentrollouts.api.before_traffic import ProofStatus
from agentrollouts.api.rollout_status import CandidateStatus, DecisionStatus, HandledStatus, RolloutStatus
from agentrollouts.core import advice, own_failures, proofs
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.conditions import conditions_of, phase_of
from agentrollouts.core.decision import Complete, Decision, Hold, Pause
from agentrollouts.core.findings import breakers_status, checks_status
from agentrollouts.core.monitor.watch import CONDITION
from agentrollouts.core.quality_gate import looks_of
from agentrollouts.core.settle import shares
from agentrollouts.core.snapshot import Requests, Snapshot
from agentrollouts.core.trials import recorded
from agentrollouts.core.verification import UNVERIFIED

Model = TypeVar("Model", bound=BaseModel)


def report(
    snapshot: Snapshot,
    moved: RolloutStatus,
    results: tuple[CheckResult, ...],
    decision: Decision,
    route: AgentRouteSpec | None,
) -> RolloutStatus:
    """The next status. Numbers that change all the time are written only when a verdict or the decision changes."""
    before, now = snapshot.status, snapshot.now
    candidate = moved.candidate
    if candidate is not None:
        candidate = _updated(
            candidate,
            _waiting(candidate, decision, now) | _of_this_try(snapshot, candidate, results, decision),
        )
    phase = phase_of(decision, has_stable=moved.stable is not None, has_candidate=candidate is not None)
    checks = checks_status(before.checks, results) if results else moved.checks
    turned = bool(results) and checks != before.checks
    shown = _decision(before, decision, now, turned=turned or _proofs(before.candidate) != _proofs(candidate))
    same = shown is before.decision and before.observed_generation == snapshot.identity.generation
    stable = snapshot.versions.get(moved.stable.version) if moved.stable else None
    spoken = decision
    if same and shown is not None and (shown.reason, shown.message) != (decision.reason, decision.message):
        spoken = replace(decision, reason=shown.reason, message=shown.message)
    conditions = conditions_of(
        spoken,
        phase,
        generation=snapshot.identity.generation,
        now=now,
        before=before.conditions,
        stable_ready=stable is not None and stable.ready,
    )
    return _updated(
        moved,
        {
            "observed_generation": snapshot.identity.generation,
            "phase": phase,
            "message": _message(snapshot, moved, phase, shown),
            "candidate": candidate,
            "route": snapshot.identity.name,
            "decision": shown,
            "checks": checks,
            "breakers": breakers_status(snapshot, moved, decision),
            "handled": _handled(moved.handled, snapshot.requests),
            "advisor_usage": advice.usage(snapshot),
            "conditions": (*conditions, *(item for item in before.conditions if item.type == CONDITION)),
            "shares": shares(route, before.shares),
        },
    )


def _proofs(candidate: CandidateStatus | None) -> tuple[ProofStatus, ...]:
    return candidate.proofs if candidate is not None else ()


def _updated(model: Model, fields: Mapping[str, object]) -> Model:
    """The model with these fields; the same object when all of them are so already, as in almost every look."""
    if all(getattr(model, name) == value for name, value in fields.items()):
        return model
    return model.model_copy(update=fields)


def _handled(before: HandledStatus, asked: Requests) -> HandledStatus:
    return _updated(
        before, {"abort": asked.abort, "retry": asked.retry, "undo": asked.undo, "resume": asked.resume}
    )


def _decision(
    before: RolloutStatus, decision: Decision, now: datetime, *, turned: bool
) -> DecisionStatus | None:
    """A hold that goes on keeps its sentence, unless a verdict ``turned``: then it may be about other checks."""
    old = before.decision
    if old is not None and goes_on(old, decision):
        # NB: what is still to be vouched for is no number that moved: it gets shorter, statement by statement.
        holds = isinstance(decision, Hold) and not turned and decision.reason != UNVERIFIED
        steady = holds or isinstance(decision, (Pause, Complete)) or old.message == decision.message
        return old if steady else old.model_copy(update={"message": decision.message})
    action = type(decision).__name__
    return DecisionStatus(action=action, reason=decision.reason, message=decision.message[:4000], at=now)


def goes_on(old: DecisionStatus, decision: Decision) -> bool:
    """Whether a decision says nothing new: the same again, or that what was decided is done."""
    if isinstance(decision, Complete) and decision.degraded:
        # NB: by the message, too: another version may be kept out for the same reason.
        told = old.reason == decision.reason and old.message.startswith(decision.message)
        return told and old.action in ("Rollback", "Undo", "Complete")
    if (old.action, old.reason) == (type(decision).__name__, decision.reason):
        return True
    if not isinstance(decision, Complete):
        return False
    return old.action in ("Install", "Promote", "Withdraw", "SetManually")


def _message(snapshot: Snapshot, moved: RolloutStatus, phase: str, shown: DecisionStatus | None) -> str:
    rejected, stable, told = moved.rejected, moved.stable, shown.message if shown else ""
    if phase != "RolledBack" or stable is None:
        return told
    if rejected is not None and told.startswith(rejected.message):
        told = f"{rejected.version} was taken out: {rejected.message}"
    return (
        f"{stable.version} serves; {told}. To try it again:"
        f' kubectl annotate rollout {snapshot.identity.name} --overwrite agentrollouts.io/retry="$(date +%s)"'
    )[:4000]


def _waiting(candidate: CandidateStatus, decision: Decision, now: datetime) -> dict[str, object]:
    """The clock of missing evidence, and a pause that only a person ends."""
    blind = isinstance(decision, Hold) and decision.no_evidence
    paused = isinstance(decision, Pause) and decision.reason != "Paused"
    since = (candidate.no_evidence_since or now) if blind or paused else None
    return {
        "no_evidence_since": now if candidate.paused_reason and not paused and blind else since,
        "paused_reason": decision.reason if paused else "",
    }


def _of_this_try(
    snapshot: Snapshot, candidate: CandidateStatus, results: tuple[CheckResult, ...], decision: Decision
) -> dict[str, object]:
    """What was proven, the advisor's opinion and the looks that add up stay with the try they are about."""
    before = snapshot.status.candidate
    if before is None or before.attempt != candidate.attempt:
        return {}
    return {
        "advice": advice.recorded(snapshot),
        "proofs": proofs.recorded(snapshot, decision),
        "looks": looks_of(snapshot, results),
        "check_looks": own_failures.looks_of(snapshot, results),
    }


def with_fresh_numbers(status: RolloutStatus, results: tuple[CheckResult, ...]) -> RolloutStatus:
    """The status with today's numbers in the checks' sentences: they cost nothing where it is written anyway."""
    known = {check.name for check in status.checks}
    if not results or known != {result.name for result in results[:32]}:
        return status
    return status.model_copy(update={"checks": checks_status((), results)})


def with_trial(snapshot: Snapshot, status: RolloutStatus, *, writes: bool) -> RolloutStatus:
    """The status with the trial of the same try in it, where it is time to write it down."""
    before, candidate = snapshot.status.candidate, status.candidate
    if before is None or candidate is None or before.attempt != candidate.attempt:
        return status
    trial = recorded(snapshot, writes=writes)
    if trial is candidate.trial:
        return status
    return status.model_copy(update={"candidate": candidate.model_copy(update={"trial": trial})})
