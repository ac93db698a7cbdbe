"""Feedback that a later request of the same session brings: which task it marks, and when it is not counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentrollouts_kit import Reporter, Task, feedback, task, use_reporter
from agentrollouts_kit.vocabulary import EVENTS
from tests.kit.reading import Reading

Enter = Callable[..., None]


def event_fractions(reporter: Reporter) -> dict[str, float]:
    """Of the sessions closed so far, with those that are open closed now; only what is not zero."""
    reporter.ledger.drain()
    reading = Reading.of(reporter)
    found = {event: reading("agent_session_event_fraction_total", event=event) for event in EVENTS}
    return {event: value for event, value in found.items() if value}


def run(reporter: Reporter, *said: str) -> None:
    with task(reporter=reporter) as t:
        for event in said:
            getattr(t, event)()


def test_feedback_by_a_later_request_marks_one_more_task_and_no_more_than_there_are(
    reporter: Reporter, in_request: Enter
) -> None:
    in_request("candidate", "ann")
    run(reporter, "thumbs_down")
    run(reporter)
    run(reporter)
    assert reporter.feedback("ann", "thumbs_down")
    assert reporter.feedback("ann", "takeover")
    for _ in range(5):
        assert reporter.feedback("ann", "regenerate")
    run(reporter)
    assert event_fractions(reporter) == {"thumbs_down": 0.5, "takeover": 0.25, "regenerate": 0.75}
    assert Reading.of(reporter)("agent_feedback_total", event="regenerate", cohort="candidate") == 5


def test_feedback_while_only_one_task_runs_is_that_tasks(reporter: Reporter, in_request: Enter) -> None:
    in_request("candidate", "ann")
    with task(reporter=reporter) as t:
        assert reporter.feedback("ann", "takeover")
        assert reporter.feedback("ann", "takeover")
        t.takeover()
        assert reporter.feedback("ann", "regenerate")
    run(reporter)
    assert event_fractions(reporter) == {"takeover": 0.5, "regenerate": 0.5}
    reading = Reading.of(reporter)
    assert reading("agent_feedback_total", event="takeover") == 3
    assert reading("agent_feedback_total", event="regenerate") == 1


def test_feedback_while_several_tasks_run_is_the_oldest_ones(
    reporter: Reporter, clock: Any, in_request: Enter
) -> None:
    in_request("candidate", "ann")
    running = []
    for _ in range(8):
        running.append(Task(reporter))
        running[-1].begin()
        clock.now += 1
    assert reporter.feedback("ann", "takeover")
    running[0].takeover()
    assert reporter.feedback("ann", "regenerate")
    assert reporter.feedback("ann", "regenerate")
    for one in running:
        one.end()
    assert event_fractions(reporter) == {"takeover": 0.125, "regenerate": 0.25}


def test_feedback_marks_a_task_that_has_ended_before_one_that_runs(
    reporter: Reporter, in_request: Enter
) -> None:
    in_request("candidate", "ann")
    run(reporter)
    with task(reporter=reporter) as t:
        assert reporter.feedback("ann", "thumbs_down")
        t.thumbs_down()
    assert event_fractions(reporter) == {"thumbs_down": 1.0}


def test_feedback_after_the_session_closed_is_not_counted(
    reporter: Reporter, clock: Any, in_request: Enter
) -> None:
    in_request("candidate", "ann")
    run(reporter)
    clock.now += 600
    assert not reporter.feedback("ann", "thumbs_down")
    run(reporter)
    reporter.close_session()
    assert not reporter.feedback("ann", "thumbs_down")
    assert not reporter.feedback("bob", "thumbs_down")
    reading = Reading.of(reporter)
    assert reading("agent_sessions_closed_total") == 2
    assert reading("agent_session_event_fraction_total") == reading("agent_feedback_total") == 0
    assert reading("agent_reporting_problems_total") == 0


def test_feedback_keeps_no_session_open(reporter: Reporter, clock: Any, in_request: Enter) -> None:
    in_request("candidate", "ann")
    run(reporter)
    clock.now += 599
    assert reporter.feedback("ann", "thumbs_down")
    clock.now += 1
    reading = Reading.of(reporter)
    assert reading("agent_sessions_closed_total", reason="idle") == 1
    assert reading("agent_session_event_fraction_total", event="thumbs_down") == 1


def test_feedback_goes_to_the_cohort_of_the_request_or_the_one_named(
    reporter: Reporter, in_request: Enter
) -> None:
    for cohort in ("candidate", "stable"):
        in_request(cohort, "ann")
        run(reporter)
    assert reporter.feedback("ann", "regenerate")
    assert reporter.feedback("ann", "takeover", cohort="candidate")
    assert not reporter.feedback("ann", "takeover", cohort="control")
    reporter.ledger.drain()
    reading = Reading.of(reporter)
    found = {
        (cohort, event): reading("agent_session_event_fraction_total", cohort=cohort, event=event)
        for cohort in ("stable", "candidate")
        for event in ("regenerate", "takeover")
    }
    assert found == {
        ("stable", "regenerate"): 1,
        ("stable", "takeover"): 0,
        ("candidate", "regenerate"): 0,
        ("candidate", "takeover"): 1,
    }


def test_feedback_of_the_current_request(reporter: Reporter, in_request: Enter) -> None:
    use_reporter(reporter)
    in_request("candidate", "ann")
    run(reporter)
    assert feedback("thumbs_down")
    in_request("candidate", None)
    assert not feedback("thumbs_down")
    assert reporter.problems.total == 0
    assert event_fractions(reporter) == {"thumbs_down": 1}


@pytest.mark.parametrize(
    "said",
    [
        ("ann", "intervention", None),
        ("ann", "applause", None),
        ("ann", ["thumbs_down"], None),
        ("ann", "thumbs_down", "canary"),
        (None, "thumbs_down", None),
    ],
)
def test_senseless_feedback_is_left_out_and_noted(
    reporter: Reporter, in_request: Enter, caplog: pytest.LogCaptureFixture, said: tuple[Any, Any, Any]
) -> None:
    in_request("candidate", "ann")
    run(reporter)
    key, event, cohort = said
    assert not reporter.feedback(key, event, cohort=cohort)
    assert event_fractions(reporter) == {}
    assert Reading.of(reporter)("agent_reporting_problems_total") == 1
    assert "feedback takes a session key, one of thumbs_down, regenerate, takeover" in caplog.text
