"""Judging a value of the user's own: limits, directions, and what isn't known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.checks import CheckSpec
from agentrollouts.core.asked import Told
from agentrollouts.core.checks import REGISTRY, CheckInput, CheckResult, Verdict
from agentrollouts.core.evidence import Cell, Unavailable

P, W, F, U = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.INCONCLUSIVE
EVERYTHING = {"max": "10", "min": "1", "maxIncrease": "50%", "maxDecrease": "50%"}


def judge(
    limits: dict[str, Any],
    told: Told | Unavailable,
    *,
    sessions: tuple[int, int] = (20, 20),
    on_failure: str = "Rollback",
) -> CheckResult:
    body = {"query": "x", "onFailure": on_failure, **limits}
    kind, spec = CheckSpec.model_validate({"name": "queue", "promql": body}).member
    ours, theirs = ({Cell("agent_sessions_closed_total", "idle"): float(n)} for n in sessions)
    return REGISTRY[kind][1](spec, CheckInput("queue", ours, theirs, 20, told=told))


def values(candidate: float | None, old: float | None = None) -> Told:
    return Told(candidate, old, "" if candidate is not None else "none of ours", "none of theirs", "control")


@pytest.mark.parametrize(
    ("limits", "candidate", "verdict"),
    [
        ({"max": "0.1"}, 0.1, P),
        ({"max": "0.1"}, 0.1000001, F),
        ({"max": 0}, -3.0, P),
        ({"min": "0.85"}, 0.85, P),
        ({"min": "0.85"}, 0.84, F),
        ({"min": "-2"}, -2.5, F),
        ({"min": 1, "max": 2}, 1.5, P),
        ({"min": 1, "max": 2}, 0.5, F),
        ({"min": 1, "max": 2}, 2.5, F),
    ],
)
def test_fixed_limits_are_about_the_candidate_alone(
    limits: dict[str, Any], candidate: float, verdict: Verdict
) -> None:
    found = judge(limits, values(candidate))
    assert found.verdict is verdict, found.reason
    assert (found.adds_up, found.missing) == (True, False)


@pytest.mark.parametrize(
    ("limits", "candidate", "old", "verdict"),
    [
        ({"maxIncrease": "50%"}, 15.0, 10.0, P),
        ({"maxIncrease": "50%"}, 15.1, 10.0, F),
        ({"maxIncrease": "50%"}, 1.0, 10.0, P),
        ({"maxDecrease": "25%"}, 7.5, 10.0, P),
        ({"maxDecrease": "25%"}, 7.4, 10.0, F),
        ({"maxDecrease": "25%"}, 99.0, 10.0, P),
        ({"maxIncrease": "0%"}, 10.0, 10.0, P),
        ({"maxIncrease": "0%"}, 10.1, 10.0, F),
        ({"maxIncrease": "1000%"}, 110.0, 10.0, P),
        ({"maxIncrease": "50%", "maxDecrease": "50%"}, 4.0, 10.0, F),
        ({"maxIncrease": "50%", "maxDecrease": "50%"}, 16.0, 10.0, F),
        ({"maxIncrease": "50%", "max": 12}, 13.0, 10.0, F),
        ({"maxIncrease": "10%", "max": 12}, 11.5, 10.0, F),
    ],
)
def test_increase_and_decrease_are_relative_to_the_old_version(
    limits: dict[str, Any], candidate: float, old: float, verdict: Verdict
) -> None:
    found = judge(limits, values(candidate, old))
    assert found.verdict is verdict, found.reason


@pytest.mark.parametrize(
    ("limits", "candidate", "old", "verdict"),
    [
        ({"maxIncrease": "50%"}, 0.0, 0.0, P),
        ({"maxIncrease": "50%"}, 1.0, 0.0, U),
        ({"maxIncrease": "50%", "max": 2}, 1.0, 0.0, P),
        ({"maxIncrease": "50%", "max": 2}, 3.0, 0.0, F),
        ({"maxIncrease": "50%"}, -1.0, -2.0, U),
        ({"maxIncrease": "50%"}, -3.0, -2.0, P),
        ({"maxDecrease": "50%"}, -1.0, 0.0, U),
        ({"maxDecrease": "50%", "min": -2}, -1.0, 0.0, P),
    ],
)
def test_a_part_of_nothing_is_no_limit(
    limits: dict[str, Any], candidate: float, old: float, verdict: Verdict
) -> None:
    found = judge(limits, values(candidate, old))
    assert found.verdict is verdict, found.reason
    if verdict is U:
        assert "give m" in found.reason


@pytest.mark.parametrize("limit", ["max", "min", "maxIncrease", "maxDecrease"])
def test_without_a_value_of_the_candidate_no_limit_speaks(limit: str) -> None:
    found = judge({limit: EVERYTHING[limit]}, values(None, 5.0))
    assert (found.verdict, found.reason, found.missing) == (U, "none of ours", True)


def test_without_a_value_of_the_old_version_only_a_broken_fixed_limit_speaks() -> None:
    assert judge({"maxIncrease": "5%"}, values(3.0)).verdict is U
    assert judge({"maxIncrease": "5%", "max": 4}, values(3.0)).verdict is U
    assert judge({"maxIncrease": "5%", "max": 2}, values(3.0)).verdict is F
    assert judge({"max": 4}, values(3.0)).verdict is P


def test_what_couldnt_be_asked_is_said_before_anything_is_counted() -> None:
    found = judge({"max": 1}, Unavailable("parse error"), sessions=(0, 0))
    assert (found.verdict, found.reason, found.missing) == (U, "parse error", True)


def test_no_verdict_before_there_are_enough_sessions() -> None:
    few = judge({"max": 1}, values(99.0), sessions=(19, 0))
    assert (few.verdict, few.reason, few.missing) == (U, "19 of 20 sessions of the candidate", False)
    assert judge({"max": 1}, values(99.0), sessions=(20, 0)).verdict is F
    compared = judge({"maxIncrease": "5%"}, values(99.0, 1.0), sessions=(20, 19))
    assert compared.reason == "19 of 20 sessions of the old version"


def test_hold_warns_where_rollback_fails() -> None:
    assert judge({"max": 1}, values(2.0), on_failure="Hold").verdict is W
    assert judge({"max": 1}, values(1.0), on_failure="Hold").verdict is P
    assert judge({"max": 1}, values(None), on_failure="Hold").verdict is U


def test_a_spec_without_any_limit_passes_nobody() -> None:
    found = judge({}, values(1.0, 1.0))
    assert found.verdict is U
    assert "expected a limit" in found.reason


def test_the_sentence_has_both_values_the_limits_the_unit_and_the_age() -> None:
    told = values(13.25, 10.0)._replace(age=timedelta(seconds=7))
    found = judge({"max": "20", "maxIncrease": "50%", "unit": "ms"}, told)
    assert found.reason == (
        "13.25 ms, at most 20; 13.25 ms against 10 ms of control, at most 50% more, asked 7s ago"
    )


def test_numbers_are_no_hurry() -> None:
    """A query is asked every fifteen seconds, so looking every second would show the same again."""
    assert judge({"max": 1}, values(99.0)).toward_failure == 0.0
