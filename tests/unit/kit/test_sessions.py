"""When a session opens and closes, and what it then adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentrollouts_kit import Reporter, Task, task
from tests.kit.reading import Reading

Enter = Callable[..., None]
Make = Callable[..., Reporter]


def closed(reporter: Reporter, reason: str, **labels: str) -> float:
    return Reading.of(reporter)("agent_sessions_closed_total", reason=reason, **labels)


def run(reporter: Reporter, outcome: str = "success", **more: Any) -> None:
    with task(reporter=reporter) as t:
        {"success": t.success, "failure": t.fail, "refused": t.refuse, "escalated": t.escalate}[outcome]()
        t.add_cost(more.get("cost", 0.0))
        for name in more.get("tools", ()):
            t.tool_call(name)
        if more.get("end"):
            t.end_session()


def test_a_session_closes_when_idle_and_adds_its_fractions(
    reporter: Reporter, clock: Any, in_request: Enter
) -> None:
    in_request("candidate", "ann")
    run(reporter, "success", cost=0.5, tools=["lookup", "lookup", "refund", "unheard-of"])
    run(reporter, "failure", cost=9.0)
    run(reporter, "refused")
    run(reporter, "success")
    assert Reading.of(reporter)("agent_sessions_assigned_total", cohort="candidate") == 1
    clock.now += 599
    assert closed(reporter, "idle") == 0
    clock.now += 1
    reading = Reading.of(reporter)
    assert reading("agent_sessions_closed_total", reason="idle", cohort="candidate") == 1
    assert reading("agent_session_success_fraction_total", cohort="candidate") == 0.5
    assert reading("agent_session_success_fraction_squares_total", cohort="candidate") == 0.25
    assert reading("agent_session_outcome_fraction_total", outcome="refused", cohort="candidate") == 0.25
    assert reading("agent_session_capped_cost_fraction_total", cap="1") == pytest.approx(1.5 / 4)
    assert reading("agent_session_capped_cost_fraction_squares_total", cap="1") == pytest.approx(
        (1.5 / 4) ** 2
    )
    assert reading("agent_session_tool_fraction_total", tool="lookup") == 0.5
    assert reading("agent_session_tool_fraction_total", tool="other") == 0.25
    assert reading("agent_session_tool_fraction_total", tool="none") == 0
    assert reading("agent_session_success_fraction_total", cohort="stable") == 0


def test_latency_fractions_are_cumulative(reporter: Reporter, clock: Any, in_request: Enter) -> None:
    in_request()
    for seconds in (0.0625, 0.1875, 400.0, 7.0):
        with task(reporter=reporter) as t:
            clock.now += seconds
            t.success()
    reporter.ledger.drain()
    reading = Reading.of(reporter)
    expected = {"0.1": 0.25, "0.25": 0.5, "0.5": 0.5, "5.0": 0.5, "10.0": 0.75, "120.0": 0.75, "+Inf": 1.0}
    assert {le: reading("agent_session_latency_fraction_total", le=le) for le in expected} == pytest.approx(
        expected
    )


def test_a_session_without_tool_calls_counts_under_none(reporter: Reporter, in_request: Enter) -> None:
    in_request()
    run(reporter, end=True)
    reading = Reading.of(reporter)
    assert reading("agent_session_tool_fraction_total", tool="none") == 1
    assert reading("agent_session_tool_fraction_total") == 1


def test_one_user_in_two_cohorts_has_two_sessions(reporter: Reporter, in_request: Enter) -> None:
    in_request("stable", "ann")
    run(reporter)
    in_request("candidate", "ann")
    run(reporter, "failure")
    in_request("stable", "ann")
    run(reporter)
    reporter.ledger.drain()
    reading = Reading.of(reporter)
    assert reading("agent_sessions_assigned_total", cohort="stable") == 1
    assert reading("agent_session_success_fraction_total", cohort="stable") == 1
    assert reading("agent_session_success_fraction_total", cohort="candidate") == 0
    assert reading("agent_sessions_closed_total", cohort="candidate") == 1


def test_a_task_without_a_session_key_is_a_session_of_its_own(reporter: Reporter) -> None:
    run(reporter)
    run(reporter, "failure")
    reading = Reading.of(reporter)
    assert reading("agent_sessions_assigned_total", cohort="none") == 2
    assert reading("agent_sessions_closed_total", cohort="none", reason="explicit") == 2
    assert reading("agent_session_success_fraction_total", cohort="none") == 1


def test_an_explicit_end_waits_for_the_tasks_that_still_run(reporter: Reporter, in_request: Enter) -> None:
    in_request()
    long = reporter.task()
    long.__enter__()
    in_request()
    reporter.close_session()
    assert closed(reporter, "explicit") == 0
    long.__exit__(None, None, None)
    assert closed(reporter, "explicit") == 1
    run(reporter)
    assert Reading.of(reporter)("agent_sessions_assigned_total") == 2, "the next task begins a new session"


def test_a_task_may_end_its_session(reporter: Reporter, in_request: Enter) -> None:
    in_request()
    run(reporter)
    run(reporter, "failure", end=True)
    reading = Reading.of(reporter)
    assert reading("agent_sessions_closed_total", reason="explicit") == 1
    assert reading("agent_session_success_fraction_total") == 0.5


def test_a_hanging_task_is_a_failure_when_its_session_expires(
    reporter: Reporter, clock: Any, in_request: Enter
) -> None:
    in_request()
    run(reporter)
    with task(reporter=reporter) as hanging:
        clock.now += 3599
        assert closed(reporter, "expired") == 0
        assert closed(reporter, "idle") == 0, "a session with a task running is not idle"
        clock.now += 1
        reading = Reading.of(reporter)
        hanging.success()
    assert reading("agent_sessions_closed_total", reason="expired") == 1
    assert reading("agent_session_success_fraction_total") == 0.5
    assert reading("agent_session_latency_fraction_total", le="120.0") == 0.5
    for later in (reading, Reading.of(reporter)):
        assert later("agent_tasks_total", outcome="success") == 1
        assert later("agent_tasks_total", outcome="failure") == 1
        assert later("agent_task_duration_seconds_bucket", le="120.0") == 1
        assert later("agent_task_duration_seconds_count") == 2


def test_a_busy_session_closes_as_expired_at_its_age(
    reporter: Reporter, clock: Any, in_request: Enter
) -> None:
    in_request()
    for _ in range(8):
        run(reporter)
        clock.now += 500
    run(reporter)
    reading = Reading.of(reporter)
    assert reading("agent_sessions_closed_total", reason="expired") == 1
    assert reading("agent_sessions_assigned_total") == 2
    assert reading("agent_session_success_fraction_total") == 1


def test_the_number_of_open_sessions_is_bounded(make_reporter: Make, in_request: Enter) -> None:
    reporter = make_reporter(max_open_sessions=3)
    for user in ("ann", "bob", "cid"):
        in_request("stable", user)
        run(reporter)
    in_request("stable", "ann")
    run(reporter)
    in_request("stable", "dan")
    run(reporter)
    assert reporter.ledger.open_sessions == 3
    assert closed(reporter, "idle") == 1
    in_request("stable", "ann")
    run(reporter)
    assert Reading.of(reporter)("agent_sessions_assigned_total") == 4, "ann was not the longest quiet"


def test_when_every_session_has_a_task_running_the_oldest_expires(
    make_reporter: Make, in_request: Enter
) -> None:
    reporter = make_reporter(max_open_sessions=1)
    in_request("stable", "ann")
    hanging = Task(reporter)
    hanging.begin()
    in_request("stable", "bob")
    run(reporter)
    reading = Reading.of(reporter)
    assert reporter.ledger.open_sessions == 1
    assert reading("agent_sessions_closed_total", reason="expired") == 1
    assert reading("agent_tasks_total", outcome="failure") == 1
    hanging.end()
    assert Reading.of(reporter)("agent_tasks_total") == 2
