"""The hard rails: what takes a candidate out at once, and what no plan may ever do."""

from __future__ import annotations

from datetime import timedelta

from agentrollouts.core import breakers, own_failures, proofs, quality_gate
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decision import Rollback
from agentrollouts.core.gates import GateState, Lapsed, Opened, Refused, limit_without_approval
from agentrollouts.core.snapshot import Snapshot, VersionView
from agentrollouts.core.trials import split_wrongly

UNREADY_GRACE = timedelta(seconds=30)
"""How long a candidate with traffic may be without any ready pod: longer than one failed probe, shorter than patience."""


def limit(snapshot: Snapshot, version: VersionView | None) -> int:
    """The largest share of a version without approval, in basis points."""
    return limit_without_approval(snapshot.spec, version)


def allowed(snapshot: Snapshot, share: int, gate: GateState) -> bool:
    """Whether the candidate may have ``share`` basis points now."""
    return share <= limit(snapshot, snapshot.candidate) or isinstance(gate, Opened)


def rollback(snapshot: Snapshot, results: tuple[CheckResult, ...], gate: GateState) -> Rollback | None:
    """The reason to take the candidate out now, if there is one. Needs no metric, no gate and no healthy stable."""
    if snapshot.status.candidate is None:
        return None
    return (
        _identity(snapshot)
        or _loaded(snapshot)
        or _pods(snapshot)
        or proofs.rollback(snapshot)
        or breakers.rollback(snapshot)
        or _verdicts(snapshot, results)
        or own_failures.rollback(snapshot, results)
        or _gate(gate)
    )


def _identity(snapshot: Snapshot) -> Rollback | None:
    candidate, view = snapshot.status.candidate, snapshot.candidate
    assert candidate is not None
    if view is None:
        return Rollback("VersionDeleted", f"AgentVersion {snapshot.spec.agent}-{candidate.version} is gone")
    if view.digest != candidate.digest:
        return Rollback(
            "DigestChanged",
            f"{candidate.version} started as {candidate.digest} and is now {view.digest}: give it a new version",
        )
    return None


def _loaded(snapshot: Snapshot) -> Rollback | None:
    """Before anything else about its pods, for it is why they aren't ready."""
    view = snapshot.candidate
    mismatch = view.workload.loaded.mismatch if view and view.workload else ""
    if view is None or not mismatch:
        return None
    return Rollback("DigestMismatch", f"{view.version} was promised as {view.digest}; {mismatch}")


def _pods(snapshot: Snapshot) -> Rollback | None:
    candidate, view = snapshot.status.candidate, snapshot.candidate
    pods = view.workload if view else None
    assert candidate is not None
    policy = snapshot.spec.rollback
    if pods is not None and pods.restarts > policy.max_restarts:
        return Rollback(
            "CrashLoop",
            f"a container of {candidate.version} restarted {pods.restarts} times{_why(pods.trouble)}",
        )
    ready = view is not None and view.ready
    began = candidate.started_at
    if candidate.proofs:
        # It was ready once, or nothing would have been begun.
        began = (pods.unready_since if pods else None) or snapshot.now
    waited = snapshot.now - began
    if not ready and candidate.share == 0 and waited >= policy.ready_deadline:
        trouble = pods.why(snapshot.now) if pods else ""
        return Rollback(
            "NeverReady",
            f"{candidate.version} was not ready after {waited.total_seconds():.0f} s{_why(trouble)}",
        )
    if pods is not None and pods.ready == 0 and candidate.share and pods.unready_since is not None:
        away = snapshot.now - pods.unready_since
        if away >= UNREADY_GRACE:
            return Rollback(
                "NoReadyPod",
                f"{candidate.version} has had no ready pod for {away.total_seconds():.0f} s{_why(pods.why(snapshot.now))}",
            )
    return None


def _why(trouble: str) -> str:
    return f": {trouble}" if trouble else ""


def _verdicts(snapshot: Snapshot, results: tuple[CheckResult, ...]) -> Rollback | None:
    """In sequential mode one failed check is enough, for it is beyond doubt; in threshold mode failed looks add up."""
    if snapshot.spec.analysis.effective.mode == "threshold":
        return quality_gate.rollback(snapshot, results)
    failed = [result for result in results if result.fails and not result.adds_up]
    if not failed or split_wrongly(snapshot):
        return None
    return Rollback("CheckFailed", "; ".join(f"{result.name}: {result.reason}" for result in failed)[:4000])


def _gate(gate: GateState) -> Rollback | None:
    match gate:
        case Refused(by, message):
            return Rollback("GateRejected", f"rejected by {by or 'somebody'}: {message}")
        case Lapsed(at):
            return Rollback("GateExpired", f"nobody approved until {at:%Y-%m-%d %H:%M} UTC")
        case _:
            return None
