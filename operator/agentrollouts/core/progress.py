"""Whether the present candidate may take its next step, and what it waits for when it may not."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType

from agentrollouts.api.rollout_status import CandidateStatus
from agentrollouts.api.scalars import FULL, format_duration, format_percent
from agentrollouts.core import proofs, quality_gate, rails, tuning
from agentrollouts.core.analysis import sample_metric
from agentrollouts.core.checks import CheckResult, Verdict
from agentrollouts.core.counters import SESSIONS
from agentrollouts.core.decision import Advance, AwaitApproval, Decision, Hold, Pause, Promote, Rollback
from agentrollouts.core.evidence import Unavailable, sum_of
from agentrollouts.core.gates import GateState, Opened, Waiting
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.trials import is_sequential, split_wrongly


def tasks(snapshot: Snapshot) -> float:
    """Finished tasks of the candidate since it started, or its closed sessions where those count; 0 without evidence."""
    candidate, evidence = snapshot.status.candidate, snapshot.evidence
    if candidate is None or isinstance(evidence, Unavailable):
        return 0.0
    metric = sample_metric(snapshot.spec)
    unit = ("+Inf",) if metric.endswith("_bucket") else ()
    return sum_of(evidence.pooled(candidate.version), metric, *unit)


def _counted(snapshot: Snapshot) -> str:
    """What a number of samples is a number of."""
    return "sessions" if sample_metric(snapshot.spec) == SESSIONS.metric else "tasks"


def progress(snapshot: Snapshot, results: tuple[CheckResult, ...], gate: GateState) -> Decision:
    """Advance, promote, or the first thing that stands in the way."""
    candidate = snapshot.status.candidate
    assert candidate is not None
    held = (
        _not_ready(snapshot, candidate)
        or proofs.hold(snapshot)
        or _no_evidence(snapshot)
        or _split(snapshot)
        or _unfinished(snapshot, candidate, results)
    )
    if held is not None:
        return _deadline(snapshot, candidate, held) if held.no_evidence else held
    return _next(snapshot, candidate, gate)


def _not_ready(snapshot: Snapshot, candidate: CandidateStatus) -> Hold | None:
    """A candidate grows only while all of its pods are ready, whatever share it has."""
    view = snapshot.candidate
    if view is not None and view.ready:
        return None
    pods = view.workload if view else None
    state = f"{pods.ready} of {pods.desired} pods ready" if pods else "no pods yet"
    why = pods.why(snapshot.now) if pods else ""
    return Hold("WaitingForPods", f"{candidate.version}: {state}{f' ({why})' if why else ''}")


def _no_evidence(snapshot: Snapshot) -> Hold | None:
    evidence = snapshot.evidence
    if isinstance(evidence, Unavailable):
        return Hold("NoEvidence", evidence.reason, no_evidence=True)
    return None


def _is_quiet(snapshot: Snapshot, candidate: CandidateStatus) -> bool:
    """Whether nothing has come in for half of the time that evidence may be missing.

    In sequential mode little evidence adds up, so a deadline for it would end every rollout with little traffic.
    """
    evidence, began = snapshot.evidence, candidate.first_share_at
    if isinstance(evidence, Unavailable) or began is None:
        return True
    grew = [moment for arm, moment in evidence.grew.items() if arm.version == candidate.version]
    last = max([began.timestamp(), *grew])
    patience = snapshot.spec.analysis.effective.no_evidence_deadline / 2
    return snapshot.now.timestamp() - last >= patience.total_seconds()


def _split(snapshot: Snapshot) -> Hold | None:
    """Only a person can mend routing that is broken."""
    wrong = split_wrongly(snapshot)
    return Hold("SplitBroken", wrong, stalled=True) if wrong else None


def _unfinished(
    snapshot: Snapshot, candidate: CandidateStatus, results: tuple[CheckResult, ...]
) -> Hold | None:
    if candidate.share == 0:
        return None
    soak, minimum = _demands(snapshot, candidate)
    restarted = _restarted(snapshot, candidate)
    until = (restarted or candidate.step_started_at) + soak
    if snapshot.now < until:
        again = ", again from the last restart of a container" if restarted else ""
        return Hold(
            "SoakingAgain" if restarted else "Soaking",
            f"{format_percent(candidate.share)} for {format_duration(soak)}{again}",
            until=until,
        )
    seen = tasks(snapshot) - candidate.tasks_at_step
    if seen < minimum:
        return Hold(
            "TooFewSamples",
            f"{minimum} {_counted(snapshot)} needed at {format_percent(candidate.share)}",
            no_evidence=not is_sequential(snapshot.spec) or seen <= 0 or _is_quiet(snapshot, candidate),
        )
    if snapshot.spec.strategy.self_tuning:
        blocked = tuning.blocked(snapshot)
        if blocked is not None:
            return blocked
    return _verdicts(snapshot, results)


def _restarted(snapshot: Snapshot, candidate: CandidateStatus) -> datetime | None:
    """When a container of the candidate last began again during this step: a soak is only worth something without crashes."""
    pods = snapshot.candidate.workload if snapshot.candidate else None
    moment = pods.last_restart if pods else None
    return moment if moment is not None and moment > candidate.step_started_at else None


def _verdicts(snapshot: Snapshot, results: tuple[CheckResult, ...]) -> Hold | None:
    if snapshot.spec.analysis.effective.mode == "threshold":
        return _quality(snapshot, results)
    blocking = [result for result in results if result.blocks]
    if not blocking:
        return None
    message = "; ".join(f"{result.name} {result.verdict}: {result.reason}" for result in blocking)[:4000]
    if any(result.verdict is not Verdict.INCONCLUSIVE for result in blocking):
        return Hold("ChecksWarn", message)
    missing, candidate = any(result.missing for result in blocking), snapshot.status.candidate
    quiet = candidate is not None and _is_quiet(snapshot, candidate)
    return Hold(
        "ChecksInconclusive" if missing else "GatheringEvidence", message, no_evidence=missing or quiet
    )


_HELD = MappingProxyType(
    {Verdict.INCONCLUSIVE: "ChecksInconclusive", Verdict.WARN: "ChecksWarn", Verdict.FAIL: "ChecksFail"}
)


def _quality(snapshot: Snapshot, results: tuple[CheckResult, ...]) -> Hold | None:
    """A failing gate that isn't a rollback yet holds, as one that warns or can't say anything."""
    if not quality_gate.in_force(snapshot):
        return None
    gate = quality_gate.gate_score(snapshot, results)
    if gate.verdict is Verdict.PASS:
        return None
    return Hold(_HELD[gate.verdict], gate.message, no_evidence=gate.verdict is Verdict.INCONCLUSIVE)


def _demands(snapshot: Snapshot, candidate: CandidateStatus) -> tuple[timedelta, int]:
    """(soak, samples) of the present step."""
    strategy, floor = snapshot.spec.strategy, snapshot.spec.analysis.effective.minimum_sessions
    if strategy.self_tuning:
        return strategy.self_tuning.interval, 0
    steps = strategy.effective_steps()
    at = max((i for i, step in enumerate(steps) if step.share <= candidate.share), default=0)
    chosen = steps[at].minimum_sessions
    return steps[at].soak, floor if chosen is None else chosen


def _deadline(snapshot: Snapshot, candidate: CandidateStatus, held: Hold) -> Decision:
    """Hold on, until there has been no usable evidence for too long while the candidate had traffic.

    The time begins anew when a person resumes.
    """
    since, analysis = candidate.no_evidence_since, snapshot.spec.analysis
    if (
        since is None
        or snapshot.is_resumed
        or candidate.share == 0
        or snapshot.now < since + analysis.effective.no_evidence_deadline
    ):
        return held
    message = (
        f"no usable evidence for {format_duration(analysis.effective.no_evidence_deadline)}: {held.message}"
    )
    match analysis.on_no_evidence:
        case "Rollback":
            return Rollback("NoEvidence", message)
        case "Pause":
            return Pause("NoEvidence", message)
        case "Hold":
            return Hold(held.reason, message, stalled=True, no_evidence=True)


def next_share(snapshot: Snapshot) -> int:
    """The share after the present one, in basis points."""
    candidate = snapshot.status.candidate
    assert candidate is not None
    if snapshot.spec.strategy.self_tuning:
        return tuning.next_share(snapshot)
    return min(
        (step.share for step in snapshot.spec.strategy.effective_steps() if step.share > candidate.share),
        default=FULL,
    )


def _next(snapshot: Snapshot, candidate: CandidateStatus, gate: GateState) -> Decision:
    share = next_share(snapshot)
    if not rails.allowed(snapshot, share, gate):
        waiting = gate.message if isinstance(gate, Waiting) else "nobody has approved yet"
        return AwaitApproval(share, "ApprovalNeeded", f"{format_percent(share)} needs approval: {waiting}")
    n = tasks(snapshot)
    by = f", approved by {', '.join(a.approver for a in gate.approvals)}" if isinstance(gate, Opened) else ""
    if share == FULL:
        return Promote(
            "Approved", f"{candidate.version} becomes stable after {n:.0f} {_counted(snapshot)}{by}"
        )
    return Advance(
        candidate.step + 1,
        share,
        n,
        "StepDone" if candidate.share else "FirstShare",
        f"{format_percent(share)} for {candidate.version}{by}",
    )
