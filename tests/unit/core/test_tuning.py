"""The self-tuning loop on its published constants: floor 0, ceiling 100, step 20, promote below 5 %, roll back above 15 %."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentrollouts.core.decision import Advance, AwaitApproval, Hold, Rollback
from tests.builders import candidate_share, climbing, evidence, later, look, step

TUNING = {"selfTuning": {"interval": "1m"}}


def at(s, failed, n=100):
    s = later(s, minutes=1)
    return replace(
        s,
        evidence=evidence(
            {("2.0.0", "candidate"): (n - failed, failed), ("1.0.0", "stable"): (900, 10)}, s.now
        ),
    )


def test_a_low_failure_rate_climbs_by_twenty_points():
    decision, _ = look(at(climbing(strategy=TUNING), 2))
    assert isinstance(decision, Advance)
    assert decision.share == 2_500


def test_the_whole_ladder_parks_before_the_last_step():
    s, ladder = climbing(strategy=TUNING), [500]
    while not isinstance(look(at(s, 0))[0], AwaitApproval):
        s = step(at(s, 0))
        ladder.append(candidate_share(s))
    assert ladder == [500, 2_500, 4_500, 6_500, 8_500]
    assert look(at(s, 0))[0].share == 10_000


@pytest.mark.parametrize(
    ("failed", "n", "kind", "reason"),
    [
        (5, 100, Hold, "FailureRate"),
        (15, 100, Hold, "FailureRate"),
        (16, 100, Rollback, "FailureRate"),
        (0, 19, Hold, "TooFewSamples"),
        (19, 19, Hold, "TooFewSamples"),
        (0, 0, Hold, "TooFewSamples"),
        (20, 20, Rollback, "FailureRate"),
    ],
)
def test_the_limits_are_strict_and_no_data_is_never_a_pass(failed, n, kind, reason):
    decision, _ = look(at(climbing(strategy=TUNING), failed, n))
    assert isinstance(decision, kind)
    assert decision.reason == reason


def test_a_rollback_goes_straight_to_the_floor():
    s = step(at(step(at(climbing(strategy=TUNING), 0)), 50))
    assert candidate_share(s) == 0


def test_a_floor_above_zero_keeps_that_share_and_stays_there():
    s = climbing(strategy={"selfTuning": {"interval": "1m", "floor": "5%", "start": "10%"}}, share=1_000)
    s = step(at(s, 50))
    assert candidate_share(s) == 500
    decision, _ = look(at(s, 50))
    assert isinstance(decision, Hold)
    assert decision.reason == "AtFloor"


def test_a_ceiling_below_everything_is_never_passed():
    s = climbing(strategy={"selfTuning": {"interval": "1m", "ceiling": "20%"}})
    s = step(at(s, 0))
    assert candidate_share(s) == 2_000
    assert look(at(s, 0))[0].reason == "AtCeiling"


def test_going_down_to_the_floor_needs_no_approval():
    s = climbing(strategy={"selfTuning": {"interval": "1m", "floor": "5%", "start": "10%"}}, share=1_000)
    s = replace(
        s, spec=s.spec.model_copy(update={"approval": s.spec.approval.model_copy(update={"above": 0})})
    )
    assert candidate_share(step(at(s, 50))) == 500
