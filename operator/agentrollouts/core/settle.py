"""What a decision on the route means for the status.

The route carries the decision it came from, so this one function serves twice: it makes the next status when a decision
is taken, and it makes up for a status that was never written because the operator died in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from agentrollouts.api.agentroute import AgentRouteSpec, Intent
from agentrollouts.api.approvalgate import ApprovalRecord
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import (
    CandidateStatus,
    HistoryEntry,
    PreviousStatus,
    RejectedStatus,
    RolloutStatus,
    ShareStatus,
    StableStatus,
)

HISTORY = 10


def settle(
    spec: RolloutSpec,
    status: RolloutStatus,
    route: AgentRouteSpec | None,
    approvals: tuple[ApprovalRecord, ...] = (),
) -> RolloutStatus:
    """The status with the route's last decision in it, whether or not it was ever written."""
    intent = route.intent if route else None
    if intent is None or (status.settled is not None and intent.at <= status.settled):
        return status
    return with_intent(spec, status, intent, approvals)


def with_intent(
    spec: RolloutSpec, status: RolloutStatus, intent: Intent, approvals: tuple[ApprovalRecord, ...] = ()
) -> RolloutStatus:
    """The status after the decision that ``intent`` records."""
    match intent.action:
        case "Start":
            changed = _started(status, intent)
        case "Advance":
            changed = _advanced(_with_candidate(status, intent), intent)
        case "Install" | "Manual":
            changed = _installed(spec, status, intent)
        case "Promote":
            changed = _promoted(spec, _with_candidate(status, intent), intent, approvals)
        case "Rollback":
            changed = _rolled_back(spec, _with_candidate(status, intent), intent)
        case "Withdraw":
            changed = _superseded(_with_candidate(status, intent), intent)
        case "Undo":
            changed = _undone(spec, status, intent)
    return changed.model_copy(update={"settled": intent.at})


def shares(route: AgentRouteSpec | None, before: tuple[ShareStatus, ...]) -> tuple[ShareStatus, ...]:
    """The arms for people, each with the share it had before the last change."""
    if route is None:
        return ()
    now = {(arm.cohort, arm.version): arm.share for arm in route.arms}
    if now == {(item.cohort, item.version): item.share for item in before if item.share}:
        return before
    old = {(item.cohort, item.version): item.share for item in before}
    gone = [key for key, share in old.items() if share and key not in now]
    rows = [(key, share, old.get(key, 0)) for key, share in now.items()] + [
        (key, 0, old[key]) for key in gone
    ]
    return tuple(
        ShareStatus(cohort=cohort, version=version, share=share, previous_share=previous)
        for (cohort, version), share, previous in rows[:16]
    )


def _entry(
    candidate: CandidateStatus,
    outcome: Literal["Installed", "Promoted", "RolledBack", "Aborted", "Superseded", "Undone"],
    intent: Intent,
    approvals: tuple[ApprovalRecord, ...] = (),
) -> HistoryEntry:
    return HistoryEntry(
        version=candidate.version,
        digest=candidate.digest,
        attempt=candidate.attempt,
        outcome=outcome,
        reason=intent.reason,
        message=intent.message,
        started_at=candidate.started_at,
        finished_at=intent.at,
        approvals=approvals[:8],
    )


def _remember(status: RolloutStatus, *entries: HistoryEntry) -> tuple[HistoryEntry, ...]:
    return (*status.history, *entries)[-HISTORY:]


def _superseded(status: RolloutStatus, intent: Intent) -> RolloutStatus:
    gone = (_entry(status.candidate, "Superseded", intent),) if status.candidate else ()
    return status.model_copy(
        update={"candidate": None, "checks": (), "breakers": (), "history": _remember(status, *gone)}
    )


def _started(status: RolloutStatus, intent: Intent) -> RolloutStatus:
    candidate = CandidateStatus(
        version=intent.version,
        digest=intent.digest,
        attempt=intent.attempt,
        started_at=intent.at,
        step_started_at=intent.at,
    )
    fresh = _superseded(status, intent)
    rejected = fresh.rejected
    if rejected is not None and (rejected.version == intent.version or rejected.digest == intent.digest):
        rejected = None
    return fresh.model_copy(
        update={
            "candidate": candidate,
            "attempts": max(status.attempts, intent.attempt),
            "rejected": rejected,
        }
    )


def _with_candidate(status: RolloutStatus, intent: Intent) -> RolloutStatus:
    """The status with the candidate that an intent is about, even where the start of that candidate was never written."""
    candidate = status.candidate
    if candidate is not None and (candidate.version, candidate.attempt) == (intent.version, intent.attempt):
        return status
    return _started(status, intent)


def _advanced(status: RolloutStatus, intent: Intent) -> RolloutStatus:
    candidate = status.candidate
    assert candidate is not None
    moved = candidate.model_copy(
        update={
            "step": intent.step,
            "share": intent.share,
            "step_started_at": intent.at,
            "tasks_at_step": intent.tasks,
            "first_share_at": candidate.first_share_at or (intent.at if intent.share else None),
            "no_evidence_since": None,
        }
    )
    return status.model_copy(update={"candidate": moved})


def _installed(spec: RolloutSpec, status: RolloutStatus, intent: Intent) -> RolloutStatus:
    if status.stable is not None and status.stable.version == intent.version:
        return status.model_copy(update={"candidate": None, "checks": (), "breakers": ()})
    entry = HistoryEntry(
        version=intent.version,
        digest=intent.digest,
        outcome="Installed",
        reason=intent.reason,
        message=intent.message,
        started_at=intent.at,
        finished_at=intent.at,
    )
    stable = StableStatus(version=intent.version, digest=intent.digest, since=intent.at)
    previous = _previous(spec, status, intent.at)
    return status.model_copy(
        update={
            "stable": stable,
            "previous": previous,
            "candidate": None,
            "drift": (),
            "checks": (),
            "breakers": (),
            "history": _remember(status, entry),
        }
    )


def _previous(spec: RolloutSpec, status: RolloutStatus, at: datetime) -> PreviousStatus | None:
    if status.stable is None:
        return None
    return PreviousStatus(
        version=status.stable.version, digest=status.stable.digest, warm_until=at + spec.rollback.warm_for
    )


def _promoted(
    spec: RolloutSpec, status: RolloutStatus, intent: Intent, approvals: tuple[ApprovalRecord, ...]
) -> RolloutStatus:
    candidate = status.candidate
    assert candidate is not None
    promoted = _entry(candidate, "Promoted", intent, approvals)
    return status.model_copy(
        update={
            "stable": StableStatus(version=intent.version, digest=intent.digest, since=intent.at),
            "previous": _previous(spec, status, intent.at),
            "candidate": None,
            "drift": (),
            "rejected": None,
            "history": _remember(status, promoted),
        }
    )


def _rejected(
    spec: RolloutSpec, intent: Intent, *, version: str, digest: str, attempt: int
) -> RejectedStatus:
    drain = spec.rollback.deadline if spec.rollback.sessions == "drain" else timedelta(0)
    return RejectedStatus(
        version=version,
        digest=digest,
        attempt=attempt,
        reason=intent.reason,
        message=intent.message,
        at=intent.at,
        drain_until=intent.at + drain,
    )


def _rolled_back(spec: RolloutSpec, status: RolloutStatus, intent: Intent) -> RolloutStatus:
    candidate = status.candidate
    assert candidate is not None
    outcome: Literal["RolledBack", "Aborted"] = "Aborted" if intent.reason == "Aborted" else "RolledBack"
    return status.model_copy(
        update={
            "candidate": None,
            "rejected": _rejected(
                spec, intent, version=candidate.version, digest=candidate.digest, attempt=candidate.attempt
            ),
            "history": _remember(status, _entry(candidate, outcome, intent)),
        }
    )


def _undone(spec: RolloutSpec, status: RolloutStatus, intent: Intent) -> RolloutStatus:
    stable, candidate = status.stable, status.candidate
    # Where the promotion that is undone was never written, its version is still the candidate here.
    undone = candidate if stable is not None and stable.version == intent.version else stable
    if undone is None:
        return status
    since = undone.since if isinstance(undone, StableStatus) else undone.started_at
    entry = HistoryEntry(
        version=undone.version,
        digest=undone.digest,
        attempt=max(1, status.attempts),
        outcome="Undone",
        reason=intent.reason,
        message=intent.message,
        started_at=since,
        finished_at=intent.at,
    )
    return status.model_copy(
        update={
            "stable": StableStatus(version=intent.version, digest=intent.digest, since=intent.at),
            "previous": None,
            "candidate": None,
            "drift": (),
            "checks": (),
            "breakers": (),
            "rejected": _rejected(
                spec, intent, version=undone.version, digest=undone.digest, attempt=max(1, status.attempts)
            ),
            "history": _remember(status, entry),
        }
    )
