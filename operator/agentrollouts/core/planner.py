"""From a decision to a plan: the route first, then the status, then everything else."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from agentrollouts.api.agentroute import AgentRouteSpec, Intent
from agentrollouts.api.approvalgate import ApprovalRecord
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.api.scalars import FULL
from agentrollouts.core import proofs, rails
from agentrollouts.core.attention import requeue_after
from agentrollouts.core.bundles import pushed_out, with_bundle
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decision import (
    Advance,
    Decision,
    Hold,
    Promote,
    Rollback,
    SetManually,
    Undo,
    is_urgent,
)
from agentrollouts.core.gate_plan import gate_actions
from agentrollouts.core.gates import GateState, Opened, gate_state
from agentrollouts.core.monitor.watch import watched
from agentrollouts.core.notices import caught_up, given_up, with_notices
from agentrollouts.core.plan import Action, Emit, PatchRolloutStatus, Plan, SetRoute
from agentrollouts.core.proof_plan import after_proofs, next_job
from agentrollouts.core.reporting import goes_on, report, with_fresh_numbers, with_trial
from agentrollouts.core.routing import intent_of, same_traffic, wanted_route
from agentrollouts.core.settle import settle, with_intent
from agentrollouts.core.snapshot import Snapshot


def settled(snapshot: Snapshot) -> Snapshot:
    """The snapshot with the route's last decision in its status, whether or not that was ever written."""
    route = snapshot.route.spec if snapshot.route else None
    gate = gate_state(snapshot)
    approvals = gate.approvals if isinstance(gate, Opened) else ()
    status = settle(snapshot.spec, snapshot.status, route, approvals)
    if status is snapshot.status:
        return snapshot
    assert route is not None and route.intent is not None
    status = with_bundle(snapshot, route.intent, (), caught_up(snapshot, route.intent, status))
    return replace(snapshot, status=status, unreported=True)


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
    status, turns = watched(snapshot, report(snapshot, moved, results, decision, route))
    status = with_notices(snapshot, intent, decision, results, status)
    status = with_bundle(snapshot, intent, results, status)
    late = snapshot.unreported and bool(route_actions) and not is_urgent(decision)
    writes = status != snapshot.status or snapshot.unreported
    reported = with_trial(snapshot, with_fresh_numbers(status, results) if writes else status, writes=writes)
    told = not writes and reported is status
    return Plan(
        actions=(
            *((PatchRolloutStatus(snapshot.status),) if late else ()),
            *route_actions,
            *next_job(snapshot, decision),
            *(() if told else (PatchRolloutStatus(reported),)),
            *gate_actions(snapshot, results, gate, decision),
            *after_proofs(snapshot, reported),
            *_events(snapshot, decision, route_actions),
            *turns,
            *given_up(snapshot, status),
            *pushed_out(snapshot, status),
        ),
        requeue_after=requeue_after(snapshot, results, reported),
        status=reported,
    )


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
    if share > present and not proofs.is_proven(snapshot):
        raise ForbiddenShareError(f"{share} basis points for {snapshot.spec.agent} before all is proven")
    for version, by_hand in decision.shares if isinstance(decision, SetManually) else ():
        if by_hand and not proofs.may_serve(snapshot, version):
            raise ForbiddenShareError(f"{by_hand} basis points by hand for {version} before all is proven")


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
    if old is None or not goes_on(old, decision) or any(isinstance(a, SetRoute) for a in route):
        stalled = isinstance(decision, Hold) and decision.stalled
        kind: Literal["Normal", "Warning"] = (
            "Warning" if stalled or isinstance(decision, (Rollback, Undo)) else "Normal"
        )
        events.append(
            Emit(f"{type(decision).__name__}{decision.reason}", decision.message or decision.reason, kind)
        )
    return tuple(events)
