"""A replay among what is proven before traffic: its lanes come before its Job and go with its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agentrollouts.api.before_traffic import ProofSummary
from agentrollouts.core.decision import Hold, Rollback
from agentrollouts.core.plan import Action, Apply, CreateJob, DeleteJob
from agentrollouts.core.proof_run import Finished, Running
from agentrollouts.core.replay_job import lane_names
from agentrollouts.core.snapshot import Snapshot
from tests.builders import candidate_share, installed, later, look, spec, step, version
from tests.unit.core.replayed import entry, with_template

PASS = ProofSummary(verdict="PASS", message="nothing changed", cases=200)


def before(**fields: Any) -> Snapshot:
    """2.0.0 is ready; nothing was made for it yet."""
    s = step(installed(), spec=spec("2.0.0", beforeTraffic=[entry() | fields]))
    views = {view.version: view for view in (with_template("1.0.0", "a"), with_template("2.0.0", "b"))}
    return later(replace(s, versions={**s.versions, **views}), seconds=2)


def begun() -> Snapshot:
    s = step(before())
    assert s.status.decision is not None and s.status.decision.reason == "Proving", s.status
    return s


def job_of(s: Snapshot) -> str:
    assert s.status.candidate is not None
    return s.status.candidate.proofs[0].job


def names(actions: tuple[Action, ...], kind: type) -> list[str]:
    found = []
    for action in actions:
        if isinstance(action, kind):
            assert isinstance(action, CreateJob | DeleteJob | Apply)
            found.append(
                action.name if isinstance(action, DeleteJob) else action.manifest["metadata"]["name"]
            )
    return found


def test_the_job_is_made_last_so_that_where_it_is_all_is_there() -> None:
    actions = look(before())[1].actions
    job = job_of(begun())
    assert names(actions, CreateJob) == [*lane_names(job), job]
    kinds = [type(action) for action in actions if isinstance(action, Apply | CreateJob)]
    assert kinds[0] is Apply
    cut = replace(begun(), jobs=dict.fromkeys(lane_names(job), Running()))
    assert names(look(cut)[1].actions, CreateJob) == [*lane_names(job), job]


def test_the_key_it_signs_with_is_in_its_own_pod_only() -> None:
    actions = look(before(signing={"secret": "support-signing"}))[1].actions
    *others, job = (action.manifest for action in actions if isinstance(action, CreateJob))
    assert "support-signing" in str(job)
    assert "--signing-key=/etc/agent-rollouts/signing/release.pem" in str(job)
    assert len(others) == 2
    assert "sign" not in str(others)


def test_nothing_is_made_or_deleted_while_it_runs() -> None:
    s = begun()
    assert {*lane_names(job_of(s)), job_of(s)} == set(s.jobs)
    actions = look(s)[1].actions
    assert (names(actions, CreateJob), names(actions, DeleteJob)) == ([], [])


def test_the_lanes_go_once_the_verdict_is_written_and_not_before() -> None:
    s = begun()
    job = job_of(s)
    told = replace(s, jobs={**s.jobs, job: Finished(PASS, s.now)})
    decision, plan = look(told)
    assert isinstance(decision, Hold)
    assert candidate_share(step(told)) == 0
    assert names(plan.actions, DeleteJob) == sorted(lane_names(job))
    assert candidate_share(step(step(told))) == 500


def test_a_candidate_that_decides_otherwise_is_rolled_back_and_its_lanes_with_it() -> None:
    s = begun()
    job = job_of(s)
    failed = ProofSummary(verdict="FAIL", message="30% more decisions changed")
    decision, plan = look(replace(s, jobs={**s.jobs, job: Finished(failed, s.now)}))
    assert isinstance(decision, Rollback)
    assert (decision.reason, "30% more" in decision.message) == ("ReplayFailed", True)
    assert set(lane_names(job)) <= set(names(plan.actions, DeleteJob))


def test_a_lane_that_doesnt_start_is_told() -> None:
    s = begun()
    lane = lane_names(job_of(s))[0]
    decision, _ = look(replace(s, jobs={**s.jobs, lane: Running("agent: ErrImagePull")}))
    assert isinstance(decision, Hold)
    assert f"Job {lane}: agent: ErrImagePull" in decision.message


def test_what_cant_be_replayed_waits_without_a_job_and_goes_on_by_itself_once_it_can() -> None:
    s = before()
    without = replace(s, versions={**s.versions, "2.0.0": version("2.0.0", "b")})
    decision, plan = look(without)
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.stalled) == ("ReplayInvalid", True)
    assert "spec.template" in decision.message
    assert names(plan.actions, CreateJob) == []
    mended = replace(step(without), versions=s.versions)
    assert len(names(look(mended)[1].actions, CreateJob)) == 3
