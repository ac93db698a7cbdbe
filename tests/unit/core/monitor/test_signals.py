"""Judging each signal: what is found, what chance hides, what begins and ends, and what isn't known."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.api.monitor import MonitorSpec
from agentrollouts.core.monitor.behavior import EVENTS, Behavior, behavior_of
from agentrollouts.core.monitor.signals import Finding, compared
from tests.unit.core.monitor.behaving import USUAL, Way, without

SPEC = MonitorSpec()


def behavior(way: Way, n: float = 20_000, *lacking: str) -> Behavior:
    found = behavior_of(without(way.exactly(n), *lacking))
    assert found is not None
    return found


def judged(now: Way, n: float = 20_000, *, then: float = 20_000, drifting: Any = ()) -> dict[str, Finding]:
    found = compared(SPEC, behavior(USUAL, then), behavior(now, n), drifting)
    return {finding.signal: finding for finding in found}


def drifts(now: Way, n: float = 20_000, **more: Any) -> set[str]:
    return {name for name, finding in judged(now, n, **more).items() if finding.drifting}


def test_every_signal_is_compared_and_the_same_behaviour_drifts_in_none() -> None:
    found = judged(USUAL)
    assert set(found) == {"toolMix", "topicMix", "responseLength", *EVENTS}
    assert all(finding.moved == pytest.approx(0.0, abs=1e-3) for finding in found.values())
    assert drifts(USUAL) == set()


def test_a_tool_the_profile_does_not_know_is_seen() -> None:
    """The defect this is made against goes over the profile's tools only: it would see half of this, and say nothing."""
    tools = {name: part * 0.75 for name, part in USUAL.tools.items()} | {"delete_account": 0.25}
    assert drifts(USUAL.but(tools=tools)) == {"toolMix"}
    finding = judged(USUAL.but(tools=tools))["toolMix"]
    assert finding.moved == pytest.approx(0.25, abs=1e-3)
    assert "delete_account 0.0% -> 25.0% (new)" in finding.sentence


def test_a_tool_that_is_used_no_more_is_seen() -> None:
    assert drifts(USUAL.but(tools={"lookup": 0.8, "search": 0.15, "none": 0.05})) == {"toolMix"}


@pytest.mark.parametrize(
    ("change", "signal", "words"),
    [
        (
            {"topics": {"billing": 0.2, "delivery": 0.3, "returns": 0.5}},
            "topicMix",
            "30.0% moved: billing 50",
        ),
        ({"length": 0.3}, "responseLength", "mean answer +50.0%, 30% of the cap after 20%"),
        ({"length": 0.1}, "responseLength", "mean answer -50.0%, 10% of the cap after 20%"),
        ({"refusal": 0.12}, "refusal", "in 12.0% of the tasks after 2.0%, +10.0 points"),
        ({"escalation": 0.15}, "escalation", "+10.0 points"),
        ({"thumbsDown": 0.14}, "thumbsDown", "+10.0 points"),
        ({"regenerate": 0.13}, "regenerate", "+10.0 points"),
        ({"takeover": 0.12}, "takeover", "+10.0 points"),
    ],
)
def test_each_signal_is_found_and_no_other(change: dict[str, Any], signal: str, words: str) -> None:
    now = USUAL.but(**change)
    assert drifts(now) == {signal}
    sentence = judged(now)[signal].sentence
    assert sentence.startswith(f"{signal}: ")
    assert words in sentence
    assert sentence.endswith("20000 sessions of the last 24h against 20000 when accepted")


def test_what_happens_less_often_is_a_change_too() -> None:
    """An agent that refused a tenth and refuses nothing any more has lost a guard."""
    then, now = behavior(USUAL.but(refusal=0.1)), behavior(USUAL.but(refusal=0.0))
    assert {one.signal for one in compared(SPEC, then, now, ()) if one.drifting} == {"refusal"}


def test_what_is_allowed_is_no_drift_however_sure() -> None:
    tools = USUAL.tools | {"lookup": 0.45, "refund": 0.35}
    assert drifts(USUAL.but(tools=tools, length=0.25, refusal=0.06), n=10_000_000, then=10_000_000) == set()


@pytest.mark.parametrize(
    "change",
    [
        {"tools": {"lookup": 0.3, "refund": 0.5, "search": 0.15, "none": 0.05}},
        {"length": 0.3},
        {"thumbsDown": 0.14},
    ],
)
def test_few_sessions_are_no_proof_of_a_change(change: dict[str, Any]) -> None:
    now = USUAL.but(**change)
    assert drifts(now, n=100, then=200) == set()
    assert len(drifts(now)) == 1


def test_it_ends_at_half_of_what_is_allowed() -> None:
    many = {"n": 2_000_000, "then": 2_000_000}
    between, below = USUAL.but(refusal=0.06), USUAL.but(refusal=0.04)
    assert drifts(between, **many) == set()
    assert drifts(between, **many, drifting={"refusal"}) == {"refusal"}
    assert drifts(below, **many, drifting={"refusal"}) == set()


@pytest.mark.parametrize(
    ("metric", "signal"),
    [
        ("agent_session_tool_fraction_total", "toolMix"),
        ("agent_session_topic_fraction_total", "topicMix"),
        ("agent_sessions_answered_total", "responseLength"),
        ("agent_session_outcome_fraction_total", "refusal"),
        ("agent_session_event_fraction_total", "takeover"),
    ],
)
def test_what_one_side_does_not_report_is_unknown_and_not_as_before(metric: str, signal: str) -> None:
    for then, now in (
        (behavior(USUAL, 20_000, metric), behavior(USUAL)),
        (behavior(USUAL), behavior(USUAL, 20_000, metric)),
    ):
        assert signal not in {finding.signal for finding in compared(SPEC, then, now, ())}


def test_the_limits_are_those_of_the_spec() -> None:
    wide = MonitorSpec.model_validate(
        {"toolMix": "40%", "topicMix": "40%", "responseLength": "90%", "events": "20%"}
    )
    now = behavior(
        USUAL.but(tools={"refund": 0.5, "lookup": 0.5}, topics={"billing": 1.0}, length=0.35, refusal=0.15)
    )
    found = {one.signal for one in compared(SPEC, behavior(USUAL), now, ()) if one.drifting}
    assert found == {"toolMix", "topicMix", "responseLength", "refusal"}
    assert [
        one for one in compared(wide, behavior(USUAL), now, ()) if one.drifting and one.signal != "topicMix"
    ] == []
