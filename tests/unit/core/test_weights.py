"""Shares become arms that always add up, in an order that moves nobody back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.scalars import FULL, format_duration, format_percent, parse_duration, parse_percent
from agentrollouts.core.weights import arms, manual_arms, offset
from tests.builders import look, snapshot, spec, step

STABLE, CANDIDATE = ("1.0.0", "s1"), ("2.0.0", "s2")


@given(share=st.integers(0, FULL), cap=st.integers(0, FULL))
def test_arms_always_add_up_in_ring_order(share, cap):
    made = arms(stable=STABLE, candidate=CANDIDATE, share=share, control_cap=cap)
    assert sum(arm.share for arm in made) == FULL
    assert all(arm.share > 0 for arm in made)
    order = [arm.cohort for arm in made]
    assert order == sorted(order, key=["candidate", "stable", "control"].index)
    control = sum(arm.share for arm in made if arm.cohort == "control")
    assert control <= min(share, cap)


@pytest.mark.parametrize(
    ("text", "bps"),
    [
        (5, 500),
        ("5", 500),
        ("5%", 500),
        ("0.5%", 50),
        ("0.05%", 5),
        ("100%", 10_000),
        (0, 0),
        ("99.99%", 9_999),
    ],
)
def test_percentages(text, bps):
    assert parse_percent(text) == bps
    assert parse_percent(format_percent(bps)) == bps


@pytest.mark.parametrize("text", ["", "101%", "-1", "5.555%", "five", 5.5, None, True, "100.01%", "1e1"])
def test_what_is_no_percentage_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match="expected"):
        parse_percent(text)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("0s", 0)])
def test_durations(text, seconds):
    assert parse_duration(text).total_seconds() == seconds
    assert parse_duration(format_duration(parse_duration(text))).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "1d", "-5s", "1.5h", 15, None, "5s1h"])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="1h30m"):
        parse_duration(text)


def test_hand_set_shares_put_the_largest_last_as_stable():
    made = manual_arms([("1.0.0", "s1", 7_000), ("2.0.0", "s2", 2_000), ("3.0.0", "s3", 1_000)])
    assert [(a.cohort, a.version, a.share) for a in made] == [
        ("candidate", "2.0.0", 2_000),
        ("candidate", "3.0.0", 1_000),
        ("stable", "1.0.0", 7_000),
    ]


def test_hand_set_shares_are_reported_with_what_they_were_before():
    both = spec(
        "1.0.0",
        strategy={
            "manual": {"shares": [{"version": "1.0.0", "share": 90}, {"version": "2.0.0", "share": 10}]}
        },
    )
    s = step(step(snapshot()), spec=both)
    rows = {(item.version, item.share, item.previous_share) for item in s.status.shares}
    assert rows == {("1.0.0", 9_000, 10_000), ("2.0.0", 1_000, 0)}


def test_a_hand_set_share_that_needs_approval_is_refused_with_the_way_out():
    full = spec("1.0.0", strategy={"manual": {"shares": [{"version": "2.0.0", "share": 100}]}})
    decision, plan = look(step(step(snapshot()), spec=full))
    assert decision.reason == "ShareNeedsApproval"
    assert "use spec.version with steps" in decision.message
    assert plan.actions == () or all(type(a).__name__ != "SetRoute" for a in plan.actions)


def test_a_salt_is_stable_and_spreads():
    assert offset("u", "d", "1") == offset("u", "d", "1")
    assert len({offset("u", "d", str(i)) for i in range(200)}) > 190
