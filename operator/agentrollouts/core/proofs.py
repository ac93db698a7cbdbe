"""What a candidate proves before it gets any traffic: the entries of ``spec.beforeTraffic``, one Job after the other.

A verdict counts once it is in the status: the Job may be deleted from then on, and a share is only ever given to a candidate
whose status holds a PASS for every entry as it is written now. Everything here is a function of the snapshot; the Jobs are found
again by their names, so an operator that died in the middle begins nothing twice.
"""

from __future__ import annotations

from datetime import timedelta

from agentrollouts.api.before_traffic import ProofSpec, ProofStatus
from agentrollouts.api.rollout_status import CandidateStatus, RolloutStatus
from agentrollouts.core.decision import Decision, Hold, Rollback, Start
from agentrollouts.core.manifests import fingerprint
from agentrollouts.core.proof_run import Broken, Finished, ProofRun, Running
from agentrollouts.core.replay_job import impossible, lane_names
from agentrollouts.core.snapshot import Snapshot, asked

PROVING = "Proving"
"""Reason of a hold while a Job is under way."""
LATE = timedelta(minutes=1)
"""How long after its own deadline a Job is still waited for: its controller ends it, and that has to be heard of."""
_SHOWN = 512


def terms_of(entry: ProofSpec) -> str:
    """A hash of an entry as it is written; what an upgrade adds with its default changes nothing."""
    return fingerprint(entry.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def job_name(snapshot: Snapshot, entry: ProofSpec, candidate: CandidateStatus) -> str:
    """The one name of the Job for this entry, artifact and attempt; a DNS label."""
    mark = fingerprint([snapshot.identity.uid, terms_of(entry), candidate.digest, candidate.attempt])[:10]
    return f"{snapshot.spec.agent}-{entry.name}"[:52].rstrip("-") + f"-{mark}"


def standing(snapshot: Snapshot) -> tuple[ProofStatus, ...]:
    """Every entry up to the first that hasn't passed, as the status has it or, where that is undecided, as its Job tells."""
    found: list[ProofStatus] = []
    candidate = snapshot.status.candidate
    for entry in snapshot.spec.before_traffic if candidate is not None else ():
        assert candidate is not None
        found.append(_stands(snapshot, entry, candidate))
        if found[-1].verdict != "PASS":
            break
    return tuple(found)


def is_proven(snapshot: Snapshot) -> bool:
    """Whether the candidate may get more traffic: its status has a PASS for every entry as it is written now."""
    candidate, entries = snapshot.status.candidate, snapshot.spec.before_traffic
    if not entries:
        return True
    return candidate is not None and all(
        (proof := _recorded(candidate, entry)) is not None and proof.verdict == "PASS" for entry in entries
    )


def may_serve(snapshot: Snapshot, version: str) -> bool:
    """Whether a version may get a share that is set by hand: it serves already, or it has proven itself."""
    if not snapshot.spec.before_traffic or snapshot.status.stable is None:
        return True
    arms = snapshot.route.spec.arms if snapshot.route else ()
    if snapshot.status.stable.version == version or any(arm.version == version and arm.share for arm in arms):
        return True
    candidate = snapshot.status.candidate
    return candidate is not None and candidate.version == version and is_proven(snapshot)


def rollback(snapshot: Snapshot) -> Rollback | None:
    """A candidate that failed an entry is taken out, whatever else holds it."""
    for entry, proof in zip(snapshot.spec.before_traffic, standing(snapshot), strict=False):
        if proof.verdict == "FAIL" or (proof.verdict == "INVALID" and entry.on_invalid == "Rollback"):
            return Rollback(_reason(proof), f"{proof.name}: {proof.message}"[:4000])
    return None


def hold(snapshot: Snapshot) -> Hold | None:
    """Why the candidate gets nothing more yet; None once everything is proven."""
    if is_proven(snapshot):
        return None
    proof, place = standing(snapshot)[-1], _place(snapshot)
    if proof.verdict == "INVALID":
        return Hold(
            _reason(proof),
            f"{proof.name} came to no verdict: {proof.message}. Mend it, then run it again:"
            f' kubectl annotate rollout {snapshot.identity.name} --overwrite agentrollouts.io/retry="$(date +%s)"',
            stalled=True,
        )
    if proof.verdict == "PASS":
        return Hold(PROVING, f"{proof.kind} {proof.name} ({place}) passed")
    trouble = f": {proof.message}" if proof.message else ""
    return Hold(PROVING, f"{proof.kind} {proof.name} ({place}) runs as Job {proof.job}{trouble}")


def again(snapshot: Snapshot) -> Start | None:
    """A person asks for another attempt of a candidate that waits without a verdict."""
    candidate, view = snapshot.status.candidate, snapshot.candidate
    if candidate is None or view is None or view.problem or is_proven(snapshot):
        return None
    if not asked(snapshot.requests.retry, snapshot.status.handled.retry):
        return None
    proofs = standing(snapshot)
    if not proofs or proofs[-1].verdict != "INVALID":
        return None
    return Start(
        candidate.version,
        view.digest,
        snapshot.status.attempts + 1,
        reason="Retried",
        message=f"{candidate.version} begins anew: {proofs[-1].name} had come to no verdict",
    )


def due(snapshot: Snapshot, decision: Decision) -> ProofSpec | None:
    """The entry whose Job is to be made now."""
    if not (isinstance(decision, Hold) and decision.reason == PROVING):
        return None
    proofs = standing(snapshot)
    if proofs[-1].verdict != "PENDING" or proofs[-1].job in snapshot.jobs:
        return None
    return snapshot.spec.before_traffic[len(proofs) - 1]


def recorded(snapshot: Snapshot, decision: Decision) -> tuple[ProofStatus, ...]:
    """What the status says from now on. An entry that was never begun, and isn't now, isn't in it."""
    begins = due(snapshot, decision) is not None
    return tuple(
        proof if proof.started_at else proof.model_copy(update={"started_at": snapshot.now})
        for proof in standing(snapshot)
        if proof.started_at is not None or begins
    )


def strays(snapshot: Snapshot, status: RolloutStatus) -> tuple[str, ...]:
    """Jobs under way that nobody waits for any more, once the Rollout has ``status``."""
    candidate = status.candidate
    wanted: set[str] = set()
    if candidate is not None:
        wanted.update(job_name(snapshot, entry, candidate) for entry in snapshot.spec.before_traffic)
        pending = [proof.job for proof in candidate.proofs if proof.verdict == "PENDING"]
        wanted.update(name for job in pending if job in wanted for name in lane_names(job))
    return tuple(
        sorted(name for name, run in snapshot.jobs.items() if isinstance(run, Running) and name not in wanted)
    )


def _recorded(candidate: CandidateStatus, entry: ProofSpec) -> ProofStatus | None:
    terms = terms_of(entry)
    return next((p for p in candidate.proofs if (p.name, p.terms) == (entry.name, terms)), None)


def _stands(snapshot: Snapshot, entry: ProofSpec, candidate: CandidateStatus) -> ProofStatus:
    known = _recorded(candidate, entry)
    if known is not None and known.verdict != "PENDING":
        return known
    name = job_name(snapshot, entry, candidate)
    proof = known or ProofStatus(
        name=entry.name, kind=entry.member[0], terms=terms_of(entry), verdict="PENDING", job=name
    )
    if why := _impossible(snapshot, entry):
        return _invalid(proof, why)
    return _told(snapshot, entry, proof, snapshot.jobs.get(name))


def _impossible(snapshot: Snapshot, entry: ProofSpec) -> str:
    """Why there can be no Job; nothing of it is written down, so it goes on by itself once that is mended."""
    if entry.replay is None or snapshot.candidate is None:
        return ""
    return impossible(entry.replay, snapshot.candidate, snapshot.stable, snapshot.surroundings.ledger_url)


def _told(snapshot: Snapshot, entry: ProofSpec, proof: ProofStatus, run: ProofRun | None) -> ProofStatus:
    """The proof with what its Job tells in it; NB: a Job that was found before the status was written has begun, too."""
    began = proof.started_at or (snapshot.now if run is not None else None)
    match run:
        case Finished(summary, at):
            said = {**summary.model_dump(), "started_at": began, "finished_at": at}
            return proof.model_copy(update=said)
        case Broken(why, at):
            return _invalid(proof, why).model_copy(update={"started_at": began, "finished_at": at})
    trouble = _trouble(snapshot, proof, run)[:_SHOWN]
    if proof.started_at is not None and snapshot.now >= proof.started_at + entry.timeout + LATE:
        late = f"no verdict within {entry.timeout.total_seconds():.0f} s{f': {trouble}' if trouble else ''}"
        return _invalid(proof, late).model_copy(update={"finished_at": snapshot.now})
    progress = run.progress[:64] if run is not None and run.progress else proof.progress
    return proof.model_copy(update={"started_at": began, "message": trouble, "progress": progress})


def _trouble(snapshot: Snapshot, proof: ProofStatus, run: Running | None) -> str:
    """Why a pod doesn't start: the Job's own, or those of its lanes, where it has some."""
    lanes = ((name, snapshot.jobs.get(name)) for name in lane_names(proof.job))
    found = [
        f"Job {name}: {lane.trouble}" for name, lane in lanes if isinstance(lane, Running) and lane.trouble
    ]
    return (run.trouble if run is not None else "") or "; ".join(found)


def _invalid(proof: ProofStatus, why: str) -> ProofStatus:
    return proof.model_copy(update={"verdict": "INVALID", "message": why[:1024]})


def _reason(proof: ProofStatus) -> str:
    """EvalFailed, EvalInvalid, and the like for other kinds."""
    return f"{proof.kind[:1].upper()}{proof.kind[1:]}{'Failed' if proof.verdict == 'FAIL' else 'Invalid'}"


def _place(snapshot: Snapshot) -> str:
    return f"{len(standing(snapshot))} of {len(snapshot.spec.before_traffic)}"
