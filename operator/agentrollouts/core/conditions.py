"""From a decision to what people and tools read: phase, message and kstatus conditions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, assert_never

from agentrollouts.api.conditions import Condition
from agentrollouts.api.rollout_status import RolloutPhase
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


def phase_of(decision: Decision, *, has_stable: bool, has_candidate: bool) -> RolloutPhase:
    """The one-word state after a decision has been carried out."""
    match decision:
        case Install() | SetManually() | Promote() | Withdraw():
            return "Healthy"
        case Start() | Advance():
            return "Progressing"
        case Hold(stalled=stalled, until=until):
            if until is not None and not has_candidate:
                return "Pending"
            if not has_stable:
                return "Degraded" if stalled else "Pending"
            return "Degraded" if stalled else "Progressing" if has_candidate else "Healthy"
        case AwaitApproval():
            return "AwaitingApproval"
        case Pause():
            return "Paused"
        case Rollback() | Undo():
            return "RolledBack"
        case Complete(degraded=degraded):
            return "RolledBack" if degraded else "Healthy"
        case _:
            assert_never(decision)


def conditions_of(
    decision: Decision,
    phase: RolloutPhase,
    *,
    generation: int,
    now: datetime,
    before: tuple[Condition, ...],
    stable_ready: bool,
) -> tuple[Condition, ...]:
    """Ready, Reconciling and Stalled. Reconciling and Stalled are never both true."""
    stalled = phase in ("Degraded", "RolledBack") or (
        isinstance(decision, Pause) and decision.reason != "Paused"
    )
    reconciling = not stalled and phase in (
        "Pending",
        "Progressing",
        "Paused",
        "AwaitingApproval",
        "Promoting",
    )
    ready = not stalled and not reconciling and stable_ready
    reason, message = decision.reason, decision.message
    serving = ready or stable_ready
    rows = (
        ("Ready", ready, reason if stable_ready or not ready else "StableNotReady", message),
        ("Reconciling", reconciling, reason, message),
        ("Stalled", stalled, reason, message),
        ("Available", serving, "StableReady" if serving else "StableNotReady", ""),
    )
    return tuple(
        condition(
            kind,
            status=status,
            reason=why,
            message=text if status or kind == "Ready" else "",
            generation=generation,
            now=now,
            before=before,
        )
        for kind, status, why, text in rows
    )


def condition(
    kind: str,
    *,
    status: bool | None,
    reason: str,
    message: str,
    generation: int,
    now: datetime,
    before: tuple[Condition, ...],
) -> Condition:
    """One condition; its transition time moves only when its status does. ``status`` None: unknown."""
    value: Literal["True", "False", "Unknown"] = (
        "Unknown" if status is None else "True" if status else "False"
    )
    old = next((item for item in before if item.type == kind), None)
    since = old.last_transition_time if old is not None and old.status == value else now
    reason, message = reason or "Unknown", message[:4000]
    said = (value, reason, message, generation)
    if old is not None and said == (old.status, old.reason, old.message, old.observed_generation):
        return old
    return Condition(
        type=kind,
        status=value,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=since,
    )
