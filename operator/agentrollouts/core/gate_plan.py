"""What a tick does about the approval gate: make it when it is needed, and report how it stands."""

from __future__ import annotations

from agentrollouts.api.approvalgate import (
    ApprovalGateSpec,
    ApprovalGateStatus,
    ApprovalRecord,
    CheckEvidence,
    CohortEvidence,
    GatePhase,
    ProofEvidence,
)
from agentrollouts.api.scalars import format_percent
from agentrollouts.core.changes import lines
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.conditions import condition
from agentrollouts.core.counters import CALLS, COST, DURATIONS, TASKS
from agentrollouts.core.decision import AwaitApproval, Decision, Promote, Rollback, Start, Withdraw
from agentrollouts.core.evidence import Totals, Unavailable, sum_of
from agentrollouts.core.gates import GateState, Lapsed, NoGate, Opened, Refused, Waiting, requesters
from agentrollouts.core.pairs import is_being_read, on_its_way
from agentrollouts.core.plan import Action, CreateGate, Emit, PatchGateStatus
from agentrollouts.core.snapshot import Snapshot

CHANGES = 64
"""Lines about what differs that a gate has room for."""


def gate_name(agent: str, version: str, attempt: int) -> str:
    """One gate for each candidate and attempt: an approval can't be carried over even by accident."""
    return f"{agent}-{version}-{attempt}"


def gate_actions(
    snapshot: Snapshot, results: tuple[CheckResult, ...], gate: GateState, decision: Decision
) -> tuple[Action, ...]:
    """Gate writes of this tick; they come after the route and the status.

    A gate is written once and for all, so while the texts it shows are being read it isn't made.
    """
    if isinstance(decision, AwaitApproval) and isinstance(gate, NoGate):
        return () if is_being_read(snapshot) else (_create(snapshot, results, decision.share),)
    if snapshot.gate is None:
        return ()
    status = _status(snapshot, gate, decision)
    if status == snapshot.gate.status:
        return ()
    new = [a for a in status.approvals if a not in snapshot.gate.status.approvals]
    events = tuple(
        Emit("Approval", f"{a.approver} approved {a.digest}{f': {a.comment}' if a.comment else ''}")
        for a in new
    )
    return (PatchGateStatus(snapshot.gate.name, status), *events)


def _status(snapshot: Snapshot, gate: GateState, decision: Decision) -> ApprovalGateStatus:
    view = snapshot.gate
    assert view is not None
    phase, approvals, message = _standing(gate, view.status)
    over = snapshot.status.candidate is None or isinstance(decision, (Promote, Withdraw, Start, Rollback))
    if over and phase not in ("Rejected", "Expired"):
        phase = "Closed"
    insecure = not snapshot.surroundings.policy_installed
    return view.status.model_copy(
        update={
            "phase": phase,
            "approvals": approvals,
            "rejected_by": gate.by if isinstance(gate, Refused) else view.status.rejected_by,
            "message": message,
            "conditions": (
                condition(
                    "Insecure",
                    status=insecure,
                    reason="PolicyMissing" if insecure else "PolicyInstalled",
                    message="the API server doesn't vouch for approvers' names: install the chart's admission policies"
                    if insecure
                    else "",
                    generation=0,
                    now=snapshot.now,
                    before=view.status.conditions,
                ),
            ),
        }
    )


def _standing(
    gate: GateState, before: ApprovalGateStatus
) -> tuple[GatePhase, tuple[ApprovalRecord, ...], str]:
    match gate:
        case Opened(approvals):
            return "Open", approvals, f"approved by {', '.join(a.approver for a in approvals)}"
        case Refused(by, message):
            return "Rejected", (), f"rejected by {by}: {message}"
        case Lapsed():
            return "Expired", (), "nobody approved in time"
        case Waiting(message, approvals):
            withdrawn = before.approvals and not approvals
            return (
                ("Withdrawn" if withdrawn or (before.phase == "Withdrawn" and not approvals) else "Pending"),
                approvals,
                message,
            )
        case NoGate():
            return before.phase, before.approvals, before.message


def _create(snapshot: Snapshot, results: tuple[CheckResult, ...], share: int) -> CreateGate:
    candidate, view, stable = snapshot.status.candidate, snapshot.candidate, snapshot.status.stable
    assert candidate is not None and stable is not None
    lineage = view.lineage if view else None
    spec = ApprovalGateSpec.model_validate(
        {
            "agent": snapshot.spec.agent,
            "version": candidate.version,
            "artifact_digest": candidate.digest,
            "stable": stable.version,
            "share": format_percent(share),
            "requested_by": "\n".join(requesters(snapshot))[:256],
            "separation_of_duties": snapshot.spec.approval.separation_of_duties,
            "quorum": snapshot.spec.approval.quorum,
            "expires_at": snapshot.now + snapshot.spec.approval.ttl,
            "rationale": "\n".join((lineage.rationale, *lineage.evidence))[:4096] if lineage else "",
            "changes": differing(snapshot),
            "diff": on_its_way(snapshot).long,
            "evidence": cohorts(snapshot),
            "checks": tuple(
                CheckEvidence(name=r.name, verdict=r.verdict.value, reason=r.reason[:4000])
                for r in results[:32]
            ),
            "proofs": tuple(
                ProofEvidence(name=p.name, kind=p.kind, verdict=p.verdict, message=p.message)
                for p in candidate.proofs
            ),
        }
    )
    return CreateGate(gate_name(snapshot.spec.agent, candidate.version, candidate.attempt), spec)


def changes(snapshot: Snapshot) -> tuple[str, ...]:
    """The parts of the release that differ, each with its old and its new digest."""
    new, old = snapshot.candidate, snapshot.stable
    if new is None or old is None:
        return ()
    return tuple(
        f"{part}: {old.parts.get(part, 'none')} -> {new.parts.get(part, 'none')}"
        for part in sorted({*new.parts, *old.parts})
        if new.parts.get(part) != old.parts.get(part)
    )


def differing(snapshot: Snapshot) -> tuple[str, ...]:
    """What differs, as far as the two AgentVersions say it; by digest alone where one of them isn't there to ask."""
    new, old = snapshot.candidate, snapshot.stable
    if new is None or old is None or new.release is None or old.release is None:
        return changes(snapshot)
    return lines(old.release, new.release, CHANGES)


def cohorts(snapshot: Snapshot) -> tuple[CohortEvidence, ...]:
    """The numbers of the candidate, the control cohort and the rest of the old version; none without evidence."""
    candidate, stable, evidence = snapshot.status.candidate, snapshot.status.stable, snapshot.evidence
    if isinstance(evidence, Unavailable) or candidate is None or stable is None:
        return ()
    rows = ((candidate.version, "candidate"), (stable.version, "control"), (stable.version, "stable"))
    return tuple(
        _row(version, cohort, evidence.pooled(version, cohorts=(cohort,))) for version, cohort in rows
    )


def _row(version: str, cohort: str, totals: Totals) -> CohortEvidence:
    """What was read of the cohort; a number that no check asks for stays empty instead of being 0."""
    read = {cell.metric for cell in totals}
    n = sum_of(totals, TASKS.metric)
    calls = sum_of(totals, CALLS.metric)
    return CohortEvidence.model_validate(
        {
            "cohort": cohort,
            "version": version,
            "tasks": int(n),
            "success_rate": f"{sum_of(totals, TASKS.metric, 'success') / n:.1%}" if n else "",
            "mean_cost_usd": f"{sum_of(totals, COST.metric) / n:.6f}" if n and COST.metric in read else "",
            "p95_latency_seconds": _p95(totals),
            "tool_success_rate": f"{sum_of(totals, CALLS.metric, 'success') / calls:.1%}" if calls else "",
        }
    )


def _p95(totals: Totals) -> str:
    """The smallest bucket edge that 95 of 100 tasks stayed within: a count, not a guess between two edges."""
    counts = {cell.value: n for cell, n in totals.items() if cell.metric == DURATIONS.metric}
    n = counts.get("+Inf", 0.0)
    if not n:
        return ""
    edges = sorted((edge for edge in counts if edge != "+Inf"), key=float)
    within = next((edge for edge in edges if counts[edge] >= 0.95 * n), None)
    return within if within is not None else f"more than {edges[-1]}" if edges else ""
