"""Profiles: what they are taken of, how small they stay, and that nothing of them is lost on the way to the status and back."""

from __future__ import annotations

import json

import pytest

from agentrollouts.api.monitor import ProfileStatus
from agentrollouts.core.evidence import Arm, Cell, Evidence
from agentrollouts.core.monitor.behavior import (
    EVENTS,
    TOOLS,
    behavior_in,
    behavior_of,
    behavior_then,
    folded,
    profile_of,
)
from tests.builders import START
from tests.unit.core.monitor.behaving import ANSWERED, CELLS, SESSIONS, USUAL, tool, topic, without


def test_a_profile_is_what_the_sessions_did() -> None:
    behavior = behavior_of(USUAL.exactly(400))
    assert behavior is not None
    profile = profile_of(behavior, START)
    assert profile.sessions == 400
    assert profile.tools == {"lookup": 5500, "refund": 2500, "search": 1500, "none": 500}
    assert profile.topics == {"billing": 5000, "delivery": 3000, "returns": 2000}
    assert profile.events == {
        "refusal": 200,
        "escalation": 500,
        "thumbsDown": 400,
        "regenerate": 300,
        "takeover": 200,
    }
    assert profile.response_length is not None
    assert (profile.response_length.sessions, profile.response_length.mean) == (400, 0.2)


def test_it_comes_back_from_the_status_as_it_went() -> None:
    before = behavior_of(USUAL.exactly(417))
    assert before is not None
    wire = profile_of(before, START).model_dump_json(by_alias=True, exclude_none=True)
    after = behavior_then(ProfileStatus.model_validate_json(wire))
    assert after.sessions == before.sessions
    assert after.tools == pytest.approx(before.tools, abs=1e-4)
    assert after.topics == pytest.approx(before.topics, abs=1e-4)
    assert after.rates == pytest.approx(before.rates, abs=1e-4)
    assert after.length == pytest.approx(before.length, rel=1e-5)
    assert profile_of(after, START) == ProfileStatus.model_validate_json(wire)


def test_it_stays_small_whatever_names_there_are() -> None:
    totals = USUAL.exactly(10_000) | {tool(f"tool-{n}"): 1.0 + n for n in range(900)}
    totals |= {topic(f"topic-{n}"): 1.0 for n in range(900)} | {tool("x" * 1000): 500.0}
    behavior = behavior_of(totals)
    assert behavior is not None
    profile = profile_of(behavior, START)
    assert profile.tools is not None and profile.topics is not None
    assert len(profile.tools) <= 66
    assert len(profile.topics) <= 34
    assert sum(profile.tools.values()) == pytest.approx(10_000, abs=66)
    assert profile.tools["other"] > 0
    assert len(json.dumps(profile.model_dump(mode="json", by_alias=True))) < 4_000


def test_what_the_kit_may_declare_is_kept_by_name() -> None:
    mix = {f"tool-{n}": 1 / 66 for n in range(TOOLS)} | {"other": 1 / 66, "none": 1 / 66}
    assert folded(mix, TOOLS) == mix


def test_a_new_name_stays_unless_the_profile_is_full() -> None:
    assert folded({"lookup": 0.5, "new": 0.5}, TOOLS, {"lookup": 1.0}) == {"lookup": 0.5, "new": 0.5}
    full = {f"tool-{n}": 1 / 64 for n in range(TOOLS)}
    assert folded({"tool-3": 0.5, "new": 0.5}, TOOLS, full) == {"tool-3": 0.5, "other": 0.5}


def test_a_crowd_of_new_names_pushes_out_no_known_one() -> None:
    now = {f"new-{n}": 0.00999 for n in range(100)} | {"lookup": 0.001}
    kept = folded(now, TOOLS, {"lookup": 1.0})
    assert len(kept) == TOOLS + 1
    assert kept["lookup"] == 0.001
    assert sum(kept.values()) == pytest.approx(1.0)


def test_what_nobody_reports_is_not_in_it() -> None:
    bare = behavior_of({SESSIONS: 300.0})
    assert bare is not None
    profile = profile_of(bare, START)
    assert (profile.tools, profile.topics, profile.response_length, profile.events) == (None, None, None, {})
    assert behavior_of({}) is None
    assert behavior_of({SESSIONS: 0.0}) is None


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_that_is_not_reported_is_unknown_and_one_that_never_happens_is_zero(event: str) -> None:
    totals = USUAL.exactly(300)
    del totals[CELLS[event]]
    unknown, never = behavior_of(totals), behavior_of(totals | {CELLS[event]: 0.0})
    assert unknown is not None and never is not None
    assert event not in unknown.rates
    assert never.rates[event] == 0.0  # type: ignore[index]


def test_answers_of_unknown_length_are_unknown_and_not_empty() -> None:
    for totals in (USUAL.exactly(300) | {ANSWERED: 0.0}, without(USUAL.exactly(300), ANSWERED.metric)):
        behavior = behavior_of(totals)
        assert behavior is not None and behavior.length is None


def test_all_cohorts_of_the_version_count_and_calls_past_the_router_do_not() -> None:
    cells = USUAL.exactly(100)
    total = {Arm("2.0.0", cohort): cells for cohort in ("candidate", "stable", "control", "none")}
    total[Arm("1.0.0", "stable")] = {Cell("agent_sessions_closed_total", "idle"): 9_999.0}
    found = behavior_in(Evidence(total=total, recent={}, as_of=START), "2.0.0")
    assert found is not None
    assert found.sessions == 300
