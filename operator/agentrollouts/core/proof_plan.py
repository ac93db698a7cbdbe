"""What a tick does about the Jobs before traffic: make the next one, and end those nobody waits for any more."""

from __future__ import annotations

from agentrollouts.api.before_traffic import ProofSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core import proofs
from agentrollouts.core.decision import Decision
from agentrollouts.core.manifests import Named
from agentrollouts.core.plan import Action, Apply, CreateJob, DeleteJob, Emit
from agentrollouts.core.proof_jobs import proof_job
from agentrollouts.core.proof_subject import Subject
from agentrollouts.core.replay_job import lane_jobs, meeting
from agentrollouts.core.snapshot import Snapshot


def next_job(snapshot: Snapshot, decision: Decision) -> tuple[Action, ...]:
    """The Job to make now. NB: before the status, so that a Job the server refuses is said and not taken for one that runs."""
    entry = proofs.due(snapshot, decision)
    return _create(snapshot, entry) if entry is not None else ()


def after_proofs(snapshot: Snapshot, status: RolloutStatus) -> tuple[Action, ...]:
    """What comes of the Rollout having ``status`` now: Jobs nobody waits for any more go, and a PASS is told."""
    return (
        *(DeleteJob(name) for name in proofs.strays(snapshot, status)),
        *_events(snapshot, status),
    )


def _create(snapshot: Snapshot, entry: ProofSpec) -> tuple[Action, ...]:
    """NB: the Job itself last: where it is there, so is what it needs."""
    candidate, subject = snapshot.status.candidate, _subject(snapshot)
    assert candidate is not None
    name = proofs.job_name(snapshot, entry, candidate)
    job = CreateJob(proof_job(name, entry, subject, image=snapshot.surroundings.job_image))
    if entry.replay is None:
        return (job,)
    lanes = lane_jobs(name, entry.name, subject, seconds=entry.seconds)
    return (Apply(meeting(subject.of)), *map(CreateJob, lanes), job)


def _subject(snapshot: Snapshot) -> Subject:
    candidate, view, identity = snapshot.status.candidate, snapshot.candidate, snapshot.identity
    assert candidate is not None and view is not None
    return Subject(
        of=Named(identity.namespace, identity.name, identity.uid),
        agent=snapshot.spec.agent,
        candidate=view,
        digest=candidate.digest,
        attempt=candidate.attempt,
        stable=snapshot.stable,
        ledger_url=snapshot.surroundings.ledger_url,
    )


def _events(snapshot: Snapshot, status: RolloutStatus) -> tuple[Action, ...]:
    """A PASS is told here; a FAIL and what has no verdict are the decision's to tell."""
    before, candidate = snapshot.status.candidate, status.candidate
    if before is None or candidate is None or before.attempt != candidate.attempt:
        return ()
    known = {(proof.name, proof.terms) for proof in before.proofs if proof.verdict == "PASS"}
    return tuple(
        Emit("Proven", f"{proof.kind} {proof.name} of {candidate.version} passed: {proof.message}"[:1000])
        for proof in candidate.proofs
        if proof.verdict == "PASS" and (proof.name, proof.terms) not in known
    )
