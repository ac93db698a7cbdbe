from __future__ import annotations

import pytest

from bench.prometheus_stub import Agent, Fleet, moments_between, result
from bench.promql_stub import parsed
from bench.quantile import summary


def fleet(**fields):
    made = Fleet(start=1000.0, rate=10.0, healthy=0.01, **fields)
    for name in ("a", "b"):
        made.agents["shop", name] = Agent("shop", name, ("1.0.0", "2.0.0"), "2.0.0")
    return made


def values(made, text, now):
    return {
        tuple(sorted(row["metric"].items())): float(row["value"][1])
        for row in result(made, parsed(text), None, now)["result"]
    }


def test_a_counter_is_the_integral_over_its_flips():
    made = fleet()
    made.agents["shop", "a"].flips += [(1010.0, 0.5), (1020.0, 0.0)]
    by_version = values(made, 'sum by (version) (bad_total{agent="a"})', 1030.0)
    assert by_version == {
        (("version", "1.0.0"),): pytest.approx(10 * 30 * 0.01),
        (("version", "2.0.0"),): pytest.approx(10 * (10 * 0.01 + 10 * 0.5)),
    }


def test_a_flip_in_the_future_counts_for_nothing_yet():
    made = fleet()
    made.agents["shop", "a"].flips.append((1050.0, 1.0))
    assert values(made, 'sum(bad_total{agent="a",version="2.0.0"})', 1030.0) == {(): pytest.approx(3.0)}


def test_the_operators_own_query_keeps_cohort_and_pod():
    made = fleet()
    text = 'max without (job,digest) (last_over_time(task_total{agent=~"a|c",namespace=~"shop"}[120s]))'
    rows = result(made, parsed(text), None, 1010.0)["result"]
    assert [(r["metric"]["version"], r["metric"]["cohort"], float(r["value"][1])) for r in rows] == [
        ("1.0.0", "stable", 50.0),
        ("1.0.0", "control", 50.0),
        ("2.0.0", "candidate", 100.0),
    ]
    assert {r["metric"]["pod"] for r in rows} == {"a-1.0.0", "a-2.0.0"}


@pytest.mark.parametrize(
    ("matchers", "agents"),
    [
        ('agent!=""', {"a", "b"}),
        ('agent=~"a|b"', {"a", "b"}),
        ('agent!~"a"', {"b"}),
        ('agent=~"."', {"a", "b"}),
        ('agent="."', set()),
    ],
)
def test_matchers(matchers, agents):
    rows = result(fleet(), parsed(f"task_total{{{matchers}}}"), None, 1010.0)["result"]
    assert {row["metric"]["agent"] for row in rows} == agents


def test_increase_and_rate_look_no_further_back_than_the_start():
    selector = '(task_total{agent="a",version="2.0.0"}[60s])'
    assert values(fleet(), f"sum(increase{selector})", 1010.0) == {(): 100.0}
    assert values(fleet(), f"sum(rate{selector})", 1100.0) == {(): 10.0}


def test_a_range_ends_now_and_begins_no_earlier_than_the_counters():
    assert moments_between(0.0, 1012.0, 5.0, start=1000.0) == [1002.0, 1007.0, 1012.0]


def test_outages_of_the_data():
    made = fleet(mode="empty")
    assert result(made, parsed("task_total"), None, 1010.0)["result"] == []
    made.mode = "nan"
    assert result(made, parsed("task_total"), None, 1010.0)["result"][0]["value"][1] == "NaN"


@pytest.mark.parametrize(
    "text", ["1 + 1", "rate(task_total)", "task_total{agent}", "histogram_quantile(0.9, x)"]
)
def test_what_it_does_not_understand_is_an_error(text):
    with pytest.raises(ValueError, match="expected"):
        parsed(text)


def test_quantiles_are_values_that_were_measured():
    found = summary([float(n) for n in range(1, 101)])
    assert found == {"min": 1.0, "p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
    assert summary([]) == {}
