"""From each kind of check to what a trial tests: the measure, the counters, and the sums made of them."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.api.checks import CHECK_KINDS, CheckSpec
from agentrollouts.api.presets import PRESETS, Effective
from agentrollouts.core.checks.events import SOURCES
from agentrollouts.core.counters import KIT
from agentrollouts.core.criteria import Index, Rule, rules
from agentrollouts.core.sequential.capped import CappedCost
from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.latency import Latency
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Block, Measure
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.shorter import Shorter
from agentrollouts.core.sequential.success import Success

SESSIONS = {"idle": 30.0, "expired": 10.0}
INDEX: Index = {
    "agent_sessions_closed_total": SESSIONS,
    "agent_session_success_fraction_total": {"": 36.0},
    "agent_session_success_fraction_squares_total": {"": 35.0},
    "agent_session_outcome_fraction_total": {
        "success": 36.0,
        "failure": 1.5,
        "refused": 2.0,
        "escalated": 0.5,
    },
    "agent_session_event_fraction_total": {"tool_failure": 3.0, "thumbs_down": 4.0, "takeover": 0.0},
    "agent_session_capped_cost_fraction_total": {"1": 4.0, "0.3": 12.0},
    "agent_session_capped_cost_fraction_squares_total": {"1": 0.5, "0.3": 5.0},
    "agent_session_llm_calls_fraction_total": {"": 8.0},
    "agent_session_llm_calls_fraction_squares_total": {"": 2.0},
    "agent_session_latency_fraction_total": {"1": 20.0, "2.5": 36.0, "5": 39.0, "+Inf": 40.0},
    "agent_session_tool_fraction_total": {"none": 25.0, "search": 15.0},
    "agent_session_topic_fraction_total": {"billing": 30.0, "none": 10.0},
    "agent_sessions_answered_total": {"": 32.0},
    "agent_session_response_length_fraction_total": {"": 3.0},
    "agent_session_response_length_fraction_squares_total": {"": 0.4},
    "agent_session_scores_total": {"toxicity": 20.0, "similarity": 8.0},
    "agent_session_score_sum_total": {"toxicity": 2.0, "similarity": 7.0},
    "agent_session_score_squares_total": {"toxicity": 0.6, "similarity": 6.5},
    "bad_total": {"": 3.0},
    "all_total": {"": 50.0},
}


CAPPED = Block(40, {"total 1": 4.0, "total 0.3": 12.0, "squares 1": 0.5, "squares 0.3": 5.0})


def of(
    kind: str, spec: dict[str, Any] | None = None, applies: Effective = PRESETS["default"]
) -> tuple[Rule, ...]:
    return rules(CheckSpec.model_validate({"name": "x", kind: spec or {}}), applies)


def block(n: float, total: float, squares: float | None = None) -> Block:
    return Block(n, {"total": total} if squares is None else {"total": total, "squares": squares})


@pytest.mark.parametrize(
    ("kind", "spec", "measures", "blocks"),
    [
        ("successRate", {}, [Success(0.0, 0.05)], [block(40, 36, 35)]),
        ("successRate", {"maxDrop": "8%", "tolerance": "2%"}, [Success(0.02, 0.08)], [block(40, 36, 35)]),
        ("successRate", {"min": "90%"}, [Success(0.0, 0.05), Limit(0.1)], [block(40, 36, 35), block(40, 4)]),
        ("failureRate", {"max": "3%"}, [Limit(0.03)], [block(40, 1.5)]),
        ("cost", {}, [CappedCost(0.1, 0.3)], [CAPPED]),
        ("cost", {"maxIncrease": "5%"}, [CappedCost(0.05, 0.05)], [CAPPED]),
        ("latency", {}, [Latency(0.1, 0.3)], [Block(40, INDEX["agent_session_latency_fraction_total"])]),
        ("latencyQuantile", {"quantile": "95%", "max": "2s"}, [Limit(0.05)], [block(40, 4)]),
        ("latencyQuantile", {"quantile": "99%", "max": "5s"}, [Limit(0.01)], [block(40, 1)]),
        ("latencyQuantile", {"quantile": "99%", "max": "60s"}, [Limit(0.01)], [block(40, 1)]),
        ("toolFailures", {}, [Events(0.01, 0.05)], [block(40, 3)]),
        ("toolFailures", {"max": "4%"}, [Events(0.01, 0.05), Limit(0.04)], [block(40, 3), block(40, 3)]),
        ("toolFailures", {"max": "4%", "maxIncrease": "100%"}, [Limit(0.04)], [block(40, 3)]),
        ("toolMix", {}, [Mix(0.05)], [Block(40, {"none": 25.0, "search": 15.0})]),
        ("topicMix", {"tolerance": "8%"}, [Mix(0.08)], [Block(40, {"billing": 30.0, "none": 10.0})]),
        ("responseLength", {}, [Cost(0.1, 0.3), Shorter(0.1, 0.3)], [block(32, 3, 0.4)] * 2),
        ("responseLength", {"maxChange": "150%"}, [Cost(0.1, 1.5)], [block(32, 3, 0.4)]),
        ("events", {"event": "refusal"}, [Events(0.01, 0.05)], [block(40, 2)]),
        (
            "events",
            {"event": "thumbsDown", "max": "3%"},
            [Events(0.01, 0.05), Limit(0.03)],
            [block(40, 4)] * 2,
        ),
        ("llmCalls", {}, [Cost(0.1, 0.3)], [block(40, 8, 2)]),
        ("score", {"name": "similarity", "better": "higher"}, [Success(0.01, 0.05)], [block(8, 7, 6.5)]),
        ("score", {"name": "toxicity", "better": "lower"}, [Success(0.01, 0.05)], [block(20, 18, 16.6)]),
        (
            "score",
            {"name": "toxicity", "better": "lower", "limit": "10%"},
            [Success(0.01, 0.05), Limit(0.1)],
            [block(20, 18, 16.6), block(20, 2)],
        ),
        (
            "score",
            {"name": "similarity", "better": "higher", "limit": "85%", "maxChange": "100%"},
            [Limit(0.15)],
            [block(8, 1)],
        ),
        ("ratio", {"bad": "bad_total", "total": "all_total", "max": "1%"}, [Limit(0.01)], [block(50, 3)]),
    ],
    ids=str,
)
def test_what_each_kind_tests(
    kind: str, spec: dict[str, Any], measures: list[Measure], blocks: list[Block]
) -> None:
    found = of(kind, spec)
    for rule, measure, expected in zip(found, measures, blocks, strict=True):
        assert vars_of(rule.measure) == pytest.approx(vars_of(measure))
        assert type(rule.measure) is type(measure)
        read = rule.source.read(INDEX)
        assert read is not None
        assert read.n == expected.n
        assert read.sums == pytest.approx(dict(expected.sums))


def vars_of(measure: Any) -> dict[str, float]:
    """Fields by name; what isn't set counts as -1."""
    return {name: -1.0 if (value := getattr(measure, name)) is None else value for name in measure.__slots__}


def test_every_kind_is_tested() -> None:
    specs: dict[str, dict[str, Any]] = {
        "failureRate": {"max": "1%"},
        "latencyQuantile": {"max": "1s"},
        "events": {"event": "refusal"},
        "score": {"name": "x", "better": "lower"},
        "ratio": {"bad": "b", "total": "t", "max": "1%"},
    }
    assert all(of(kind, specs.get(kind)) for kind in CHECK_KINDS if kind != "promql")
    assert of("promql", {"query": "x", "max": "1"}) == (), (
        "a value without a number of sessions can't be tested"
    )


def test_the_margin_of_success_is_the_analysis_own() -> None:
    assert of("successRate", applies=PRESETS["lowTraffic"])[0].measure == Success(0.0, 0.10)
    assert of("successRate", applies=PRESETS["strict"])[0].measure == Success(0.0, 0.03)


def test_an_edge_of_latency_may_be_chosen() -> None:
    measure = of("latency", {"slowerThan": "5s"})[0].measure
    assert isinstance(measure, Latency)
    assert measure.slower_than == 5.0


@pytest.mark.parametrize("kind", ["toolMix", "topicMix", "responseLength"])
def test_a_drift_holds_and_takes_out_only_where_that_is_said(kind: str) -> None:
    assert all(rule.holds for rule in of(kind))
    assert not any(rule.holds for rule in of(kind, {"onDrift": "Rollback"}))


@pytest.mark.parametrize("event", SOURCES)
def test_every_event_is_counted_somewhere(event: str) -> None:
    query, value = SOURCES[event]  # type: ignore[index]
    (rule,) = of("events", {"event": event})
    assert rule.source.read(
        {"agent_sessions_closed_total": {"idle": 9.0}, query.metric: {value: 2.0, "other": 5.0}}
    ) == (
        9.0,
        {"total": 2.0},
    )


@pytest.mark.parametrize(
    ("kind", "spec", "without", "lacks"),
    [
        (
            "successRate",
            {},
            "agent_session_success_fraction_squares_total",
            "agent_session_success_fraction_squares_total",
        ),
        ("successRate", {}, "agent_sessions_closed_total", "agent_sessions_closed_total"),
        (
            "events",
            {"event": "regenerate"},
            "",
            'agent_session_event_fraction_total{event="regenerate"}',
        ),
        (
            "score",
            {"name": "kindness", "better": "higher"},
            "",
            'agent_session_scores_total{score="kindness"}',
        ),
        ("toolMix", {}, "agent_session_tool_fraction_total", "agent_session_tool_fraction_total"),
        ("topicMix", {}, "agent_session_topic_fraction_total", "agent_session_topic_fraction_total"),
        ("responseLength", {}, "agent_sessions_answered_total", "agent_sessions_answered_total"),
        (
            "latencyQuantile",
            {"max": "1s"},
            "agent_session_latency_fraction_total",
            "agent_session_latency_fraction_total",
        ),
        ("ratio", {"bad": "bad_total", "total": "none_total", "max": "1%"}, "", "none_total"),
    ],
)
def test_what_nobody_reports_has_a_name_and_no_sums(
    kind: str, spec: dict[str, Any], without: str, lacks: str
) -> None:
    index = {metric: cells for metric, cells in INDEX.items() if metric != without}
    rule = of(kind, spec)[0]
    assert rule.source.read(index) is None
    assert rule.lacks(index) == lacks


def test_a_histogram_without_a_finite_edge_tells_nothing() -> None:
    (rule,) = of("latencyQuantile", {"max": "1s"})
    index = {**INDEX, "agent_session_latency_fraction_total": {"+Inf": 40.0}}
    assert rule.source.read(index) is None
    assert rule.lacks(index) == "agent_session_latency_fraction_total with a finite edge"


@pytest.mark.parametrize(("slower_than", "told"), [("5s", True), ("6s", False)])
def test_a_histogram_that_ends_before_the_latency_in_question_can_not_tell(
    slower_than: str, told: bool
) -> None:
    (rule,) = of("latency", {"slowerThan": slower_than})
    lacks = "agent_session_latency_fraction_total with an edge at 6 s or above"
    assert rule.lacks(INDEX) == ("" if told else lacks)


@pytest.mark.parametrize("values", [{"": 4.0}, {"much": 4.0}, {"0": 4.0}])
def test_a_cost_that_is_not_cut_at_caps_can_not_be_read(values: dict[str, float]) -> None:
    (rule,) = of("cost")
    index = {**INDEX, "agent_session_capped_cost_fraction_total": values}
    assert rule.lacks(index) == "agent_session_capped_cost_fraction_squares_total by cap in US dollars"


def test_what_is_beyond_the_last_edge_is_taken_to_be_beyond_the_limit() -> None:
    """As in threshold mode: nobody knows that it isn't."""
    (rule,) = of("latencyQuantile", {"max": "60s"})
    assert rule.source.read(INDEX) == (40.0, {"total": 1.0})


def test_sessions_that_call_no_tool_are_a_mix_as_any_other() -> None:
    (rule,) = of("toolMix")
    index = {"agent_sessions_closed_total": {"idle": 9.0}, "agent_session_tool_fraction_total": {"none": 9.0}}
    assert rule.source.read(index) == (9.0, {"none": 9.0})


def test_only_a_fixed_limit_needs_no_old_version() -> None:
    assert [rule.compares for rule in of("successRate", {"min": "90%"})] == [True, False]


def test_what_one_check_reads_is_read_at_one_moment() -> None:
    for kind in ("successRate", "cost", "latency", "toolMix", "toolFailures", "llmCalls"):
        assert {query.bundle for rule in of(kind) for query in rule.queries} == {KIT}
