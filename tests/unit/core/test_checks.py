"""Each check's verdicts, and the statistics under them against published and hand-worked values."""

from __future__ import annotations

import pytest

from agentrollouts.api.check_kinds import LatencySpec, RatioSpec
from agentrollouts.api.checks import CheckSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.analysis import queries, sample_metric
from agentrollouts.core.checks import REGISTRY, Verdict
from agentrollouts.core.checks.result import CheckInput
from agentrollouts.core.evidence import Cell, CounterQuery
from agentrollouts.core.statistics import Proportion, difference, wilson


def tasks(good, bad, **more):
    cells = {Cell("agent_tasks_total", "success"): good, Cell("agent_tasks_total", "failure"): bad}
    return {**cells, **{Cell(*key): n for key, n in more.get("cells", {}).items()}}


def judge(check, candidate, comparator, minimum=20):
    kind, spec = CheckSpec.model_validate({"name": "x", **check}).member
    return REGISTRY[kind][1](spec, CheckInput("x", candidate, comparator, minimum))


def test_newcombe_gives_the_published_interval():
    # Newcombe 1998, table II, example (a): 56/70 against 48/80, method 10.
    interval = difference(Proportion(56, 70), Proportion(48, 80), z=1.959964)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.0524, 0.3339)


def test_wilson_gives_the_published_interval():
    # Newcombe 1998 (Statistics in Medicine 17, 857-872), table I: 81 of 263.
    interval = wilson(Proportion(81, 263), z=1.959964)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize(
    ("candidate", "comparator", "verdict"),
    [
        (tasks(19, 0), tasks(500, 5), Verdict.INCONCLUSIVE),
        (tasks(100, 0), tasks(10, 0), Verdict.INCONCLUSIVE),
        (tasks(0, 0), tasks(500, 5), Verdict.INCONCLUSIVE),
        (tasks(97, 3), tasks(970, 30), Verdict.PASS),
        (tasks(92, 8), tasks(970, 30), Verdict.PASS),
        (tasks(36, 4), tasks(970, 30), Verdict.WARN),
        (tasks(28, 12), tasks(970, 30), Verdict.FAIL),
        (tasks(0, 20), tasks(40, 0), Verdict.FAIL),
    ],
)
def test_success_against_the_old_version(candidate, comparator, verdict):
    result = judge({"successRate": {"maxDrop": "5%"}}, candidate, comparator)
    assert result.verdict is verdict, result.reason


def test_an_outcome_nobody_foresaw_is_not_a_success():
    refused = {Cell("agent_tasks_total", "success"): 20, Cell("agent_tasks_total", "refused"): 20}
    assert judge({"successRate": {}}, refused, tasks(200, 0)).verdict is Verdict.FAIL


@pytest.mark.parametrize(("bad", "verdict"), [(0, Verdict.PASS), (15, Verdict.PASS), (16, Verdict.FAIL)])
def test_exactly_the_limit_passes(bad, verdict):
    assert judge({"failureRate": {"max": "15%"}}, tasks(100 - bad, bad), {}).verdict is verdict
    ratio = {Cell("bad_total"): float(bad), Cell("all_total"): 100.0}
    spec = {"ratio": {"bad": "bad_total", "total": "all_total", "max": "15%"}}
    assert judge(spec, ratio, {}).verdict is verdict


@pytest.mark.parametrize(
    ("mean", "old", "verdict"),
    [
        (0.0014, 0.001, Verdict.PASS),
        (0.0016, 0.001, Verdict.FAIL),
        (0.001, 0.0, Verdict.WARN),
        (0.0, 0.0, Verdict.PASS),
    ],
)
def test_cost_is_relative_to_the_old_version(mean, old, verdict):
    cost = ("agent_task_cost_usd_total",)
    ours, theirs = tasks(100, 0, cells={cost: 100 * mean}), tasks(1000, 0, cells={cost: 1000 * old})
    assert judge({"cost": {"maxIncrease": "50%"}}, ours, theirs).verdict is verdict


def buckets(fast, slow):
    name = "agent_task_duration_seconds_bucket"
    return {Cell(name, "2.5"): fast, Cell(name, "5"): fast, Cell(name, "+Inf"): fast + slow}


def test_latency_counts_tasks_above_the_next_bucket_edge():
    check = {"latency": {"slowerThan": "3s", "maxIncrease": "10%"}}
    assert judge(check, buckets(98, 2), buckets(980, 20)).verdict is Verdict.PASS
    assert judge(check, buckets(95, 5), buckets(980, 20)).verdict is Verdict.WARN
    failed = judge(check, buckets(50, 50), buckets(980, 20))
    assert failed.verdict is Verdict.FAIL
    assert "slower than 5 s" in failed.reason


def test_latency_is_judged_at_every_edge_that_tells_something():
    """Half of the tasks crossing the lower edge is bad, even where the upper one doesn't move."""
    name = "agent_task_duration_seconds_bucket"

    def edges(low, high, n):
        return {Cell(name, "1"): low, Cell(name, "2"): high, Cell(name, "+Inf"): n}

    assert judge({"latency": {}}, edges(60, 90, 100), edges(600, 900, 1000)).verdict is Verdict.PASS
    assert judge({"latency": {}}, edges(10, 90, 100), edges(600, 900, 1000)).verdict is Verdict.FAIL
    assert judge({"latency": {}}, edges(60, 40, 100), edges(600, 900, 1000)).verdict is Verdict.FAIL


def test_latency_beyond_every_edge_is_inconclusive_not_a_pass():
    result = judge({"latency": {"slowerThan": "1h"}}, buckets(0, 100), buckets(100, 0))
    assert result.verdict is Verdict.INCONCLUSIVE


def test_tools_that_start_failing():
    calls = "agent_tool_calls_total"
    ours, theirs = (
        {Cell(calls, "success"): 60, Cell(calls, "failure"): 40},
        {Cell(calls, "success"): 990, Cell(calls, "failure"): 10},
    )
    assert judge({"toolFailures": {}}, ours, theirs).verdict is Verdict.FAIL
    none = {Cell(calls, "success"): 0.0}
    assert judge({"toolFailures": {}}, none, none).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("check", "ours", "theirs", "toward"),
    [
        ({"failureRate": {"max": "20%"}}, tasks(95, 5), {}, 0.25),
        ({"failureRate": {"max": "20%"}}, tasks(60, 40), {}, 1.0),
        ({"failureRate": {"max": "0%"}}, tasks(99, 1), {}, 1.0),
        ({"failureRate": {"max": "0%"}}, tasks(99, 0), {}, 0.0),
        ({"successRate": {"maxDrop": "5%"}}, tasks(97, 3), tasks(970, 30), 0.0),
        ({"successRate": {"maxDrop": "5%"}}, tasks(0, 20), tasks(40, 0), 1.0),
    ],
)
def test_how_far_on_the_way_to_a_failure(check, ours, theirs, toward):
    assert judge(check, ours, theirs).toward_failure == pytest.approx(toward)


def test_a_dearer_task_is_on_the_way_by_its_part_of_what_is_allowed():
    cost = ("agent_task_cost_usd_total",)
    ours, theirs = tasks(100, 0, cells={cost: 0.125}), tasks(1000, 0, cells={cost: 1.0})
    assert judge({"cost": {"maxIncrease": "50%"}}, ours, theirs).toward_failure == pytest.approx(0.5)


def test_each_counter_is_asked_for_once():
    for mode, number, sample in (
        ("threshold", 7, "agent_tasks_total"),
        ("sequential", 13, "agent_sessions_closed_total"),
    ):
        spec = RolloutSpec.model_validate(
            {
                "agent": "a",
                "version": "1.0.0",
                "analysis": {"mode": mode},
                "monitor": {"enabled": False},
            }
        )
        wanted = queries(spec)
        assert len(wanted) == len(set(wanted)) == number
        assert len({query.bundle for query in wanted}) == 1
        assert sample_metric(spec) == sample


def test_a_rollout_with_only_its_own_counters_asks_for_no_others():
    ratio = {
        "name": "x",
        "ratio": RatioSpec(bad="bad_total", total="all_total", max="10%").model_dump(by_alias=True),
    }
    spec = RolloutSpec.model_validate({"agent": "a", "version": "1.0.0", "analysis": {"checks": [ratio]}})
    assert set(queries(spec)) == {CounterQuery("bad_total"), CounterQuery("all_total")}
    assert sample_metric(spec) == "all_total"


def test_a_self_tuning_rollout_reads_outcomes_and_only_the_checks_that_are_given():
    spec = RolloutSpec.model_validate(
        {
            "agent": "a",
            "version": "1.0.0",
            "strategy": {"selfTuning": {}},
            "monitor": {"enabled": False},
        }
    )
    assert [query.metric for query in queries(spec)] == ["agent_tasks_total"]


def test_a_check_without_a_kind_is_refused():
    with pytest.raises(ValueError, match="exactly one of successRate"):
        _ = CheckSpec(name="x").member
    assert CheckSpec(name="x", latency=LatencySpec()).member[0] == "latency"
