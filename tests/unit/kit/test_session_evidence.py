"""Events, calls of language models and scores: what a closed session adds of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentrollouts_kit import Reporter, Task, task
from agentrollouts_kit.vocabulary import EVENTS
from tests.kit.reading import Reading

Enter = Callable[..., None]
Make = Callable[..., Reporter]


def event_fractions(reporter: Reporter) -> dict[str, float]:
    """Of the sessions closed so far, with those that are open closed now; only what is not zero."""
    reporter.ledger.drain()
    reading = Reading.of(reporter)
    found = {event: reading("agent_session_event_fraction_total", event=event) for event in EVENTS}
    return {event: value for event, value in found.items() if value}


def scores(reporter: Reporter, score: str) -> tuple[float, float, float]:
    reading = Reading.of(reporter)
    names = (
        "agent_session_scores_total",
        "agent_session_score_sum_total",
        "agent_session_score_squares_total",
    )
    count, total, squares = (reading(name, score=score) for name in names)
    return count, total, squares


def run(reporter: Reporter, *said: str) -> None:
    with task(reporter=reporter) as t:
        for event in said:
            t.tool_call("lookup", ok=False) if event == "tool_failure" else getattr(t, event)()


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_counts_once_per_task(reporter: Reporter, in_request: Enter, event: str) -> None:
    in_request("candidate", "ann")
    run(reporter, event, event, event)
    run(reporter)
    run(reporter, event)
    run(reporter)
    assert event_fractions(reporter) == {event: 0.5}
    assert Reading.of(reporter)("agent_session_event_fraction_total", cohort="stable") == 0


def test_a_tool_call_that_succeeds_is_no_event(reporter: Reporter) -> None:
    with task(reporter=reporter) as t:
        t.tool_call("lookup")
        t.tool_call("unheard-of")
    assert event_fractions(reporter) == {}
    with task(reporter=reporter) as t:
        t.tool_call("unheard-of", ok=False)
        t.tool_call("unheard-of")
    assert event_fractions(reporter) == {"tool_failure": 1}


def test_feedback_within_the_task_is_counted_each_time(reporter: Reporter) -> None:
    run(reporter, "thumbs_down", "thumbs_down", "regenerate", "takeover")
    reading = Reading.of(reporter)
    assert reading("agent_feedback_total", event="thumbs_down") == 2
    assert reading("agent_feedback_total", event="regenerate") == 1
    assert reading("agent_feedback_total", event="takeover") == 1


def test_llm_calls_are_capped_per_task(make_reporter: Make, in_request: Enter) -> None:
    reporter = make_reporter(llm_calls_cap=8)
    in_request()
    for calls in (2, 80, 0):
        with task(reporter=reporter) as t:
            t.llm_call(calls=calls)
    reporter.close_session()
    reading = Reading.of(reporter)
    mean = (0.25 + 1.0 + 0.0) / 3
    assert reading("agent_session_llm_calls_fraction_total") == pytest.approx(mean)
    assert reading("agent_session_llm_calls_fraction_squares_total") == pytest.approx(mean**2)


def test_a_score_is_the_mean_over_the_scored_tasks_of_each_tasks_mean(
    reporter: Reporter, in_request: Enter
) -> None:
    in_request()
    for values in ((0.0, 0.5, 1.0), (0.0,), ()):
        with task(reporter=reporter) as t:
            for value in values:
                t.score("toxicity", value)
    reporter.close_session()
    assert scores(reporter, "toxicity") == (1, 0.25, 0.0625)
    assert scores(reporter, "similarity") == (0, 0, 0)


def test_a_score_of_zero_is_a_score(reporter: Reporter) -> None:
    with task(reporter=reporter) as t:
        t.score("toxicity", 0)
        t.score("similarity", 1)
    assert scores(reporter, "toxicity") == (1, 0, 0)
    assert scores(reporter, "similarity") == (1, 1, 1)


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), "0.5", None])
def test_a_score_outside_of_its_range_is_left_out_and_noted(
    reporter: Reporter, caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    with task(reporter=reporter) as t:
        t.score("toxicity", value)
        t.score("toxicity", 0.25)
    assert scores(reporter, "toxicity") == (1, 0.25, 0.0625)
    assert Reading.of(reporter)("agent_reporting_problems_total") == 1
    assert f"score toxicity must be a number from 0 to 1, not {value!r}" in caplog.text


@pytest.mark.parametrize("name", ["helpfulness", "", None, ["toxicity"]])
def test_a_score_that_was_not_declared_is_left_out_and_noted(
    reporter: Reporter, caplog: pytest.LogCaptureFixture, name: Any
) -> None:
    with task(reporter=reporter) as t:
        t.score(name, 0.25)
    assert scores(reporter, "toxicity") == scores(reporter, "similarity") == (0, 0, 0)
    assert Reading.of(reporter)("agent_reporting_problems_total") == 1
    assert f"{name!r} is no declared score" in caplog.text


def test_a_score_after_the_task_was_counted_is_noted(reporter: Reporter) -> None:
    with task(reporter=reporter) as t:
        pass
    t.score("toxicity", 0.5)
    t.thumbs_down()
    assert scores(reporter, "toxicity") == (0, 0, 0)
    assert event_fractions(reporter) == {}
    assert Reading.of(reporter)("agent_reporting_problems_total") == 2


def test_an_expired_task_counts_with_what_was_known_of_it(
    reporter: Reporter, clock: Any, in_request: Enter
) -> None:
    in_request("candidate", "ann")
    hanging = Task(reporter)
    hanging.begin()
    hanging.destructive_rollback()
    hanging.score("toxicity", 0.75)
    run(reporter)
    clock.now += 3600
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="expired") == 1
    hanging.takeover()
    assert event_fractions(reporter) == {"destructive_rollback": 0.5}
    assert scores(reporter, "toxicity") == (1, 0.75, 0.5625)


def test_the_busiest_task_of_the_largest_agent_fits_into_one_change(make_reporter: Make) -> None:
    tools, names = [f"tool-{n}" for n in range(64)], [f"score-{n}" for n in range(16)]
    topics = [f"topic-{n}" for n in range(32)]
    reporter = make_reporter(tools=tuple(tools), scores=tuple(names), topics=tuple(topics))
    with task(reporter=reporter) as t:
        for tool in (*tools, "unheard-of"):
            t.tool_call(tool)
            t.tool_call(tool, ok=False)
        for name in names:
            t.score(name, 0.5)
        for topic in (*topics, "unheard-of"):
            t.topic(topic)
        for event in EVENTS[1:]:
            getattr(t, event)()
        t.llm_call(input_tokens=1, output_tokens=1, cost_usd=1.0)
        t.response(10)
    reading = Reading.of(reporter)
    assert reading("agent_reporting_problems_total") == 0
    assert reading("agent_tool_calls_total") == 130
    assert reading("agent_session_event_fraction_total") == len(EVENTS)
    assert reading("agent_session_scores_total") == 16
    assert reading("agent_session_topic_fraction_total") == pytest.approx(1)
    assert reading("agent_session_topic_fraction_total", topic="other") == pytest.approx(1 / 33)


def test_topics_are_fractions_of_the_tasks_that_have_one(reporter: Reporter, in_request: Enter) -> None:
    in_request()
    for topics in (("billing",), ("billing", "delivery", "billing"), ("unheard-of",), ()):
        with task(reporter=reporter) as t:
            for topic in topics:
                t.topic(topic)
    reporter.close_session()
    reading = Reading.of(reporter)
    found = {name: reading("agent_session_topic_fraction_total", topic=name) for name in
             ("billing", "delivery", "other", "none")}  # fmt: skip
    assert found == pytest.approx({"billing": 1.5 / 3, "delivery": 0.5 / 3, "other": 1 / 3, "none": 0})


@pytest.mark.parametrize(("declared", "name"), [((), "billing"), (("billing",), ["billing"])])
def test_a_topic_that_can_not_be_counted_is_noted(
    make_reporter: Make, caplog: pytest.LogCaptureFixture, declared: tuple[str, ...], name: Any
) -> None:
    reporter = make_reporter(topics=declared)
    with task(reporter=reporter) as t:
        t.topic(name)
    assert Reading.of(reporter)("agent_reporting_problems_total") == 1
    assert f"topic {name!r} is left out" in caplog.text


def test_the_length_is_that_of_the_answers_and_a_task_without_one_has_none(
    make_reporter: Make, in_request: Enter
) -> None:
    reporter = make_reporter(response_length_cap=200)
    in_request()
    for answer in (50, 1000, None):
        with task(reporter=reporter) as t:
            if answer is None:
                t.fail("no answer")
            else:
                t.response(answer)
    reporter.close_session()
    in_request(session="bob")
    with task(reporter=reporter):
        pass
    reporter.close_session()
    reading = Reading.of(reporter)
    mean = (0.25 + 1.0) / 2
    assert reading("agent_sessions_closed_total") == 2
    assert reading("agent_sessions_answered_total") == 1
    assert reading("agent_session_response_length_fraction_total") == pytest.approx(mean)
    assert reading("agent_session_response_length_fraction_squares_total") == pytest.approx(mean**2)
    assert reading("agent_response_length_cap_chars") == 200


def test_a_killed_task_has_neither_topic_nor_length(make_reporter: Make, tmp_path: Any) -> None:
    reporter = make_reporter(state_dir=str(tmp_path))
    killed = Task(reporter)
    killed.begin()
    killed.topic("billing")
    killed.response(10)
    reporter.close()
    again = make_reporter(state_dir=str(tmp_path))
    again.ledger.drain()
    reading = Reading.of(again)
    assert reading("agent_sessions_answered_total") == 0
    assert reading("agent_session_topic_fraction_total", topic="none") == 1
