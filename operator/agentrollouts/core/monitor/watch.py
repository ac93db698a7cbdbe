"""What is watched and when, what a look says, and what the status keeps of it: written only when something begins or ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from agentrollouts.api.conditions import Condition
from agentrollouts.api.monitor import DriftStatus
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus, StableStatus
from agentrollouts.api.scalars import format_duration
from agentrollouts.core.conditions import condition
from agentrollouts.core.evidence import Evidence, Unavailable
from agentrollouts.core.monitor.behavior import behavior_in, behavior_then, profile_of
from agentrollouts.core.monitor.signals import Finding, compared
from agentrollouts.core.plan import Emit
from agentrollouts.core.snapshot import Snapshot

CONDITION = "BehaviorDrifting"
ENOUGH = 0.5
"""Once something has been said, this part of ``minimumSessions`` suffices to go on: quiet hours don't make it come and go."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the stable version. ``silent``: why nothing is known, in one CamelCase word; empty where something is."""

    findings: tuple[Finding, ...] = ()
    silent: str = ""


class Watched(NamedTuple):
    """What a tick makes of the monitor: the next status, and the events of what began or ended."""

    status: RolloutStatus
    events: tuple[Emit, ...] = ()


def is_watched(spec: RolloutSpec, status: RolloutStatus) -> bool:
    """Whether the stable version is watched now. A rollout goes first, and shares set by hand have no one version that serves."""
    return (
        spec.monitor.enabled
        and spec.strategy.manual is None
        and status.stable is not None
        and status.candidate is None
    )


def watched_since(stable: StableStatus, window: timedelta, now: datetime) -> datetime:
    """From when on its counters are added up: one to two windows ago, at most since it is stable.

    It moves by whole windows, so that the sums are begun anew once a window and pods that are long gone are forgotten.
    """
    passed = (now - stable.since) // window
    return stable.since + max(0, passed - 1) * window


def look_at(snapshot: Snapshot) -> Look | None:
    """What the evidence says now; None where nothing was read, or there is nothing to compare with."""
    stable, spec = snapshot.status.stable, snapshot.spec.monitor
    evidence = snapshot.behavior
    if stable is None or stable.profile is None or not isinstance(evidence, Evidence):
        return None
    now = behavior_in(evidence, stable.version, recent=True)
    said = _present(snapshot.status.conditions)
    enough = spec.minimum_sessions * (ENOUGH if said is not None and said.status != "Unknown" else 1.0)
    if now is None or now.sessions < enough:
        return Look(silent="TooFewSessions")
    drifting = {drift.signal for drift in snapshot.status.drift}
    findings = compared(spec, behavior_then(stable.profile), now, drifting)
    return Look(findings) if findings else Look(silent="NotReported")


def watched(snapshot: Snapshot, status: RolloutStatus) -> Watched:
    """``status``, as the decision leaves it, with the monitor's part in it. ``snapshot`` is from before the decision."""
    status = _with_profile(snapshot, status)
    if not snapshot.spec.monitor.enabled:
        return Watched(
            _told(snapshot, status.model_copy(update={"drift": ()}) if status.drift else status, None)
        )
    same = _same_version(snapshot.status.stable, status.stable)
    look = look_at(snapshot) if same and is_watched(snapshot.spec, status) else None
    if look is None:
        return Watched(_told(snapshot, status, None))
    drift, events = _turned(snapshot, status, look.findings)
    if drift != status.drift:
        status = status.model_copy(update={"drift": drift})
    return Watched(_told(snapshot, status, look), events)


def _same_version(one: StableStatus | None, other: StableStatus | None) -> bool:
    return one is not None and other is not None and (one.version, one.since) == (other.version, other.since)


def _with_profile(snapshot: Snapshot, status: RolloutStatus) -> RolloutStatus:
    """With the profile of a stable version that has none yet: of its rollout when it was promoted, or of its first sessions."""
    stable, spec = status.stable, snapshot.spec.monitor
    if stable is None or stable.profile is not None or not spec.enabled:
        return status
    candidate = snapshot.status.candidate
    promoted = candidate is not None and candidate.version == stable.version
    evidence: Evidence | Unavailable | None = snapshot.evidence if promoted else snapshot.behavior
    if not promoted and not _same_version(snapshot.status.stable, stable):
        return status
    behavior = behavior_in(evidence, stable.version) if isinstance(evidence, Evidence) else None
    if behavior is None or behavior.sessions < spec.minimum_sessions:
        return status
    profile = profile_of(behavior, snapshot.now)
    return status.model_copy(update={"stable": stable.model_copy(update={"profile": profile})})


def _turned(
    snapshot: Snapshot, status: RolloutStatus, findings: tuple[Finding, ...]
) -> tuple[tuple[DriftStatus, ...], tuple[Emit, ...]]:
    """What drifts after a look, and an event for what began and one for what ended. What is unknown stays as it was."""
    before = {drift.signal: drift for drift in status.drift}
    found = {finding.signal: finding for finding in findings}
    begun = [one for one in findings if one.drifting and one.signal not in before]
    ended = [one for one in findings if not one.drifting and one.signal in before]
    stays = [drift for drift in status.drift if drift.signal not in found or found[drift.signal].drifting]
    news = [DriftStatus(signal=one.signal, since=snapshot.now, message=one.sentence[:4000]) for one in begun]
    version = snapshot.status.stable.version if snapshot.status.stable else ""
    events: list[Emit] = []
    if begun:
        events.append(Emit("BehaviorDrifted", f"{version} behaves otherwise. {_joined(begun)}", "Warning"))
    if ended:
        events.append(Emit("BehaviorRecovered", f"{version} behaves as accepted again. {_joined(ended)}"))
    return (*stays, *news), tuple(events)


def _joined(findings: list[Finding]) -> str:
    return ". ".join(finding.sentence for finding in findings)


def _told(snapshot: Snapshot, status: RolloutStatus, look: Look | None) -> RolloutStatus:
    """With the condition. Before anything is known there is none, so a version that reports nothing never looks watched."""
    mine = _condition(snapshot, status, look)
    if mine is _present(status.conditions):
        return status
    others = tuple(item for item in status.conditions if item.type != CONDITION)
    conditions = others if mine is None else (*others, mine)
    return status.model_copy(update={"conditions": conditions})


def _condition(snapshot: Snapshot, status: RolloutStatus, look: Look | None) -> Condition | None:
    """The sentences are those of the look at which a drift began: a condition changes when that does, and not with a number."""
    before, stable = _present(snapshot.status.conditions), status.stable
    if stable is None or stable.profile is None or not snapshot.spec.monitor.enabled:
        return None
    if look is None:
        stale = before is not None and before.status == "True" and not status.drift
        return None if stale or not _same_version(snapshot.status.stable, stable) else before
    if look.silent and before is None:
        return None
    window = format_duration(snapshot.spec.monitor.window)
    value: bool | None = bool(status.drift)
    reason, message = (
        "AsAccepted",
        f"{stable.version} behaves as in its profile of {stable.profile.sessions} sessions",
    )
    if look.silent:
        value, reason = None, look.silent
        message = (
            f"too few closed sessions within {window} to compare with the profile, or they aren't reported"
        )
    elif status.drift:
        reason, message = "Drifted", ". ".join(drift.message for drift in status.drift)
    return condition(
        CONDITION,
        status=value,
        reason=reason,
        message=message,
        generation=snapshot.identity.generation,
        now=snapshot.now,
        before=snapshot.status.conditions,
    )


def _present(conditions: tuple[Condition, ...]) -> Condition | None:
    return next((item for item in conditions if item.type == CONDITION), None)
