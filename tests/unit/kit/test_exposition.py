"""Names, labels and zeros: what the scrapes of an agent look like before anything happened, and ever after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agentrollouts_kit import Identity, Reporter, request_context, task
from agentrollouts_kit.context import current
from tests.kit.reading import Reading

COHORTS = {"candidate", "stable", "control", "none"}
OUTCOMES = {"success", "failure", "refused", "escalated"}
DURATIONS = {"0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0", "120.0", "+Inf"}
LENGTHS = {"50.0", "200.0", "500.0", "1000.0", "2000.0", "5000.0", "+Inf"}
TOOLS = {"lookup", "refund", "other"}
SCORES = {"toxicity", "similarity"}
CAPS = {"1", "0.3", "0.1", "0.03", "0.01", "0.003", "0.001"}
FEEDBACK = {"thumbs_down", "regenerate", "takeover"}
DROPS = {
    "queue",
    "rate",
    "refused",
    "failed",
    "unusable",
    "session_closed",
    "similarity_error",
    "stopping",
}
EVENTS = {"tool_failure", "intervention", "checkpoint", "destructive_rollback"} | FEEDBACK

FAMILIES: dict[str, dict[str, set[str]]] = {
    "agent_tasks_total": {"outcome": OUTCOMES},
    "agent_task_duration_seconds_bucket": {"le": DURATIONS},
    "agent_task_duration_seconds_sum": {},
    "agent_task_duration_seconds_count": {},
    "agent_task_cost_usd_total": {},
    "agent_llm_calls_total": {},
    "agent_llm_tokens_total": {"direction": {"input", "output"}},
    "agent_tool_calls_total": {"tool": TOOLS, "outcome": {"success", "failure"}},
    "agent_checkpoints_total": {},
    "agent_interventions_total": {},
    "agent_destructive_rollbacks_total": {},
    "agent_feedback_total": {"event": FEEDBACK},
    "agent_response_length_chars_bucket": {"le": LENGTHS},
    "agent_response_length_chars_sum": {},
    "agent_response_length_chars_count": {},
    "agent_sessions_assigned_total": {},
    "agent_sessions_closed_total": {"reason": {"explicit", "idle", "expired"}},
    "agent_session_success_fraction_total": {},
    "agent_session_success_fraction_squares_total": {},
    "agent_session_outcome_fraction_total": {"outcome": OUTCOMES},
    "agent_session_capped_cost_fraction_total": {"cap": CAPS},
    "agent_session_capped_cost_fraction_squares_total": {"cap": CAPS},
    "agent_session_latency_fraction_total": {"le": DURATIONS},
    "agent_session_tool_fraction_total": {"tool": TOOLS | {"none"}},
    "agent_session_event_fraction_total": {"event": EVENTS},
    "agent_session_llm_calls_fraction_total": {},
    "agent_session_llm_calls_fraction_squares_total": {},
    "agent_session_scores_total": {"score": SCORES},
    "agent_session_score_sum_total": {"score": SCORES},
    "agent_session_score_squares_total": {"score": SCORES},
    "agent_session_topic_fraction_total": {"topic": {"billing", "delivery", "other", "none"}},
    "agent_sessions_answered_total": {},
    "agent_session_response_length_fraction_total": {},
    "agent_session_response_length_fraction_squares_total": {},
    "agent_shadow_tasks_total": {},
    "agent_shadow_cost_usd_total": {},
    "agent_shadow_dropped_total": {"reason": DROPS},
}
WITHOUT_COHORT = {
    "agent_build_info": 1.0,
    "agent_cost_cap_usd": 1.0,
    "agent_llm_calls_cap": 50.0,
    "agent_response_length_cap_chars": 20_000.0,
    "agent_reporting_problems_total": 0.0,
}


def test_every_series_is_there_at_zero_from_the_start(reporter: Reporter) -> None:
    reading = Reading.of(reporter)
    assert {sample.name for sample in reading.samples} == FAMILIES.keys() | WITHOUT_COHORT.keys()
    for name, labels in FAMILIES.items():
        samples = [sample for sample in reading.samples if sample.name == name]
        expected = len(COHORTS)
        for label, values in {"cohort": COHORTS, **labels}.items():
            assert {sample.labels[label] for sample in samples} == values, name
            expected *= len(values) if label != "cohort" else 1
        assert len(samples) == expected, name
        assert not any(sample.value for sample in samples), name
        assert all(
            sample.labels.keys() == {"agent", "version", "digest", "cohort", *labels} for sample in samples
        )
    for name, value in WITHOUT_COHORT.items():
        (sample,) = [sample for sample in reading.samples if sample.name == name]
        assert (sample.labels.keys(), sample.value) == ({"agent", "version", "digest"}, value)


def test_nothing_that_happens_adds_a_series(reporter: Reporter) -> None:
    before = Reading.of(reporter).series()
    hostile = [(b"x-agent-cohort", b'evil"} 1'), (b"x-agent-session", b"\xff\n"), (b"x-agent-stain", b"a=b")]
    token = current.set(request_context(hostile))
    for number in range(100):
        with task(reporter=reporter) as t:
            t.tool_call(f"tool-{number}")
            t.score(f"score-{number}", 0.5)
            t.response("x" * number)
            t.end_session()
    current.reset(token)
    reading = Reading.of(reporter)
    assert reading.series() == before
    assert reading("agent_tool_calls_total", tool="other", cohort="none") == 100


def test_identity_comes_from_the_environment() -> None:
    release = "sha256:" + "0123456789abcdef" * 4
    env = {"AGENT_NAME": "support", "AGENT_VERSION": "2.0.0", "AGENT_RELEASE_DIGEST": release}
    told = Identity(agent="support", version="2.0.0", digest="0123456789ab", release_digest=release)
    assert Identity.from_env(env) == told
    assert Identity.from_env({"AGENT_RELEASE_DIGEST": "sha256:0123"}) == Identity(digest="0123")
    assert Identity.from_env({}) == Identity(agent="agent", version="0.0.0-dev", digest="unknown")
    assert Identity.from_env({"AGENT_NAME": ""}).agent == "agent"
    assert Identity.from_env({"AGENT_NAMESPACE": "shop"}) == Identity(namespace="shop")
    assert Identity.from_env({"AGENT_NAMESPACE": ""}) == Identity(namespace="unknown")


def test_the_agents_own_metrics_are_served_with_ours(reporter: Reporter) -> None:
    Counter("cache_hits", "Hits.", registry=reporter.registry).inc()
    assert Reading.of(reporter)("cache_hits_total") == 1


def test_a_reporter_can_be_served_by_another_registry(reporter: Reporter) -> None:
    elsewhere = CollectorRegistry()
    elsewhere.register(reporter)
    with task(reporter=reporter):
        pass
    assert Reading(generate_latest(elsewhere).decode())("agent_tasks_total", outcome="success") == 1


def test_open_metrics_where_the_scraper_asks_for_it(make_reporter: Callable[..., Reporter]) -> None:
    scrape = make_reporter().render("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert scrape.content_type.startswith("application/openmetrics-text")
    families = {family.name for family in text_string_to_metric_families(scrape.body.decode())}
    assert "agent_tasks" in families


@pytest.mark.parametrize(("cost", "cap", "fraction"), [(0.5, 2.0, 0.25), (5.0, 2.0, 1.0), (0.0, 2.0, 0.0)])
def test_the_cost_cap_is_told_and_used(
    make_reporter: Callable[..., Reporter], cost: float, cap: float, fraction: float
) -> None:
    reporter = make_reporter(cost_cap_usd=cap)
    with task(reporter=reporter) as t:
        t.add_cost(cost)
    reading = Reading.of(reporter)
    assert reading("agent_cost_cap_usd") == cap
    assert reading("agent_session_capped_cost_fraction_total", cap=f"{cap:g}") == fraction


@pytest.mark.parametrize(("calls", "cap", "fraction"), [(3, 12, 0.25), (40, 12, 1.0), (0, 12, 0.0)])
def test_the_cap_of_llm_calls_is_told_and_used(
    make_reporter: Callable[..., Reporter], calls: int, cap: int, fraction: float
) -> None:
    reporter = make_reporter(llm_calls_cap=cap)
    with task(reporter=reporter) as t:
        t.llm_call(calls=calls)
    reading = Reading.of(reporter)
    assert reading("agent_llm_calls_cap") == cap
    assert reading("agent_session_llm_calls_fraction_total") == fraction
    assert reading("agent_session_llm_calls_fraction_squares_total") == fraction**2


def test_an_agent_without_scores_has_no_series_of_them(make_reporter: Callable[..., Reporter]) -> None:
    names = {sample.name for sample in Reading.of(make_reporter(scores=())).samples}
    assert not any(name.startswith("agent_session_score") for name in names)


def test_an_agent_that_declares_no_topic_has_no_series_of_them(
    make_reporter: Callable[..., Reporter],
) -> None:
    """All sessions under `none` would look like topics that never change."""
    reporter = make_reporter(topics=())
    with task(reporter=reporter):
        pass
    assert not any("topic" in sample.name for sample in Reading.of(reporter).samples)
