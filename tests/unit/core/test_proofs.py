"""What is proven before traffic: one Job after the other, and not one basis point before all have passed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.before_traffic import ProofSummary
from agentrollouts.core import proofs
from agentrollouts.core.decision import Advance, Decision, Hold, Promote, Rollback, SetManually, Start
from agentrollouts.core.evidence import Arm, Cell, Evidence
from agentrollouts.core.gates import Opened
from agentrollouts.core.plan import CreateGate, CreateJob, DeleteJob, Emit
from agentrollouts.core.planner import ForbiddenShareError, check_rails
from agentrollouts.core.proof_run import Broken, Finished, Running
from agentrollouts.core.snapshot import Requests, Snapshot
from tests.builders import START, candidate_share, evidence, good, installed, later, look, spec, step, version

PASS = ProofSummary(verdict="PASS", message="Eval score: 0.9000", score="0.9000")
FAIL = ProofSummary(verdict="FAIL", message="Score 0.7000 below minimum 0.8000", score="0.7000")


def entry(name: str = "golden", **fields: Any) -> dict[str, Any]:
    dataset = {"configMap": "evals", "key": f"{name}.yaml"}
    return {"name": name, "eval": {"dataset": dataset, "minimumScore": "80%"}, **fields}


def waiting(*entries: dict[str, Any], **fields: Any) -> Snapshot:
    """2.0.0 is ready, and its first Job was made."""
    s = step(installed(), spec=spec("2.0.0", beforeTraffic=entries or (entry(),), **fields))
    s = step(later(s, seconds=2))
    assert s.status.decision is not None and s.status.decision.reason == "Proving", s.status
    return s


def pending(s: Snapshot) -> str:
    assert s.status.candidate is not None
    return next(proof.job for proof in s.status.candidate.proofs if proof.verdict == "PENDING")


def ended(s: Snapshot, said: ProofSummary = PASS) -> Snapshot:
    """The Job under way ends with this word."""
    return replace(s, jobs={**s.jobs, pending(s): Finished(said, s.now)})


def made(s: Snapshot) -> list[CreateJob]:
    return [action for action in look(s)[1].actions if isinstance(action, CreateJob)]


def test_a_job_is_made_once_the_pods_are_ready_and_again_only_until_it_is_there() -> None:
    s = waiting()
    assert list(s.jobs) == [pending(s)]
    assert made(s) == []
    (again,) = made(replace(s, jobs={}))
    assert again.manifest["metadata"]["name"] == pending(s)


def test_a_pass_is_written_down_before_any_share_is_given() -> None:
    s = ended(waiting())
    decision, _ = look(s)
    assert isinstance(decision, Hold)
    s = step(s)
    assert candidate_share(s) == 0
    assert s.status.candidate is not None and s.status.candidate.proofs[0].verdict == "PASS"
    assert candidate_share(step(replace(s, jobs={}))) == 500


def test_what_one_word_leads_to() -> None:
    said: dict[str, type] = {}
    for name, run in (
        ("fail", Finished(FAIL, START)),
        ("broken", Broken("no word", START)),
        ("running", Running()),
    ):
        s = waiting()
        said[name] = type(look(replace(s, jobs={pending(s): run}))[0])
    assert said == {"fail": Rollback, "broken": Hold, "running": Hold}


@pytest.mark.parametrize(
    "strategy",
    [
        {},
        {"strategy": {"steps": [{"share": "100%"}]}},
        {"strategy": {"selfTuning": {"interval": "1m", "floor": "5%", "start": "10%"}}},
    ],
)
def test_every_strategy_waits(strategy: dict[str, Any]) -> None:
    s = waiting(**strategy)
    s = step(later(s, minutes=5), evidence=good(10_000))
    assert candidate_share(s) == 0
    s = step(ended(s))
    after, _ = look(later(s, seconds=1))
    assert not (isinstance(after, Hold) and after.reason == "Proving")


@pytest.mark.parametrize(
    "other",
    [
        entry(eval={"dataset": {"configMap": "evals", "key": "other.yaml"}, "minimumScore": "80%"}),
        entry(signing={"secret": "support-signing"}),
    ],
    ids=["another dataset", "to be signed"],
)
def test_an_entry_that_was_changed_is_proven_anew(other: dict[str, Any]) -> None:
    s = step(ended(waiting()))
    changed = replace(s, spec=spec("2.0.0", beforeTraffic=(other,)))
    assert not proofs.is_proven(changed)
    assert len(made(changed)) == 1


def test_what_doesnt_change_the_run_leaves_the_proof_and_the_job_its_name() -> None:
    s = step(ended(waiting()))
    same = entry()
    same["eval"] |= {"repeat": 1, "concurrency": 4, "onUnclear": "Fail"}
    assert proofs.is_proven(replace(s, spec=spec("2.0.0", beforeTraffic=(same,))))


def test_a_jobs_name_is_anothers_for_each_attempt_artifact_and_rollout_and_always_a_label() -> None:
    s = waiting(entry("n" * 40))
    candidate = s.status.candidate
    assert candidate is not None
    first = s.spec.before_traffic[0]
    others = {
        proofs.job_name(s, first, candidate),
        proofs.job_name(s, first, candidate.model_copy(update={"attempt": 9})),
        proofs.job_name(s, first, candidate.model_copy(update={"digest": "sha256:" + "f" * 64})),
        proofs.job_name(replace(s, identity=replace(s.identity, uid="u-2")), first, candidate),
    }
    assert len(others) == 4
    assert all(len(name) <= 63 and name.startswith("support-n") for name in others)


@pytest.mark.parametrize(
    "decision", [Advance(0, 1, 0.0, "FirstShare"), Promote("Approved"), SetManually((("2.0.0", 1),))]
)
def test_the_rails_hold_whatever_was_decided(decision: Decision) -> None:
    s, gate = waiting(), Opened(())
    with pytest.raises(ForbiddenShareError, match="before all is proven"):
        check_rails(s, gate, decision)
    check_rails(step(ended(s)), gate, decision)
    check_rails(s, gate, SetManually((("1.0.0", 10_000),)))


def test_by_hand_only_what_serves_or_is_proven_gets_a_share() -> None:
    s = waiting()
    by_hand = {
        "manual": {"shares": [{"version": "1.0.0", "share": "90%"}, {"version": "2.0.0", "share": "10%"}]}
    }
    manual = spec("2.0.0", beforeTraffic=(entry(),), strategy=by_hand)
    decision, _ = look(replace(s, spec=manual))
    assert isinstance(decision, Hold)
    assert decision.reason == "ShareNeedsProof"
    assert isinstance(look(replace(step(ended(s)), spec=manual))[0], SetManually)


def test_a_late_job_has_no_verdict_wherever_it_is() -> None:
    for jobs in ({}, {"running": Running("ImagePullBackOff: no such image")}):
        s = waiting(entry(timeout="5m"))
        s = replace(s, jobs={pending(s): run for run in jobs.values()})
        early, _ = look(later(s, minutes=5, seconds=59))
        late, _ = look(later(s, minutes=6))
        assert (early.reason, late.reason) == ("Proving", "EvalInvalid")
        assert isinstance(late, Hold) and late.stalled
        assert ("no such image" in late.message) == bool(jobs)


def test_a_retry_is_for_what_has_no_verdict_only() -> None:
    s = waiting()
    asks = Requests(retry="1")
    assert isinstance(look(replace(s, requests=asks))[0], Hold)
    broken = replace(s, jobs={pending(s): Broken("no word", s.now)})
    decision, plan = look(replace(broken, requests=asks))
    assert isinstance(decision, Start)
    assert decision.attempt == 2
    assert [a.name for a in plan.actions if isinstance(a, DeleteJob)] == []
    s = step(broken, requests=asks)
    assert s.status.candidate is not None and s.status.candidate.proofs == ()
    assert len(made(later(s, seconds=1))) == 1


def test_jobs_nobody_waits_for_are_deleted_unless_they_are_over() -> None:
    s = waiting()
    running = {pending(s): Running(), "old": Running(), "done": Finished(PASS, s.now)}
    plan = look(replace(s, jobs=running))[1]
    assert [a.name for a in plan.actions if isinstance(a, DeleteJob)] == ["old"]
    plan = look(replace(s, jobs=running, requests=Requests(abort="1")))[1]
    assert [a.name for a in plan.actions if isinstance(a, DeleteJob)] == sorted(["old", pending(s)])


def test_a_pass_is_told_once_and_stands_in_the_gate() -> None:
    s = ended(waiting(approval={"above": "0%"}))
    told = [a for a in look(s)[1].actions if isinstance(a, Emit) and a.reason == "Proven"]
    assert len(told) == 1
    s = step(s)
    plan = look(later(s, seconds=1))[1]
    assert not [a for a in plan.actions if isinstance(a, Emit) and a.reason == "Proven"]
    (gate,) = [a for a in plan.actions if isinstance(a, CreateGate)]
    assert [(p.name, p.kind, p.verdict, p.message) for p in gate.spec.proofs] == [
        ("golden", "eval", "PASS", "Eval score: 0.9000")
    ]


def test_the_tasks_of_an_evaluation_count_for_no_rollout() -> None:
    counts = {Cell("agent_tasks_total", "success"): 1.0, Cell("agent_tasks_total", "failure"): 99.0}
    total = {Arm("2.0.0", "none"): counts, **evidence({("2.0.0", "candidate"): (10, 0)}).total}
    found = Evidence(total=total, recent=total, as_of=START)
    assert found.pooled("2.0.0")[Cell("agent_tasks_total", "failure")] == 0.0
    assert found.pooled("2.0.0", cohorts=("none",))[Cell("agent_tasks_total", "failure")] == 99.0


def test_a_candidate_that_was_ready_isnt_taken_for_one_that_never_was() -> None:
    s = waiting(rollback={"readyDeadline": "1m"})
    s = later(s, minutes=20)
    lost = replace(
        s, versions={**s.versions, "2.0.0": version("2.0.0", "b", ready=False, unready_since=s.now)}
    )
    assert look(lost)[0].reason == "WaitingForPods"
    assert look(replace(lost, now=s.now + timedelta(minutes=1)))[0].reason == "NeverReady"
