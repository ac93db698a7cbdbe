"""One notice: everything a person gets to read about one happening, taken from the snapshot it was decided on. Pure.

All of it is plain text of bounded length: a version's rationale, its prompt or an approver's words may come from an agent. What a
destination takes for markup is each adapter's to defuse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from agentrollouts.api.agentroute import Intent
from agentrollouts.api.notify import CHANGES, FINDINGS, PARTS, SENTENCE, FindingStatus, Happening
from agentrollouts.api.notify import NoticeStatus as Notice
from agentrollouts.api.rollout_status import CandidateStatus, RolloutStatus, StableStatus
from agentrollouts.api.scalars import FULL
from agentrollouts.core.breakers import run_breakers
from agentrollouts.core.changes import lines
from agentrollouts.core.checks import CheckResult, Verdict
from agentrollouts.core.decision import AwaitApproval, Decision, Hold, Pause
from agentrollouts.core.evidence import Unavailable
from agentrollouts.core.pairs import difference, is_being_read
from agentrollouts.core.plain import plain
from agentrollouts.core.snapshot import Snapshot, VersionView

LINE = 256
_OF_INTENT: Mapping[str, Happening] = MappingProxyType(
    {
        "Start": "Started",
        "Advance": "Advanced",
        "Promote": "Promoted",
        "Rollback": "RolledBack",
        "Undo": "Undone",
    }
)


def attempt_of(status: RolloutStatus) -> int:
    """The attempt that is on its way, or was the last."""
    return status.candidate.attempt if status.candidate else status.attempts


def moved(snapshot: Snapshot, intent: Intent, results: tuple[CheckResult, ...]) -> Notice | None:
    """What a decision that moved traffic tells; None where nobody asked for it. ``snapshot`` is from before it moved."""
    happening = _OF_INTENT.get(intent.action)
    if happening is None or not _asked(snapshot, happening):
        return None
    subject = _subject(snapshot.status, intent)
    # NB: a share may move many times in an attempt, but each move has a moment of its own.
    suffix = _stamp(intent.at) if happening == "Advanced" else ""
    after = {"Advanced": intent.share, "Promoted": FULL}.get(happening, 0)
    told = {"at": intent.at, "reason": intent.reason, "share_after": after, **subject}
    return _notice(
        snapshot, happening, suffix, intent.message, told | _surroundings(snapshot, subject, results)
    )


def entered(snapshot: Snapshot, decision: Decision, results: tuple[CheckResult, ...]) -> Notice | None:
    """What a state tells that a rollout stays in until somebody does something; None in any other, or where nobody asked.

    Where a gate waits for the texts it shows, so does its notice.
    """
    state = _state(snapshot, decision)
    if state is None or not _asked(snapshot, state[0]):
        return None
    subject = _present(snapshot)
    told = {
        "at": snapshot.now,
        "reason": decision.reason,
        "share_after": subject["share_before"],
        **subject,
        **_surroundings(snapshot, subject, results),
    }
    return _notice(snapshot, *state, decision.message, told)


def drifted(snapshot: Snapshot, status: RolloutStatus) -> Notice | None:
    """What the monitor tells when the version that serves begins to behave otherwise; None where it doesn't."""
    before = {drift.signal for drift in snapshot.status.drift}
    begun = [drift.message for drift in status.drift if drift.signal not in before]
    stable = status.stable
    if not begun or stable is None or not _asked(snapshot, "Drifted"):
        return None
    told = {
        "at": snapshot.now,
        "reason": "BehaviorDrifted",
        "share_before": FULL,
        "share_after": FULL,
        "attempt": attempt_of(status),
        **_version(stable),
        **_stable(stable),
    }
    return _notice(snapshot, "Drifted", _stamp(snapshot.now), ". ".join(begun), told)


def _notice(
    snapshot: Snapshot, happening: Happening, suffix: str, message: str, told: Mapping[str, object]
) -> Notice:
    """``suffix`` tells it from others of its kind in the same attempt."""
    return Notice.model_validate(
        {
            "id": f"{snapshot.identity.uid}.{told['attempt']}.{happening}{suffix}"[:LINE],
            "happening": happening,
            "to": _asked(snapshot, happening),
            "message": plain(message, SENTENCE),
            **told,
        }
    )


def _stamp(moment: datetime) -> str:
    return f".{moment:%Y%m%dT%H%M%S%f}"


def _asked(snapshot: Snapshot, happening: Happening) -> tuple[str, ...]:
    return tuple(notifier.name for notifier in snapshot.spec.notify if happening in notifier.on)


def _state(snapshot: Snapshot, decision: Decision) -> tuple[Happening, str] | None:
    """The state, and what tells it from others of its kind in the same attempt.

    A pause of the operator's after somebody resumed is another one. So is being stalled with another version, or for
    another reason.
    """
    match decision:
        case AwaitApproval():
            return None if is_being_read(snapshot) else ("ApprovalNeeded", "")
        case Pause(reason="Paused"):
            return "Paused", ".Paused"
        case Pause(reason=reason):
            resumed = snapshot.status.handled.resume
            # NB: the token is any text, and an identity ends up in a header.
            token = hashlib.sha256(resumed.encode()).hexdigest()[:8] if resumed else "0"
            return "Paused", f".{reason}.{token}"
        case Hold(stalled=True, reason=reason):
            return "Stalled", f".{reason}.{snapshot.spec.version}"
        case _:
            return None


def _subject(status: RolloutStatus, intent: Intent) -> dict[str, object]:
    """The version that moved, and the one beside it; an Undo is about the one it takes away."""
    candidate, stable = status.candidate, status.stable
    if intent.action == "Undo":
        # Where the promotion that is undone was never written, its version is still the candidate here.
        undone = candidate if stable is not None and stable.version == intent.version else stable
        return {
            **_version(undone),
            "attempt": status.attempts,
            "share_before": FULL,
            "stable": intent.version,
            "stable_digest": intent.digest,
        }
    known = candidate is not None and (candidate.version, candidate.attempt) == (
        intent.version,
        intent.attempt,
    )
    return {
        "candidate": intent.version,
        "candidate_digest": intent.digest,
        "attempt": intent.attempt,
        "share_before": candidate.share if candidate is not None and known else 0,
        **_stable(stable),
    }


def _present(snapshot: Snapshot) -> dict[str, object]:
    """The candidate; without one, the version that is wanted."""
    status, wanted = snapshot.status, snapshot.wanted
    about = status.candidate or wanted
    return {
        **(_version(about) if about else {"candidate": snapshot.spec.version}),
        "attempt": attempt_of(status),
        "share_before": status.candidate.share if status.candidate else 0,
        **_stable(status.stable),
    }


def _version(found: CandidateStatus | StableStatus | VersionView | None) -> dict[str, object]:
    return {"candidate": found.version, "candidate_digest": found.digest} if found else {}


def _stable(stable: StableStatus | None) -> dict[str, object]:
    return {"stable": stable.version, "stable_digest": stable.digest} if stable else {}


def _surroundings(
    snapshot: Snapshot, subject: Mapping[str, object], results: tuple[CheckResult, ...]
) -> dict[str, object]:
    new = _view(snapshot, subject.get("candidate"), subject.get("candidate_digest"))
    old = _view(snapshot, subject.get("stable"), subject.get("stable_digest"))
    return {
        "changed": _changed(new, old),
        "changes": lines(old.release, new.release, CHANGES)
        if new and old and new.release and old.release
        else (),
        "diff": difference(snapshot, old, new).short,
        "findings": _findings(snapshot, results),
        "rationale": plain(new.lineage.rationale, LINE) if new else "",
    }


def _view(snapshot: Snapshot, version: object, digest: object) -> VersionView | None:
    """The version as it is, if it still is the one with that digest."""
    return snapshot.named(str(version), str(digest))


def _changed(new: VersionView | None, old: VersionView | None) -> tuple[str, ...] | None:
    """The names of the parts that differ; None where either version isn't known any more."""
    if new is None or old is None:
        return None
    both = sorted({*new.parts, *old.parts})
    return tuple(part for part in both if new.parts.get(part) != old.parts.get(part))[:PARTS]


def _findings(snapshot: Snapshot, results: tuple[CheckResult, ...]) -> tuple[FindingStatus, ...]:
    """What didn't pass, as this look found it; as it was last reported where the decision waited for no evidence."""
    if snapshot.status.candidate is None:
        return ()
    checks = [(result.name, result.verdict.value, result.reason) for result in results] or [
        (check.name, check.verdict, check.reason) for check in snapshot.status.checks
    ]
    blind = isinstance(snapshot.evidence, Unavailable)
    breakers = snapshot.status.breakers if blind else run_breakers(snapshot)
    fail, passed = Verdict.FAIL.value, Verdict.PASS.value
    rows = [
        *(
            (breaker.name, breaker.state, breaker.reason)
            for breaker in breakers
            if breaker.state == "Tripped"
        ),
        *(row for row in checks if row[1] == fail),
        *(row for row in checks if row[1] not in (fail, passed)),
    ]
    return tuple(
        FindingStatus(name=name, verdict=verdict, reason=plain(reason, LINE))
        for name, verdict, reason in rows[:FINDINGS]
    )
