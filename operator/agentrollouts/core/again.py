"""After a rollback: what isn't tried again, and how long nothing else is tried either, unless a person says so."""

from __future__ import annotations

from datetime import datetime, timedelta

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.api.scalars import format_duration
from agentrollouts.core.decision import Complete, Hold
from agentrollouts.core.snapshot import Snapshot, VersionView

TAKEN_OUT = frozenset({"RolledBack", "Aborted", "Undone"})
BY_A_PERSON = frozenset({"Aborted", "Undone"})
"""Reasons that no cool-down follows: whoever asked for it is there to decide what comes next."""


def barred(snapshot: Snapshot, wanted: VersionView) -> Complete | None:
    """Why a version isn't tried again: its content was taken out, under this name or another. It needs a person's retry.

    The last word on a content counts: what was taken out, tried again and promoted is free to come back.
    """
    status = snapshot.status
    rejected = status.rejected
    if rejected is not None and rejected.digest == wanted.digest:
        version, reason, message = rejected.version, rejected.reason, rejected.message
    else:
        words = [entry for entry in status.history if entry.digest == wanted.digest]
        last = next((entry for entry in reversed(words) if entry.outcome != "Superseded"), None)
        if last is None or last.outcome not in TAKEN_OUT:
            return None
        version, reason = last.version, last.reason or last.outcome
        message = f"{version} was taken out before: {last.message}"
    if version != wanted.version:
        message = f"{wanted.version} has the same content as {version}, which was taken out: {message}"
    return Complete(reason, message[:4000], degraded=True)


def cooling(snapshot: Snapshot, version: str) -> Hold | None:
    """The wait before another version may start."""
    rejected, until = snapshot.status.rejected, cool_until(snapshot.status, snapshot.spec.rollback.cool_down)
    if rejected is None or until is None or snapshot.now >= until:
        return None
    return Hold(
        "CoolingDown",
        f"{version} may start at {until:%Y-%m-%d %H:%M:%S} UTC, {format_duration(snapshot.spec.rollback.cool_down)} after"
        f" {rejected.version} was taken out; a retry starts it now",
        until=until,
    )


def cool_until(status: RolloutStatus, cool_down: timedelta) -> datetime | None:
    """The end of the cool-down, if a rollback began one."""
    rejected = status.rejected
    if rejected is None or rejected.reason in BY_A_PERSON:
        return None
    return rejected.at + cool_down
