"""The story of a rollout, decision by decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agentrollouts.core.decision import (
    Advance,
    AwaitApproval,
    Complete,
    Hold,
    Install,
    Pause,
    Promote,
    Rollback,
    Start,
    Undo,
    Withdraw,
)
from agentrollouts.core.plan import CreateGate, PatchRolloutStatus, SetRoute
from tests.builders import (
    AT_ONCE,
    REQUESTS,
    UNAVAILABLE,
    candidate_share,
    carry_out,
    climbing,
    digest,
    evidence,
    good,
    installed,
    later,
    look,
    snapshot,
    spec,
    step,
    version,
)


def shares(s):
    return [(arm.cohort, arm.version, arm.share) for arm in s.route.spec.arms]


def test_the_first_version_serves_everything_without_a_gate():
    decision, _ = look(snapshot())
    assert isinstance(decision, Install)
    s = installed()
    assert shares(s) == [("stable", "1.0.0", 10_000)]
    assert s.status.stable.version == "1.0.0"
    assert s.status.phase == "Healthy"


def test_the_first_version_waits_for_its_pods():
    decision, plan = look(
        snapshot(versions={"1.0.0": version("1.0.0", "a", ready=False, trouble="ImagePullBackOff")})
    )
    assert isinstance(decision, Hold)
    assert "ImagePullBackOff" in decision.message
    assert not any(isinstance(action, SetRoute) for action in plan.actions)


def test_a_version_nobody_made_stalls_and_names_what_exists():
    decision, plan = look(replace(installed(), spec=spec("9.0.0")))
    assert isinstance(decision, Hold)
    assert decision.stalled
    assert "support-9.0.0" in decision.message
    assert "1.0.0, 2.0.0" in decision.message
    assert {c.type: c.status for c in plan.status.conditions}["Stalled"] == "True"


def test_a_new_version_starts_without_traffic_and_gets_its_first_share_next():
    s = step(installed(), spec=spec("2.0.0"))
    assert s.status.candidate.version == "2.0.0"
    assert shares(s) == [("stable", "1.0.0", 10_000)]
    s = step(later(s, seconds=2))
    assert shares(s) == [("candidate", "2.0.0", 500), ("stable", "1.0.0", 9_000), ("control", "1.0.0", 500)]


def test_a_candidate_without_ready_pods_gets_no_traffic():
    s = step(installed(), spec=spec("2.0.0"))
    s = replace(s, versions={**s.versions, "2.0.0": version("2.0.0", "b", ready=False)})
    decision, _ = look(later(s, minutes=1))
    assert isinstance(decision, Hold)
    assert decision.reason == "WaitingForPods"


def test_soak_then_samples_then_the_next_step():
    s = climbing()
    assert look(replace(later(s, minutes=14), evidence=good(100)))[0].reason == "Soaking"
    assert look(replace(later(s, minutes=16), evidence=good(19)))[0].reason == "TooFewSamples"
    decision, _ = look(replace(later(s, minutes=16), evidence=good(20)))
    assert isinstance(decision, Advance)
    assert decision.share == 2_000


def test_samples_are_counted_from_the_step_not_from_the_start():
    s = step(later(climbing(), minutes=16), evidence=good(100))
    assert candidate_share(s) == 2_000
    assert look(later(s, minutes=31))[0].reason == "TooFewSamples"


def test_the_control_cohort_is_as_large_as_the_candidate_up_to_its_cap():
    s = step(later(climbing(), minutes=16), evidence=good(100))
    assert shares(s) == [
        ("candidate", "2.0.0", 2_000),
        ("stable", "1.0.0", 7_000),
        ("control", "1.0.0", 1_000),
    ]


def test_a_worse_candidate_goes_at_once_even_in_its_soak():
    s = climbing(analysis=AT_ONCE)
    worse = evidence(
        {("2.0.0", "candidate"): (20, 20), ("1.0.0", "control"): (39, 1), ("1.0.0", "stable"): (380, 20)}
    )
    s = step(later(s, seconds=4), evidence=worse)
    assert shares(s) == [("stable", "1.0.0", 10_000)]
    assert s.status.rejected.reason == "CheckFailed"
    assert s.status.phase == "RolledBack"
    assert "50.0% of 40" in s.status.rejected.message


def test_a_rollback_writes_the_route_before_anything_else():
    worse = evidence({("2.0.0", "candidate"): (0, 40), ("1.0.0", "control"): (40, 0)})
    _, plan = look(replace(climbing(analysis=AT_ONCE), evidence=worse))
    assert isinstance(plan.actions[0], SetRoute)
    assert plan.actions[0].urgent
    assert isinstance(plan.actions[1], PatchRolloutStatus)


def test_a_rejected_digest_is_not_tried_again_until_a_person_says_so():
    worse = evidence({("2.0.0", "candidate"): (0, 40), ("1.0.0", "control"): (40, 0)})
    s = step(climbing(analysis=AT_ONCE), evidence=worse)
    decision, _ = look(later(s, hours=3))
    assert isinstance(decision, Complete)
    assert decision.degraded
    decision, _ = look(replace(later(s, hours=3), requests=REQUESTS(retry="1")))
    assert isinstance(decision, Start)
    assert decision.attempt == 2


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ({"restarts": 3}, "CrashLoop"),
        ({"ready": False, "unready_since": climbing().now - timedelta(minutes=1)}, "NoReadyPod"),
    ],
)
def test_a_candidate_whose_pods_fail_goes_without_waiting_for_any_metric(pods, reason):
    s = climbing()
    s = replace(s, versions={**s.versions, "2.0.0": version("2.0.0", "b", **pods)}, evidence=UNAVAILABLE)
    decision, _ = look(s)
    assert isinstance(decision, Rollback)
    assert decision.reason == reason


def test_a_candidate_that_never_becomes_ready_goes_after_the_deadline():
    s = step(installed(), spec=spec("2.0.0"))
    s = replace(s, versions={**s.versions, "2.0.0": version("2.0.0", "b", ready=False)}, evidence=UNAVAILABLE)
    assert isinstance(look(later(s, minutes=9))[0], Hold)
    decision, _ = look(later(s, minutes=10, seconds=1))
    assert isinstance(decision, Rollback)
    assert decision.reason == "NeverReady"


def test_a_soak_begins_again_with_every_restart():
    s = climbing()
    restart = s.now + timedelta(minutes=10)
    crashed = version("2.0.0", "b", restarts=1, last_restart=restart)
    s = replace(s, versions={**s.versions, "2.0.0": crashed}, evidence=good(100))
    assert look(later(s, minutes=20))[0].reason == "SoakingAgain"
    assert isinstance(look(later(s, minutes=26))[0], Advance)


def test_a_candidate_grows_only_while_all_its_pods_are_ready():
    s = replace(later(climbing(), minutes=16), evidence=good(100))
    half = replace(s.versions["2.0.0"], workload=replace(s.versions["2.0.0"].workload, ready=1))
    decision, _ = look(replace(s, versions={**s.versions, "2.0.0": half}))
    assert isinstance(decision, Hold)
    assert decision.reason == "WaitingForPods"


def test_an_outage_of_the_metrics_holds_and_says_why():
    s = replace(later(climbing(), minutes=20), evidence=UNAVAILABLE)
    decision, plan = look(s)
    assert isinstance(decision, Hold)
    assert "Prometheus" in plan.status.message
    assert plan.status.candidate.no_evidence_since == s.now


@pytest.mark.parametrize(("action", "kind"), [("Rollback", Rollback), ("Pause", Pause), ("Hold", Hold)])
def test_what_happens_at_the_no_evidence_deadline_is_the_users_choice(action, kind):
    s = climbing(analysis={"onNoEvidence": action})
    s = step(later(s, minutes=20), evidence=UNAVAILABLE)
    assert isinstance(look(later(s, minutes=59))[0], Hold)
    decision, _ = look(later(s, minutes=61))
    assert isinstance(decision, kind)


def test_a_pause_for_missing_evidence_lasts_until_a_person_resumes():
    s = step(later(climbing(), minutes=20), evidence=UNAVAILABLE)
    s = step(later(s, minutes=61))
    assert s.status.phase == "Paused"
    s = replace(s, evidence=good(100, s.now))
    assert isinstance(look(s)[0], Pause)
    decision, _ = look(replace(s, requests=REQUESTS(resume="1")))
    assert isinstance(decision, Advance)


def test_a_person_who_resumes_without_evidence_gives_it_another_deadline():
    s = step(later(climbing(), minutes=20), evidence=UNAVAILABLE)
    s = step(later(s, minutes=61))
    s = step(replace(later(s, minutes=90), requests=REQUESTS(resume="1")))
    assert (s.status.phase, s.status.decision.action) == ("Progressing", "Hold")
    assert s.status.candidate.no_evidence_since == s.now
    assert isinstance(look(later(s, minutes=59))[0], Hold)
    assert isinstance(look(later(s, minutes=61))[0], Pause)


def test_evidence_that_comes_back_stops_the_clock():
    s = step(later(climbing(), minutes=20), evidence=UNAVAILABLE)
    s = step(later(s, minutes=30), evidence=good(100, s.now))
    assert s.status.candidate.no_evidence_since is None


def test_the_last_step_waits_for_approval_at_the_share_below():
    s = climbing(strategy={"steps": [{"share": 5, "soak": "1m"}]})
    s = replace(later(s, minutes=2), evidence=good(100))
    decision, plan = look(s)
    assert isinstance(decision, AwaitApproval)
    assert any(isinstance(action, CreateGate) for action in plan.actions)
    s = step(s)
    assert candidate_share(s) == 500
    assert s.status.phase == "AwaitingApproval"
    assert s.gate.spec.artifact_digest == digest("b")


def awaiting(**fields):
    s = climbing(strategy={"steps": [{"share": 5, "soak": "1m"}]}, **fields)
    return step(later(s, minutes=2), evidence=good(100))


def approved(s, *people, value="true"):
    return replace(s, gate=replace(s.gate, approve=value, approved_by=people))


def test_an_approval_promotes_and_keeps_the_previous_version_warm():
    s = step(approved(awaiting(), "alice", value="true looked at the diff"))
    assert shares(s) == [("stable", "2.0.0", 10_000)]
    assert s.status.stable.version == "2.0.0"
    assert s.status.previous.version == "1.0.0"
    assert s.status.previous.warm_until == s.now + timedelta(hours=1)
    [entry] = [e for e in s.status.history if e.outcome == "Promoted"]
    assert [(a.approver, a.comment) for a in entry.approvals] == [("alice", "looked at the diff")]


@pytest.mark.parametrize("value", ["false", digest("c"), "True", "yes"])
def test_an_approval_of_something_else_opens_nothing(value):
    assert isinstance(look(approved(awaiting(), "alice", value=value))[0], AwaitApproval)


def test_the_digest_itself_approves():
    assert isinstance(look(approved(awaiting(), "alice", value=digest("b")))[0], Promote)


def test_a_quorum_needs_different_people():
    s = awaiting(approval={"quorum": 2})
    assert isinstance(look(approved(s, "alice", "alice"))[0], AwaitApproval)
    assert isinstance(look(approved(s, "alice", "bob"))[0], Promote)


def test_whoever_asked_for_the_version_does_not_count_as_an_approver():
    s = awaiting()
    s = replace(s, gate=replace(s.gate, spec=s.gate.spec.model_copy(update={"requested_by": "alice"})))
    assert isinstance(look(approved(s, "alice"))[0], AwaitApproval)
    assert isinstance(look(approved(s, "bob"))[0], Promote)


def test_a_proposer_who_names_somebody_else_still_does_not_count():
    s = awaiting()
    s = replace(s, requests=REQUESTS(requested_by="alice"))
    view = s.versions["2.0.0"]
    named = replace(view, lineage=view.lineage.model_copy(update={"proposed_by": "bob"}))
    s = replace(s, versions={**s.versions, "2.0.0": named})
    assert isinstance(look(approved(s, "alice"))[0], AwaitApproval)
    assert isinstance(look(approved(s, "bob"))[0], AwaitApproval)
    assert isinstance(look(approved(s, "carol"))[0], Promote)


def test_a_gate_somebody_else_made_with_weaker_terms_does_not_weaken_the_rollouts_own():
    s = awaiting(approval={"quorum": 2})
    s = replace(s, gate=replace(s.gate, spec=s.gate.spec.model_copy(update={"quorum": 1})))
    assert isinstance(look(approved(s, "alice"))[0], AwaitApproval)
    assert isinstance(look(approved(s, "alice", "bob"))[0], Promote)


def test_without_the_admission_policies_no_approval_counts():
    s = approved(awaiting(), "alice")
    s = replace(s, surroundings=replace(s.surroundings, policy_installed=False))
    assert isinstance(look(s)[0], AwaitApproval)


def test_an_approval_withdrawn_before_the_step_is_no_approval():
    paused = step(replace(approved(awaiting(), "alice"), requests=REQUESTS(paused=True)))
    assert paused.gate.status.phase == "Open"
    withdrawn = replace(paused, gate=replace(paused.gate, approve="", approved_by=()), requests=REQUESTS())
    decision, plan = look(withdrawn)
    assert isinstance(decision, AwaitApproval)
    assert carry_out(withdrawn, plan).gate.status.phase == "Withdrawn"


def test_a_rejection_rolls_back():
    s = awaiting()
    decision, _ = look(replace(s, gate=replace(s.gate, reject="wrong tone", rejected_by="carol")))
    assert isinstance(decision, Rollback)
    assert "carol" in decision.message
    assert "wrong tone" in decision.message


def test_a_gate_nobody_opens_expires():
    s = awaiting()
    decision, _ = look(later(s, hours=169))
    assert isinstance(decision, Rollback)
    assert decision.reason == "GateExpired"


def test_a_worse_candidate_goes_while_its_gate_is_open():
    s = approved(awaiting(analysis=AT_ONCE), "alice")
    worse = evidence({("2.0.0", "candidate"): (100, 60), ("1.0.0", "control"): (160, 0)})
    assert isinstance(look(replace(s, evidence=worse))[0], Rollback)


def test_an_approval_never_carries_over_to_another_digest():
    s = approved(awaiting(), "alice")
    s = replace(s, versions={**s.versions, "2.1.0": version("2.1.0", "c")}, spec=spec("2.1.0"))
    gate = s.gate
    s = step(s)
    s = replace(step(later(s, seconds=2)), gate=gate)
    decision, _ = look(
        replace(
            later(s, hours=3),
            evidence=evidence({("2.1.0", "candidate"): (200, 0), ("1.0.0", "control"): (200, 0)}),
        )
    )
    assert not isinstance(decision, Promote)


def test_the_gate_can_stand_before_the_majority():
    s = climbing(
        strategy={"steps": [{"share": 5, "soak": "1m"}, {"share": 60, "soak": "1m"}]},
        approval={"above": "50%"},
    )
    decision, _ = look(replace(later(s, minutes=2), evidence=good(100)))
    assert isinstance(decision, AwaitApproval)
    assert decision.share == 6_000


def test_a_version_written_by_an_agent_never_gets_a_majority_alone():
    s = climbing(strategy={"steps": [{"share": 5, "soak": "1m"}, {"share": 60, "soak": "1m"}]})
    s = replace(s, versions={**s.versions, "2.0.0": version("2.0.0", "b", author="Agent")})
    assert isinstance(look(replace(later(s, minutes=2), evidence=good(100)))[0], AwaitApproval)


def test_pausing_holds_and_still_rolls_back():
    s = replace(
        later(climbing(analysis=AT_ONCE), minutes=20), evidence=good(100), requests=REQUESTS(paused=True)
    )
    assert isinstance(look(s)[0], Pause)
    worse = evidence({("2.0.0", "candidate"): (0, 40), ("1.0.0", "control"): (40, 0)})
    assert isinstance(look(replace(s, evidence=worse))[0], Rollback)


def test_an_abort_acts_once():
    s = step(replace(climbing(), requests=REQUESTS(abort="1")))
    assert s.status.history[-1].outcome == "Aborted"
    s = replace(s, versions={**s.versions, "2.1.0": version("2.1.0", "c")}, spec=spec("2.1.0"))
    s = step(step(later(s, seconds=2)))
    assert s.status.candidate.version == "2.1.0"


def test_another_version_midway_starts_again_from_the_stable():
    s = step(later(climbing(), minutes=16), evidence=good(100))
    s = step(s, versions={**s.versions, "2.1.0": version("2.1.0", "c")}, spec=spec("2.1.0"))
    assert shares(s) == [("stable", "1.0.0", 10_000)]
    assert s.status.candidate.version == "2.1.0"
    assert s.status.history[-1].outcome == "Superseded"


def test_going_back_to_the_stable_version_in_the_spec_withdraws_the_candidate():
    decision, plan = look(replace(climbing(), spec=spec("1.0.0")))
    assert isinstance(decision, Withdraw)
    assert plan.status.rejected is None
    assert plan.status.phase == "Healthy"


def test_undo_while_warm_is_a_pointer_flip():
    s = step(approved(awaiting(), "alice"))
    s = replace(later(s, minutes=30), requests=REQUESTS(undo="1"))
    decision, plan = look(s)
    assert isinstance(decision, Undo)
    s = carry_out(s, plan)
    assert shares(s) == [("stable", "1.0.0", 10_000)]
    after, _ = look(later(s, minutes=1))
    assert isinstance(after, Complete)
    assert after.degraded


def test_undo_after_the_warm_time_is_refused_and_nothing_moves():
    s = step(approved(awaiting(), "alice"))
    decision, plan = look(replace(later(s, hours=2), requests=REQUESTS(undo="1")))
    assert isinstance(decision, Complete)
    assert next(a.reason for a in plan.actions if hasattr(a, "reason")) == "UndoRefused"
    assert not any(isinstance(a, SetRoute) for a in plan.actions)


def test_shares_changed_behind_our_back_are_put_back():
    s = climbing()
    tampered = s.route.spec.model_copy(update={"arms": s.route.spec.arms[1:2]})
    s = replace(s, route=replace(s.route, spec=tampered))
    decision, plan = look(later(s, seconds=2))
    assert isinstance(decision, Hold)
    assert candidate_share(carry_out(s, plan)) == 500


def test_holding_writes_nothing_at_all():
    s = step(later(climbing(), seconds=2), evidence=good(3))
    for seconds in (2, 4, 15):
        _, plan = look(replace(later(s, seconds=seconds), evidence=good(3 + seconds)))
        assert plan.actions == ()


def test_a_serving_rollout_writes_nothing_at_all():
    s = step(later(installed(), seconds=2))
    assert look(later(s, hours=1))[1].actions == ()
