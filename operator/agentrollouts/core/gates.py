"""How an approval gate stands for the present candidate: the only place where an annotation becomes a permission."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.approvalgate import ApprovalRecord
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.scalars import FULL
from agentrollouts.core.snapshot import GateView, Snapshot, VersionView

MAJORITY = 5_000
"""A version written by an agent needs a person before it serves more than half, whatever the Rollout says."""


@dataclass(frozen=True, slots=True)
class NoGate:
    """No gate exists for this candidate and attempt."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The gate waits. ``message`` says for what; approvals given so far are counted."""

    message: str
    approvals: tuple[ApprovalRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """Enough people approved exactly this artifact."""

    approvals: tuple[ApprovalRecord, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A person rejected the candidate."""

    by: str
    message: str


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Nobody opened the gate in time."""

    at: datetime


GateState = NoGate | Waiting | Opened | Refused | Lapsed


def limit_without_approval(spec: RolloutSpec, candidate: VersionView | None) -> int:
    """The largest share, in basis points, that the candidate may have before a person approves; never all of it."""
    above = min(spec.approval.above, FULL - 1)
    written_by_agent = candidate is None or candidate.lineage.author == "Agent"
    return min(above, MAJORITY) if written_by_agent else above


def gate_state(snapshot: Snapshot) -> GateState:
    """How the present candidate's gate stands."""
    gate, candidate = snapshot.gate, snapshot.status.candidate
    if gate is None or candidate is None:
        return NoGate()
    if gate.spec.artifact_digest != candidate.digest or gate.spec.version != candidate.version:
        return Waiting(
            f"gate {gate.name} is for another artifact ({gate.spec.artifact_digest}); delete it to get a new one"
        )
    if gate.reject:
        return Refused(gate.rejected_by, gate.reject)
    state = _approvals(snapshot, gate, candidate.digest)
    expires = gate.spec.expires_at
    if expires is not None and snapshot.now >= expires and not isinstance(state, Opened):
        return Lapsed(expires)
    return state


def requesters(snapshot: Snapshot) -> tuple[str, ...]:
    """Everybody who counts as having asked for the candidate: whoever set spec.version, and whoever proposed the version.

    The first is the API server's word, the second the proposer's own, so neither replaces the other.
    """
    view = snapshot.candidate
    proposed_by = view.lineage.proposed_by if view else ""
    return tuple(dict.fromkeys(name for name in (snapshot.requests.requested_by, proposed_by) if name))


def _approvals(snapshot: Snapshot, gate: GateView, digest: str) -> GateState:
    word, _, comment = gate.approve.partition(" ")
    if not word:
        return Waiting("nobody has approved yet")
    if word not in ("true", digest):
        return Waiting(f"expected agentrollouts.io/approve to be true or {digest}; got {word!r}")
    surroundings, policy = snapshot.surroundings, snapshot.spec.approval
    if not surroundings.policy_installed and surroundings.require_policy:
        return Waiting(
            "the admission policies that vouch for approvers are not installed, so no approval counts"
        )
    people = tuple(dict.fromkeys(gate.approved_by))
    # NB: whoever may create gates could have made this one with weaker terms; the Rollout's own always count too.
    if gate.spec.separation_of_duties or policy.separation_of_duties:
        asked = {*gate.spec.requested_by.split("\n"), *requesters(snapshot)}
        people = tuple(person for person in people if person not in asked)
    quorum = max(gate.spec.quorum, policy.quorum)
    known = {record.approver: record for record in gate.status.approvals if record.digest == digest}
    approvals = tuple(
        known.get(person)
        or ApprovalRecord(
            approver=person,
            digest=digest,
            time=snapshot.now,
            comment=comment.strip()[:1024],
            verified=surroundings.policy_installed,
        )
        for person in people
    )
    if len(approvals) >= quorum:
        return Opened(approvals)
    return Waiting(
        f"{len(approvals)} of {quorum} approvals by people who didn't ask for the version themselves",
        approvals,
    )
