"""The route a status asks for: the only place where a decision becomes shares."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from agentrollouts.api.agentroute import AgentRouteSpec, Arm, Intent
from agentrollouts.api.scalars import FULL
from agentrollouts.core.decision import (
    Advance,
    AwaitApproval,
    Complete,
    Decision,
    Hold,
    Install,
    Pause,
    Promote,
    Rollback,
    SetManually,
    Start,
    Undo,
    Withdraw,
)
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.weights import arms, manual_arms, offset

TRAFFIC = tuple(name for name in AgentRouteSpec.model_fields if name not in ("epoch", "intent"))
"""The fields of a route that say where requests go."""


def intent_of(snapshot: Snapshot, decision: Decision) -> Intent | None:
    """The record a decision leaves on the route; None for decisions that move nothing."""
    at = _moment(snapshot)
    candidate, previous = snapshot.status.candidate, snapshot.status.previous
    match decision:
        case Install():
            return _intent("Install", decision, at, version=decision.version, digest=decision.digest)
        case Start():
            return _intent(
                "Start",
                decision,
                at,
                version=decision.version,
                digest=decision.digest,
                attempt=decision.attempt,
            )
        case Advance():
            assert candidate is not None
            return _intent(
                "Advance",
                decision,
                at,
                version=candidate.version,
                digest=candidate.digest,
                attempt=candidate.attempt,
                step=min(decision.step, 64),
                share=decision.share,
                tasks=decision.tasks,
            )
        case Promote():
            assert candidate is not None
            return _intent(
                "Promote",
                decision,
                at,
                version=candidate.version,
                digest=candidate.digest,
                attempt=candidate.attempt,
                share=FULL,
            )
        case Rollback():
            assert candidate is not None
            return _intent(
                "Rollback",
                decision,
                at,
                version=candidate.version,
                digest=candidate.digest,
                attempt=candidate.attempt,
            )
        case Withdraw():
            assert candidate is not None
            return _intent(
                "Withdraw",
                decision,
                at,
                version=candidate.version,
                digest=candidate.digest,
                attempt=candidate.attempt,
            )
        case Undo():
            assert previous is not None
            return _intent("Undo", decision, at, version=previous.version, digest=previous.digest)
        case SetManually():
            largest = max(decision.shares, key=lambda item: item[1])[0]
            return _intent("Manual", decision, at, version=largest, digest=snapshot.versions[largest].digest)
        case Hold() | AwaitApproval() | Pause() | Complete():
            return None
        case _:
            assert_never(decision)


def _intent(action: str, decision: Decision, at: datetime, **fields: object) -> Intent:
    return Intent.model_validate(
        {"action": action, "at": at, "reason": decision.reason, "message": decision.message[:1000], **fields}
    )


def _moment(snapshot: Snapshot) -> datetime:
    """Now, but always after the last decision, whatever the clocks of two operators say."""
    settled = snapshot.status.settled
    return max(snapshot.now, settled + timedelta(microseconds=1)) if settled else snapshot.now


def wanted_arms(snapshot: Snapshot, manual: tuple[tuple[str, int], ...] = ()) -> tuple[Arm, ...] | None:
    """The arms that ``snapshot.status`` (already the next one) asks for; None while nothing serves."""
    if manual:
        return manual_arms(
            [(version, snapshot.versions[version].service, share) for version, share in manual if share]
        )
    status = snapshot.status
    if status.stable is None:
        return None
    stable = (status.stable.version, _service(snapshot, status.stable.version))
    candidate = status.candidate
    if candidate is None:
        return arms(stable=stable)
    return arms(
        stable=stable,
        candidate=(candidate.version, _service(snapshot, candidate.version)),
        share=candidate.share,
        control_cap=snapshot.spec.control.max_share,
    )


def _service(snapshot: Snapshot, version: str) -> str:
    view = snapshot.versions.get(version)
    return view.service if view else service_name(snapshot.spec.agent, version)


def service_name(agent: str, version: str) -> str:
    """Name of a version's Service and Deployment: a DNS label, so the dots go."""
    return f"{agent}-{version.replace('.', '-')}"


def wanted_route(
    snapshot: Snapshot, intent: Intent | None, manual: tuple[tuple[str, int], ...] = ()
) -> AgentRouteSpec | None:
    """The whole route for a snapshot whose status is already the next one."""
    wanted = wanted_arms(snapshot, manual)
    if wanted is None:
        return None
    old = snapshot.route.spec if snapshot.route else None
    spec, around = snapshot.spec, snapshot.surroundings
    return AgentRouteSpec(
        agent=spec.agent,
        port=old.port if old else around.free_port,
        offset=_offset(snapshot, intent),
        sticky=spec.assignment.sticky(),
        cookie_ttl_seconds=int(spec.assignment.cookie_ttl.total_seconds()),
        group=spec.assignment.group,
        arms=wanted,
        epoch=max(around.epoch, old.epoch if old else 0),
        timeout_seconds=int(spec.router.timeout.total_seconds()),
        intent=intent or (old.intent if old else None),
    )


def _offset(snapshot: Snapshot, intent: Intent | None) -> int:
    """A new salt for each candidate, set while stable has all the traffic, so that nobody moves because of it."""
    if snapshot.spec.assignment.group:
        return offset(snapshot.identity.namespace, snapshot.spec.assignment.group)
    old = snapshot.route.spec.offset if snapshot.route else 0
    if intent is not None and intent.action == "Start":
        return offset(snapshot.identity.uid, intent.digest, str(intent.attempt))
    return old


def same_traffic(old: AgentRouteSpec, new: AgentRouteSpec) -> bool:
    """Whether two routes send every request to the same place; the writer's epoch and the record of why aside."""
    return all(getattr(old, name) == getattr(new, name) for name in TRAFFIC)
