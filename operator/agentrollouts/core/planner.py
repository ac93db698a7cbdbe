"""From a decision to a plan: the route first, then the status, then everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import BaseModel

from agentrollouts.api.agentroute import AgentRouteSpec, Intent
from agentrollouts.api.approvalgate import ApprovalRecord
from agentrollouts.api.rollout_status import CandidateStatus, DecisionStatus, HandledStatus, RolloutStatus
from agentrollouts.api.scalars import FULL
from agentrollouts.core import advice, own_failures, rails
from agentrollouts.core.attention import requeue_after
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.conditions import conditions_of, phase_of
from agentrollouts.core.decision import (
    Advance,
    Complete,
    Decision,
    Hold,
    Pause,
    Promote,
    Rollback,
    SetManually,
    Undo,
    is_urgent,
)
from agentrollouts.core.findings import breakers_status, checks_status
from agentrollouts.core.gate_plan import gate_actions
from agentrollouts.core.gates import GateState, Opened, gate_state
from agentrollouts.core.monitor.watch import CONDITION, watched
from agentrollouts.core.notices import caught_up, given_up, with_notices
from agentrollouts.core.plan import Action, Emit, PatchRolloutStatus, Plan, SetRoute
from agentrollouts.core.quality_gate import looks_of
from agentrollouts.core.routing import intent_of, same_traffic, wanted_route
from agentrollouts.core.settle import settle, shares, with_intent
from agentrollouts.core.snapshot import Requests, Snapshot
from agentrollouts.core.trials import recorded

Model = TypeVar("Model", bound=BaseModel)


def settled(snapshot: Snapshot) -> Snapshot:
    """The snapshot with the route's last decision in its status, whether or not that was ever written."""
    route = snapshot.route.spec if snapshot.route else None
    gate = gate_state(snapshot)
    approvals = gate.approvals if isinstance(gate, Opened) else ()
    status = settle(snapshot.spec, snapshot.status, route, approvals)
    if status is snapshot.status:
        return snapshot
    assert route is not None and route.intent is not None
    return replace(snapshot, status=caught_up(snapshot, route.intent, status), unreported=True)


def make_plan(
    snapshot: Snapshot, results: tuple[CheckResult, ...], gate: GateState, decision: Decision
) -> Plan:
    """Everything one tick does. ``snapshot`` is settled; raises ForbiddenShareError rather than break a rail.

    The route remembers one decision. So one that was never reported is, before another takes its place; only a rollback
    waits for nothing, and tells of its candidate whatever was lost.
    """
    check_rails(snapshot, gate, decision)
    intent = intent_of(snapshot, decision)
    moved = _moved(snapshot, intent, gate)
    after = snapshot if moved is snapshot.status else replace(snapshot, status=moved)
    route, route_actions = _route(after, intent, decision)
    status, turns = watched(snapshot, _report(snapshot, moved, results, decision, route))
    status = with_notices(snapshot, intent, decision, results, status)
    late = snapshot.unreported and bool(route_actions) and not is_urgent(decision)
    writes = status != snapshot.status or snapshot.unreported
    reported = _with_trial(snapshot, _fresh(status, results) if writes else status, writes=writes)
    told = not writes and reported is status
    return Plan(
        actions=(
            *((PatchRolloutStatus(snapshot.status),) if late else ()),
            *route_actions,
            *(() if told else (PatchRolloutStatus(reported),)),
            *gate_actions(snapshot, results, gate, decision),
            *_events(snapshot, decision, route_actions),
            *turns,
            *given_up(snapshot, status),
        ),
        requeue_after=requeue_after(snapshot, results, reported),
        status=reported,
    )


def _fresh(status: RolloutStatus, results: tuple[CheckResult, ...]) -> RolloutStatus:
    """The status with today's numbers in the checks' sentences: they cost nothing where it is written anyway."""
    known = {check.name for check in status.checks}
    if not results or known != {result.name for result in results[:32]}:
        return status
    return status.model_copy(update={"checks": checks_status((), results)})


def _with_trial(snapshot: Snapshot, status: RolloutStatus, *, writes: bool) -> RolloutStatus:
    """The status with the trial of the same try in it, where it is time to write it down."""
    before, candidate = snapshot.status.candidate, status.candidate
    if before is None or candidate is None or before.attempt != candidate.attempt:
        return status
    trial = recorded(snapshot, writes=writes)
    if trial is candidate.trial:
        return status
    return status.model_copy(update={"candidate": candidate.model_copy(update={"trial": trial})})


class ForbiddenShareError(AssertionError):
    """A decision would have given a candidate a share it may not have. A bug in the rules: nothing was written."""


def check_rails(snapshot: Snapshot, gate: GateState, decision: Decision) -> None:
    """The last look before anything is written; the rules above should never let it fire. Going down needs no approval."""
    share = decision.share if isinstance(decision, Advance) else FULL if isinstance(decision, Promote) else 0
    present = snapshot.status.candidate.share if snapshot.status.candidate else 0
    if share > present and not rails.allowed(snapshot, share, gate):
        raise ForbiddenShareError(
            f"{share} basis points for {snapshot.spec.agent} without an open gate ({gate})"
        )


def _moved(snapshot: Snapshot, intent: Intent | None, gate: GateState) -> RolloutStatus:
    if intent is None:
        return snapshot.status
    approvals: tuple[ApprovalRecord, ...] = gate.approvals if isinstance(gate, Opened) else ()
    return with_intent(snapshot.spec, snapshot.status, intent, approvals)


def _route(
    after: Snapshot, intent: Intent | None, decision: Decision
) -> tuple[AgentRouteSpec | None, tuple[Action, ...]]:
    manual = decision.shares if isinstance(decision, SetManually) else ()
    if after.spec.strategy.manual and not manual:
        return (after.route.spec if after.route else None), ()
    wanted = wanted_route(after, intent, manual)
    if wanted is None:
        return None, ()
    old = after.route
    if old is not None and intent is None and same_traffic(old.spec, wanted):
        return old.spec, ()
    action = SetRoute(wanted, old.resource_version if old else None, urgent=is_urgent(decision))
    reverted = old is not None and intent is None and old.spec.arms != wanted.arms
    notice = (
        (Emit("WeightsReverted", "somebody changed the shares on the route; they were put back", "Warning"),)
        if reverted
        else ()
    )
    return wanted, (action, *notice)


def _report(
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
            candidate, _waiting(candidate, decision, now) | _of_this_try(snapshot, candidate, results)
        )
    phase = phase_of(decision, has_stable=moved.stable is not None, has_candidate=candidate is not None)
    shown = _decision(before, decision, now)
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
            "checks": checks_status(before.checks, results) if results else moved.checks,
            "breakers": breakers_status(snapshot, moved, decision),
            "handled": _handled(moved.handled, snapshot.requests),
            "advisor_usage": advice.usage(snapshot),
            "conditions": (*conditions, *(item for item in before.conditions if item.type == CONDITION)),
            "shares": shares(route, before.shares),
        },
    )


def _updated(model: Model, fields: Mapping[str, object]) -> Model:
    """The model with these fields; the same object when all of them are so already, as in almost every look."""
    if all(getattr(model, name) == value for name, value in fields.items()):
        return model
    return model.model_copy(update=fields)


def _handled(before: HandledStatus, asked: Requests) -> HandledStatus:
    return _updated(
        before, {"abort": asked.abort, "retry": asked.retry, "undo": asked.undo, "resume": asked.resume}
    )


def _decision(before: RolloutStatus, decision: Decision, now: datetime) -> DecisionStatus | None:
    old = before.decision
    if old is not None and _goes_on(old, decision):
        steady = isinstance(decision, (Hold, Pause, Complete)) or old.message == decision.message
        return old if steady else old.model_copy(update={"message": decision.message})
    action = type(decision).__name__
    return DecisionStatus(action=action, reason=decision.reason, message=decision.message[:4000], at=now)


def _goes_on(old: DecisionStatus, decision: Decision) -> bool:
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
    snapshot: Snapshot, candidate: CandidateStatus, results: tuple[CheckResult, ...]
) -> dict[str, object]:
    """The advisor's opinion and the looks that add up stay with the try they are about."""
    before = snapshot.status.candidate
    if before is None or before.attempt != candidate.attempt:
        return {}
    return {
        "advice": advice.recorded(snapshot),
        "looks": looks_of(snapshot, results),
        "check_looks": own_failures.looks_of(snapshot, results),
    }


def _events(snapshot: Snapshot, decision: Decision, route: tuple[Action, ...]) -> tuple[Action, ...]:
    old, requests, handled = snapshot.status.decision, snapshot.requests, snapshot.status.handled
    events: list[Action] = []
    if requests.undo and requests.undo != handled.undo and not isinstance(decision, Undo):
        events.append(
            Emit(
                "UndoRefused",
                "the previous version is no longer warm and ready; set spec.version to it instead",
                "Warning",
            )
        )
    if old is None or not _goes_on(old, decision) or any(isinstance(a, SetRoute) for a in route):
        stalled = isinstance(decision, Hold) and decision.stalled
        kind: Literal["Normal", "Warning"] = (
            "Warning" if stalled or isinstance(decision, (Rollback, Undo)) else "Normal"
        )
        events.append(
            Emit(f"{type(decision).__name__}{decision.reason}", decision.message or decision.reason, kind)
        )
    return tuple(events)
