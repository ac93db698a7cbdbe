from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from agentrollouts.core.decision import Advance, AwaitApproval, Promote, Rollback
from agentrollouts.planning.run import NothingToPlanError, begin
from agentrollouts.planning.simulation import BEGIN, Pace, simulate
from agentrollouts.planning.world import World
from tests.builders import spec

SUCCESS: list[dict[str, Any]] = [{"name": "success", "successRate": {}}]
TWO = {"steps": [{"share": "10%", "soak": "10m"}, {"share": "50%", "soak": "20m"}]}
MODES = ("sequential", "threshold")
BUSY = World(60.0)


def rollout(mode: str, **analysis: Any) -> Any:
    return spec(
        "2.0.0", strategy=TWO, analysis={"mode": mode, "checks": SUCCESS, "margin": "20%", **analysis}
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_candidate_as_good_goes_through_every_share_after_its_soak_and_is_promoted(mode: str) -> None:
    found = simulate(rollout(mode), BUSY, seed=1)
    assert found.outcome == "Promoted"
    moved = [(look.at - BEGIN, look.share) for look in found.looks if isinstance(look.decision, Advance)]
    assert [share for _, share in moved] == [1000, 5000]
    assert moved[1][0] - moved[0][0] >= timedelta(minutes=10)
    assert found.took - moved[1][0] >= timedelta(minutes=20)
    assert isinstance(found.looks[-1].decision, Promote)
    assert found.excess == 0.0


@pytest.mark.parametrize("mode", MODES)
def test_a_much_worse_candidate_is_caught_at_its_first_share(mode: str) -> None:
    found = simulate(rollout(mode), World(60.0, effect=-0.3), seed=1)
    assert found.outcome == "RolledBack"
    assert isinstance(found.looks[-1].decision, Rollback)
    assert max(look.share for look in found.looks) == 1000
    assert found.took < timedelta(minutes=10)
    assert found.excess == pytest.approx(0.3 * found.tasks)
    assert found.tasks > 0


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_is_the_same_rollout_and_another_seed_another(mode: str) -> None:
    worse = World(20.0, effect=-0.1)
    one, same, other = (simulate(rollout(mode), worse, seed=seed) for seed in (5, 5, 6))
    assert one == same
    assert one.looks != other.looks


def test_waits_add_up_to_the_time_it_took() -> None:
    found = simulate(rollout("sequential"), BUSY, seed=2)
    assert sum(found.waited.values(), timedelta(0)) == found.took
    assert found.waited[1000, "Soaking"] >= timedelta(minutes=8)


def test_a_check_that_holds_is_named() -> None:
    found = simulate(rollout("sequential", margin="5%"), World(20.0), seed=2, pace=Pace(stride=0.05))
    assert set(found.held_by) == {"success"}


def test_people_take_their_time() -> None:
    quick = simulate(rollout("threshold"), BUSY, seed=1)
    slow = simulate(rollout("threshold"), BUSY, seed=1, approval=timedelta(hours=3))
    assert slow.outcome == "Promoted"
    assert abs(slow.took - quick.took - timedelta(hours=3)) <= timedelta(minutes=1)
    assert slow.waited[5000, "ApprovalNeeded"] >= timedelta(hours=3)


def test_where_nobody_approves_nothing_is_promoted() -> None:
    found = simulate(
        rollout("threshold"), BUSY, seed=1, approval=None, pace=Pace(timedelta(hours=6), stride=0.05)
    )
    assert found.outcome == "Unfinished"
    assert isinstance(found.looks[-1].decision, AwaitApproval)
    assert found.took == timedelta(hours=6)


def test_as_many_people_approve_as_must() -> None:
    wanted = spec(
        "2.0.0", strategy=TWO, analysis={"mode": "threshold", "checks": SUCCESS}, approval={"quorum": 3}
    )
    found = simulate(wanted, BUSY, seed=1)
    assert found.outcome == "Promoted"
    assert "approver-3" in found.looks[-1].decision.message
    assert "approver-4" not in found.looks[-1].decision.message


@pytest.mark.parametrize("mode", MODES)
def test_a_candidate_without_evidence_pauses_and_can_still_be_rolled_back(mode: str) -> None:
    wanted = spec("2.0.0", analysis={"mode": mode, "checks": SUCCESS, "minimumSessions": 200})
    pace = Pace(timedelta(days=2), stride=0.05)
    quiet = simulate(wanted, World(1.0), seed=2, pace=pace)
    assert (quiet.outcome, quiet.looks[-1].decision.reason) == ("Paused", "NoEvidence")
    assert quiet.took == timedelta(days=2)
    if mode == "sequential":
        worse = simulate(wanted, World(1.0, effect=-0.6), seed=1, pace=pace)
        assert worse.outcome == "RolledBack"


@pytest.mark.parametrize("mode", MODES)
def test_looking_less_often_comes_to_nearly_the_same(mode: str) -> None:
    always = simulate(rollout(mode), BUSY, seed=4)
    seldom = simulate(rollout(mode), BUSY, seed=4, pace=Pace(stride=0.2))
    assert always.outcome == seldom.outcome == "Promoted"
    assert abs(always.took - seldom.took) <= 0.2 * always.took


def test_no_end_of_a_soak_is_stepped_over() -> None:
    found = simulate(rollout("threshold"), BUSY, seed=1, pace=Pace(stride=0.5))
    starts = [look.at for look in found.looks if isinstance(look.decision, Advance)]
    assert [later - earlier for earlier, later in pairwise(starts)] == [timedelta(minutes=10)]


def test_shares_that_tune_themselves_are_simulated_too() -> None:
    tuning = {"selfTuning": {"start": "10%", "maxStep": "30%", "promoteBelow": "20%", "rollbackAbove": "30%"}}
    wanted = spec("2.0.0", strategy=tuning, analysis={"mode": "threshold"})
    assert simulate(wanted, BUSY, seed=1).outcome == "Promoted"
    worse = simulate(wanted, replace(BUSY, effect=-0.5), seed=1)
    assert (worse.outcome, worse.looks[-1].decision.reason) == ("RolledBack", "FailureRate")


def test_a_paused_rollout_is_simulated_as_if_it_werent() -> None:
    wanted = rollout("threshold").model_copy(update={"paused": True})
    assert simulate(wanted, BUSY, seed=1).outcome == "Promoted"


@pytest.mark.parametrize(
    ("fields", "stable", "words"),
    [
        ({"strategy": {"manual": {"shares": [{"version": "2.0.0", "share": "100%"}]}}}, "1.0.0", "manual"),
        ({}, "2.0.0", "expected another version than 2.0.0"),
    ],
)
def test_what_moves_nothing_cant_be_planned(fields: dict[str, Any], stable: str, words: str) -> None:
    with pytest.raises(NothingToPlanError, match=words):
        begin(spec("2.0.0", **fields), stable=stable, now=BEGIN)
