"""The checks over sessions, and the fixed limits: what passes, what fails, and what nobody can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agentrollouts.api.check_kinds import CostSpec, tolerated
from agentrollouts.api.checks import CHECK_KINDS, CheckSpec
from agentrollouts.core.analysis import queries, sample_metric
from agentrollouts.core.checks import REGISTRY, CheckResult, Verdict, active_checks
from agentrollouts.core.checks.result import CheckInput
from agentrollouts.core.evidence import Cell
from tests.builders import spec

P, W, F, INCONCLUSIVE = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.INCONCLUSIVE
Cells = Mapping[Cell, float]


def judge(
    kind: str, fields: dict[str, Any], ours: Cells, theirs: Cells, *, minimum: int = 20, margin: int = 500
) -> CheckResult:
    name, member = CheckSpec.model_validate({"name": "x", kind: fields}).member
    return REGISTRY[name][1](member, CheckInput("x", ours, theirs, minimum, margin))


def sessions(n: float, **cells: float) -> Cells:
    """Closed sessions, and other sums as metric__label or metric."""
    found = {Cell("agent_sessions_closed_total", "idle"): n}
    for key, value in cells.items():
        metric, _, label = key.partition("__")
        found[Cell(f"agent_session_{metric}_total", label)] = value
    return found


def tasks(good: float, bad: float = 0, **more: float) -> Cells:
    """Finished tasks, and other counters without a label."""
    found = {Cell("agent_tasks_total", "success"): good, Cell("agent_tasks_total", "failure"): bad}
    return found | {Cell(f"agent_{metric}_total"): value for metric, value in more.items()}


# events


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (sessions(100, event_fraction__takeover=6), sessions(1000, event_fraction__takeover=20), P),
        (sessions(100, event_fraction__takeover=8), sessions(1000, event_fraction__takeover=20), W),
        (sessions(100, event_fraction__takeover=30), sessions(1000, event_fraction__takeover=20), F),
        (
            sessions(19, event_fraction__takeover=19),
            sessions(1000, event_fraction__takeover=20),
            INCONCLUSIVE,
        ),
        (sessions(100, event_fraction__takeover=30), sessions(9, event_fraction__takeover=0), INCONCLUSIVE),
        (sessions(100), sessions(1000, event_fraction__takeover=20), INCONCLUSIVE),
        (sessions(100, event_fraction__takeover=0), sessions(1000), INCONCLUSIVE),
    ],
)
def test_an_event_is_compared_session_by_session(ours: Cells, theirs: Cells, verdict: Verdict) -> None:
    result = judge("events", {"event": "takeover"}, ours, theirs)
    assert result.verdict is verdict, result.reason


def test_a_counter_that_isnt_reported_is_named() -> None:
    full = sessions(100, event_fraction__takeover=1)
    reason = judge("events", {"event": "takeover"}, sessions(100), full).reason
    assert reason == 'the candidate doesn\'t report agent_session_event_fraction_total{event="takeover"}'
    reason = judge("events", {"event": "takeover"}, full, sessions(100)).reason
    assert reason.startswith("the old version doesn't report")


COUNTED = {
    "refusal": ("agent_session_outcome_fraction_total", "refused"),
    "escalation": ("agent_session_outcome_fraction_total", "escalated"),
    "intervention": ("agent_session_event_fraction_total", "intervention"),
    "checkpoint": ("agent_session_event_fraction_total", "checkpoint"),
    "destructiveRollback": ("agent_session_event_fraction_total", "destructive_rollback"),
    "thumbsDown": ("agent_session_event_fraction_total", "thumbs_down"),
    "regenerate": ("agent_session_event_fraction_total", "regenerate"),
    "takeover": ("agent_session_event_fraction_total", "takeover"),
}


@pytest.mark.parametrize("event", COUNTED)
def test_each_event_reads_its_own_counter(event: str) -> None:
    """All others are full: a check that reads the wrong one would fail."""
    mine = Cell(*COUNTED[event])
    others = dict.fromkeys((Cell(*where) for where in COUNTED.values()), 100.0)
    ours, theirs = {**sessions(100), **others, mine: 0.0}, {**sessions(100), **dict.fromkeys(others, 0.0)}
    assert judge("events", {"event": event}, ours, theirs).verdict is P
    assert judge("events", {"event": event}, {**ours, mine: 50.0}, theirs).verdict is F
    rollout = spec(analysis={"checks": [{"name": "x", "events": {"event": event}}]})
    assert mine.metric in {query.metric for query in queries(rollout)}
    assert sample_metric(rollout) == "agent_sessions_closed_total"


@pytest.mark.parametrize(("refused", "verdict"), [(5, P), (6, F)])
def test_a_fixed_limit_needs_nothing_of_the_old_version(refused: float, verdict: Verdict) -> None:
    fields = {"event": "refusal", "max": "5%", "maxIncrease": "100%"}
    ours = sessions(100, outcome_fraction__refused=refused)
    assert judge("events", fields, ours, {}).verdict is verdict


def test_a_failed_limit_stands_whatever_cant_be_compared() -> None:
    fields = {"event": "refusal", "max": "5%"}
    few = sessions(3, outcome_fraction__refused=0)
    assert judge("events", fields, sessions(100, outcome_fraction__refused=9), few).verdict is F
    assert judge("events", fields, sessions(100, outcome_fraction__refused=1), few).verdict is INCONCLUSIVE


# toolMix


def mix(n: float, **tools: float) -> Cells:
    return sessions(n, **{f"tool_fraction__{tool}": part * n for tool, part in tools.items()})


def test_a_mix_that_stays_passes_and_one_that_moves_warns_and_never_fails() -> None:
    old = mix(10_000, search=0.5, refund=0.5)
    assert judge("toolMix", {}, mix(1_000, search=0.52, refund=0.48), old).verdict is P
    moved = judge("toolMix", {}, mix(1_000, search=0.2, refund=0.8), old)
    assert moved.verdict is W
    assert moved.reason.startswith("30.0% of the tool calls moved, allowed 5.0%")
    assert judge("toolMix", {"tolerance": "30%"}, mix(1_000, search=0.2, refund=0.8), old).verdict is P
    assert judge("toolMix", {}, mix(1_000, search=0.0, refund=0.0, none=1), old).verdict is W


def test_a_new_tool_counts() -> None:
    """The seed goes over the old version's tools only, where a new one is invisible."""
    old = mix(1_000, search=1.0, refund=0.0)
    new = judge("toolMix", {}, mix(1_000, search=0.8, delete_account=0.2), old)
    assert new.verdict is W
    assert "delete_account 0.0% -> 20.0% (new)" in new.reason
    gone = judge(
        "toolMix", {}, mix(1_000, search=0.0, refund=1.0), mix(1_000, search=0.0, refund=0.8, mail=0.2)
    )
    assert gone.verdict is W
    assert "mail 20.0% -> 0.0%" in gone.reason


def test_what_chance_moves_is_no_warning() -> None:
    """Two samples of one mix of ten tools, thirty sessions each, are apart by far more than 5 points."""
    tools = {f"t{n}": 0.1 for n in range(10)}
    shifted = {tool: 0.1 + (0.03 if n % 2 else -0.03) for n, tool in enumerate(tools)}
    result = judge("toolMix", {}, mix(30, **shifted), mix(30, **tools))
    assert "15.0% of the tool calls moved" in result.reason
    assert result.verdict is P
    assert judge("toolMix", {}, mix(3_000, **shifted), mix(3_000, **tools)).verdict is W


def test_a_mix_nobody_reports_is_unknown() -> None:
    assert judge("toolMix", {}, sessions(100), mix(100, search=1)).verdict is INCONCLUSIVE
    assert judge("toolMix", {}, mix(5, search=1), mix(100, search=1)).verdict is INCONCLUSIVE


# topicMix


def topics(n: float, **parts: float) -> Cells:
    return sessions(n, **{f"topic_fraction__{topic}": part * n for topic, part in parts.items()})


def test_other_topics_warn_and_new_ones_count() -> None:
    old = topics(2_000, billing=0.7, delivery=0.3)
    assert judge("topicMix", {}, topics(1_000, billing=0.69, delivery=0.31), old).verdict is P
    moved = judge("topicMix", {}, topics(1_000, billing=0.6, delivery=0.2, weapons=0.2), old)
    assert moved.verdict is W
    assert "20.0% of the topics moved" in moved.reason
    assert "weapons 0.0% -> 20.0% (new)" in moved.reason


def test_topics_nobody_reports_are_unknown() -> None:
    """An agent that declares no topics has no series of them."""
    for ours, theirs in (
        (mix(900, search=1), topics(900, billing=1)),
        (topics(900, billing=1), mix(900, search=1)),
    ):
        result = judge("topicMix", {}, ours, theirs)
        assert result.verdict is INCONCLUSIVE
        assert "doesn't report agent_session_topic_fraction_total" in result.reason


# responseLength


def answers(n: float, mean: float, spread: float = 0.0) -> Cells:
    """Answered sessions with a mean fraction of the cap, half of them ``spread`` above and half below."""
    length = {
        "response_length_fraction": n * mean,
        "response_length_fraction_squares": n * (mean * mean + spread * spread),
    }
    return sessions(n, **length) | {Cell("agent_sessions_answered_total"): n}


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (answers(100, 0.13), answers(1000, 0.1), P),
        (answers(100, 0.07), answers(1000, 0.1), P),
        (answers(100, 0.14, 0.01), answers(1000, 0.1, 0.01), W),
        (answers(100, 0.06, 0.01), answers(1000, 0.1, 0.01), W),
        (answers(100, 0.06, 0.15), answers(1000, 0.1, 0.15), P),
        (answers(10, 0.5), answers(1000, 0.1), INCONCLUSIVE),
        (answers(100, 0.1), answers(1000, 0.0), W),
        (answers(100, 0.0), answers(1000, 0.1, 0.01), W),
        (answers(100, 0.0), answers(1000, 0.0), P),
        (sessions(100), answers(1000, 0.1), INCONCLUSIVE),
        (answers(100, 0.1), sessions(1000), INCONCLUSIVE),
    ],
)
def test_longer_and_shorter_answers_are_a_change_alike(ours: Cells, theirs: Cells, verdict: Any) -> None:
    assert judge("responseLength", {}, ours, theirs).verdict is verdict


def test_answers_that_may_be_twice_as_long_can_not_be_too_short() -> None:
    short = answers(1000, 0.001, 0.0005)
    assert judge("responseLength", {"maxChange": "200%"}, short, answers(1000, 0.1, 0.01)).verdict is P
    long = answers(1000, 0.4, 0.01)
    assert judge("responseLength", {"maxChange": "200%"}, long, answers(1000, 0.1, 0.01)).verdict is W


# llmCalls


def calls(n: float, mean: float, spread: float = 0.0) -> Cells:
    """Sessions with a mean fraction of the cap, half of them ``spread`` above and half below."""
    return sessions(
        n,
        llm_calls_fraction=n * mean,
        llm_calls_fraction_squares=n * (mean * mean + spread * spread),
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (calls(100, 0.12), calls(1000, 0.1), P),
        (calls(100, 0.13), calls(1000, 0.1), P),
        (calls(100, 0.14, 0.01), calls(1000, 0.1, 0.01), F),
        (calls(100, 0.14, 0.2), calls(1000, 0.1, 0.2), W),
        (calls(10, 0.9), calls(1000, 0.1), INCONCLUSIVE),
        (calls(100, 0.1), calls(1000, 0.0), W),
        (calls(100, 0.0), calls(1000, 0.0), P),
        (sessions(100), calls(1000, 0.1), INCONCLUSIVE),
        (calls(100, 0.1), sessions(1000, llm_calls_fraction=100), INCONCLUSIVE),
    ],
)
def test_model_calls_are_compared_beyond_noise(ours: Cells, theirs: Cells, verdict: Verdict) -> None:
    result = judge("llmCalls", {}, ours, theirs)
    assert result.verdict is verdict, result.reason


def test_more_calls_than_allowed_but_maybe_within_the_tolerance_is_a_warning() -> None:
    ours, theirs = calls(400, 0.14, 0.06), calls(400, 0.1, 0.06)
    assert judge("llmCalls", {"tolerance": "0%", "maxIncrease": "30%"}, ours, theirs).verdict is F
    assert judge("llmCalls", {"tolerance": "30%", "maxIncrease": "30%"}, ours, theirs).verdict is W


# score


def scored(n: float, mean: float, spread: float = 0.0, name: str = "toxicity") -> Cells:
    return sessions(
        2 * n,
        **{
            f"scores__{name}": n,
            f"score_sum__{name}": n * mean,
            f"score_squares__{name}": n * (mean * mean + spread * spread),
        },
    )


@pytest.mark.parametrize(
    ("better", "ours", "verdict"),
    [("lower", 0.2, P), ("lower", 0.7, F), ("higher", 0.7, P), ("higher", 0.2, F), ("lower", 0.54, P)],
)
def test_which_way_is_better_is_the_users_word(better: str, ours: float, verdict: Verdict) -> None:
    """The seed knows only `average >= threshold`, so that a toxic version passes."""
    fields = {"name": "toxicity", "better": better}
    assert judge("score", fields, scored(100, ours, 0.05), scored(100, 0.5, 0.05)).verdict is verdict


@pytest.mark.parametrize(
    ("better", "limit", "mean", "verdict"),
    [
        ("lower", "10%", 0.1, P),
        ("lower", "10%", 0.11, F),
        ("higher", "85%", 0.86, P),
        ("higher", "85%", 0.84, F),
    ],
)
def test_a_limit_has_a_direction_too(better: str, limit: str, mean: float, verdict: Verdict) -> None:
    fields = {"name": "toxicity", "better": better, "limit": limit, "maxChange": "100%"}
    assert judge("score", fields, scored(100, mean), {}).verdict is verdict


def test_a_score_that_scatters_warns() -> None:
    fields = {"name": "toxicity", "better": "lower"}
    assert judge("score", fields, scored(30, 0.6, 0.4), scored(30, 0.5, 0.4)).verdict is W


def test_only_sessions_with_that_score_count() -> None:
    fields = {"name": "toxicity", "better": "lower"}
    assert judge("score", fields, scored(19, 0.9), scored(100, 0.1)).verdict is INCONCLUSIVE
    other = scored(100, 0.0, name="similarity")
    assert judge("score", fields, other, scored(100, 0.1)).verdict is INCONCLUSIVE
    both = {**scored(100, 0.1), **scored(100, 0.99, name="similarity")}
    assert judge("score", fields, both, both).verdict is P


# latencyQuantile


def buckets(**edges: float) -> Cells:
    """Tasks within each edge, ``inf`` for all; 2_5 is 2.5 s."""
    metric = "agent_task_duration_seconds_bucket"
    return {
        Cell(metric, "+Inf" if edge == "inf" else edge.strip("e").replace("_", ".")): n
        for edge, n in edges.items()
    }


@pytest.mark.parametrize(
    ("ours", "limit", "verdict"),
    [
        (buckets(e1_0=990, e2_5=1000, e5_0=1000, inf=1000), "1s", P),
        (buckets(e1_0=989, e2_5=1000, e5_0=1000, inf=1000), "1s", F),
        (buckets(e1_0=0, e2_5=995, e5_0=1000, inf=1000), "3s", P),
        (buckets(e1_0=0, e2_5=900, e5_0=1000, inf=1000), "3s", W),
        (buckets(e1_0=0, e2_5=900, e5_0=1000, inf=1000), "2s", F),
        (buckets(e1_0=0, e2_5=900, e5_0=980, inf=1000), "3s", F),
        (buckets(e1_0=0, e2_5=900, e5_0=980, inf=1000), "1h", F),
        (buckets(e1_0=99, inf=99), "3s", INCONCLUSIVE),
        (buckets(inf=1000), "3s", INCONCLUSIVE),
        ({}, "3s", INCONCLUSIVE),
    ],
)
def test_a_quantile_lies_between_two_edges(ours: Cells, limit: str, verdict: Verdict) -> None:
    result = judge("latencyQuantile", {"max": limit}, ours, {})
    assert result.verdict is verdict, result.reason


def test_a_quantile_is_of_all_tasks_and_no_mean_of_the_pods() -> None:
    """One pod with 900 quick tasks, one with 100 of which a tenth is slow: 1% of all is slow, the mean of p99s is 3 s."""
    quick, slow = buckets(e1_0=900, e5_0=900, inf=900), buckets(e1_0=90, e5_0=100, inf=100)
    merged = {cell: n + slow[cell] for cell, n in quick.items()}
    assert judge("latencyQuantile", {"max": "2s"}, merged, {}).verdict is P


def test_a_finer_quantile_needs_more_tasks() -> None:
    ours = buckets(e1_0=500, inf=500)
    assert judge("latencyQuantile", {"quantile": "99.9%", "max": "2s"}, ours, {}).reason.startswith(
        "500 of 1000"
    )
    assert judge("latencyQuantile", {"quantile": "50%", "max": "2s"}, ours, {}).verdict is P


# what was there before


def test_what_a_success_rate_may_lose_is_the_margin_where_the_check_doesnt_say() -> None:
    ours, theirs = tasks(9_300, 700), tasks(10_000)
    assert judge("successRate", {}, ours, theirs, margin=500).verdict is F
    assert judge("successRate", {}, ours, theirs, margin=1_000).verdict is P
    assert judge("successRate", {"maxDrop": "5%"}, ours, theirs, margin=1_000).verdict is F


@pytest.mark.parametrize(("good", "verdict"), [(80, P), (79, F)])
def test_a_success_rate_may_have_a_floor(good: float, verdict: Verdict) -> None:
    fields = {"min": "80%", "maxDrop": "50%"}
    assert judge("successRate", fields, tasks(good, 100 - good), tasks(100)).verdict is verdict


def test_a_drop_that_may_be_within_the_tolerance_is_a_warning() -> None:
    ours, theirs = tasks(880, 120), tasks(1_000, 0)
    assert judge("successRate", {"maxDrop": "10%"}, ours, theirs).verdict is F
    assert judge("successRate", {"maxDrop": "10%", "tolerance": "10%"}, ours, theirs).verdict is W


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (tasks(100), tasks(100, task_cost_usd=1)),
        (tasks(100, task_cost_usd=1), tasks(100)),
        (tasks(100), tasks(100)),
    ],
)
def test_a_cost_nobody_reports_is_unknown_and_not_nothing(ours: Cells, theirs: Cells) -> None:
    assert judge("cost", {}, ours, theirs).verdict is INCONCLUSIVE
    assert judge("cost", {"max": "9"}, ours, theirs).verdict is INCONCLUSIVE


@pytest.mark.parametrize(("spent", "verdict"), [(5.0, P), (5.1, F)])
def test_a_cost_may_have_a_limit(spent: float, verdict: Verdict) -> None:
    fields = {"max": "0.05", "maxIncrease": "1000%"}
    result = judge("cost", fields, tasks(100, task_cost_usd=spent), tasks(100, task_cost_usd=4.9))
    assert result.verdict is verdict, result.reason


def test_tool_calls_may_have_a_limit_and_unreported_ones_are_unknown() -> None:
    def tools(good: float, bad: float) -> Cells:
        return {
            Cell("agent_tool_calls_total", "success"): good,
            Cell("agent_tool_calls_total", "failure"): bad,
        }

    fields = {"max": "5%", "maxIncrease": "100%"}
    assert judge("toolFailures", fields, tools(95, 5), {}).verdict is P
    assert judge("toolFailures", fields, tools(94, 6), {}).verdict is F
    assert judge("toolFailures", {}, {}, tools(95, 5)).verdict is INCONCLUSIVE


def test_who_allows_little_tolerates_no_more() -> None:
    assert tolerated(CostSpec(), 3_000) == 1_000
    assert tolerated(CostSpec.model_validate({"maxIncrease": "5%"}), 500) == 500


@pytest.mark.parametrize("kind", CHECK_KINDS)
def test_nothing_measured_is_inconclusive_for_every_kind(kind: str) -> None:
    needed = {
        "failureRate": {"max": "1%"},
        "latencyQuantile": {"max": "3s"},
        "events": {"event": "refusal"},
        "score": {"name": "s", "better": "lower", "limit": "1%"},
        "ratio": {"bad": "bad_total", "total": "all_total", "max": "1%"},
        "promql": {"query": "x", "max": "1"},
    }
    assert judge(kind, needed.get(kind, {}), {}, {}, minimum=1).verdict is INCONCLUSIVE


def test_a_self_tuning_rollout_runs_the_checks_somebody_asked_for() -> None:
    tuning = {"selfTuning": {}}
    assert active_checks(spec(strategy=tuning)) == ()
    assert active_checks(spec(strategy=tuning, analysis={"preset": "strict"})) == ()
    assert len(active_checks(spec(strategy=tuning, analysis={"preset": "seed"}))) == 6
    assert len(active_checks(spec(strategy=tuning, analysis={"checks": [{"name": "x", "cost": {}}]}))) == 1
