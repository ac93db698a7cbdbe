"""The operator may die between any two writes; the next one must find its way from what is left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentrollouts.core.plan import PatchRolloutStatus, SetRoute
from agentrollouts.runtime.stalled import with_status
from tests.builders import (
    candidate_share,
    carry_out,
    climbing,
    good,
    installed,
    later,
    look,
    spec,
    step,
    version,
)


def crashing(s):
    return replace(s, versions={**s.versions, "2.0.0": version("2.0.0", "b", restarts=9)})


def recovered(s):
    return replace(s, versions={**s.versions, "2.0.0": version("2.0.0", "b")})


def test_a_rollback_that_only_reached_the_route_is_remembered():
    s = crashing(climbing())
    _, plan = look(s)
    assert isinstance(plan.actions[0], SetRoute)
    s = step(recovered(carry_out(s, plan, upto=1)))
    assert candidate_share(s) == 0
    assert s.status.rejected.reason == "CrashLoop"
    assert s.status.history[-1].outcome == "RolledBack"


def test_a_promotion_that_only_reached_the_route_is_remembered_with_its_approvers():
    s = climbing(strategy={"steps": [{"share": 5, "soak": "1m"}]})
    s = step(later(s, minutes=2), evidence=good(100))
    s = replace(s, gate=replace(s.gate, approve="true", approved_by=("alice",)))
    _, plan = look(s)
    s = step(later(carry_out(s, plan, upto=1), seconds=2))
    assert s.status.stable.version == "2.0.0"
    assert s.status.previous.version == "1.0.0"
    assert s.status.history[-1].approvals[0].approver == "alice"


@pytest.mark.parametrize("upto", [0, 1, 2, 3])
def test_every_prefix_of_an_advance_ends_at_the_same_share(upto):
    s = replace(later(climbing(), minutes=16), evidence=good(100))
    _, plan = look(s)
    s = step(later(carry_out(s, plan, upto=upto), seconds=2))
    assert candidate_share(s) == 2_000
    assert s.status.candidate.share == 2_000
    assert s.status.candidate.tasks_at_step == 100


def test_the_status_is_always_written_after_the_route():
    for s in (replace(installed(), spec=spec("2.0.0")), crashing(climbing())):
        kinds = [type(action) for action in look(s)[1].actions]
        assert kinds.index(SetRoute) < kinds.index(PatchRolloutStatus)


def test_two_operators_whose_clocks_differ_still_order_their_decisions():
    s = replace(later(climbing(), minutes=16), evidence=good(100))
    s = step(s)
    s = crashing(later(s, minutes=-30))
    s = step(s)
    assert candidate_share(s) == 0
    assert s.status.rejected is not None


def cut_off_after_the_route(s):
    """One tick of which only the write of the route, its first, was done."""
    _, plan = look(s)
    route = next(i for i, action in enumerate(plan.actions) if isinstance(action, SetRoute))
    return later(carry_out(s, plan, upto=route + 1), seconds=2)


def test_a_rollback_of_a_candidate_whose_start_was_never_written_is_remembered():
    s = cut_off_after_the_route(replace(installed(), spec=spec("2.0.0")))
    assert s.status.candidate is None
    s = cut_off_after_the_route(replace(s, requests=replace(s.requests, abort="1")))
    s = step(s)
    assert (s.status.rejected.version, s.status.rejected.attempt) == ("2.0.0", 1)
    assert [entry.outcome for entry in s.status.history] == ["Installed", "Aborted"]
    assert s.status.attempts == 1
    assert candidate_share(step(later(s, seconds=2))) == 0, "it isn't started again"


def test_an_undo_of_a_promotion_that_was_never_written_is_remembered():
    s = climbing(strategy={"steps": [{"share": 5, "soak": "1m"}]})
    s = step(later(s, minutes=2), evidence=good(100))
    s = cut_off_after_the_route(replace(s, gate=replace(s.gate, approve="true", approved_by=("alice",))))
    s = cut_off_after_the_route(replace(s, requests=replace(s.requests, undo="1")))
    s = step(s)
    assert (s.status.stable.version, s.status.candidate) == ("1.0.0", None)
    assert (s.status.rejected.version, s.status.history[-1].outcome) == ("2.0.0", "Undone")


def test_a_decision_that_was_never_reported_is_before_the_route_holds_another():
    s = cut_off_after_the_route(replace(installed(), spec=spec("2.0.0")))
    _, plan = look(s)
    first, second, third, *_ = plan.actions
    assert isinstance(first, PatchRolloutStatus)
    assert (first.status.candidate.version, first.status.candidate.share) == ("2.0.0", 0)
    assert isinstance(second, SetRoute)
    assert (second.spec.intent.action, second.spec.intent.share) == ("Advance", 500)
    assert isinstance(third, PatchRolloutStatus)
    replaced = with_status(plan, s.status, third.status)
    assert replaced.actions[:3] == (first, second, PatchRolloutStatus(s.status))
    assert with_status(plan, third.status, third.status).actions[:2] == (first, second)
