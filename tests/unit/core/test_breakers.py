"""Circuit breakers: each kind at its limit, what they can't say, and that nothing holds them up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentrollouts.core.analysis import queries, sample_metric
from agentrollouts.core.attention import ATTENTION
from agentrollouts.core.breakers import BreakerResult, breaker_windows, run_breakers
from agentrollouts.core.decision import Hold, Rollback
from agentrollouts.core.evidence import (
    Accumulator,
    Arm,
    Cell,
    CounterQuery,
    Evidence,
    Point,
    Series,
    SeriesKey,
)
from agentrollouts.core.plan import SetRoute
from agentrollouts.core.snapshot import Snapshot
from tests.builders import REQUESTS, START, UNAVAILABLE, climbing, later, look, spec, step, version

CANDIDATE = Arm("2.0.0", "candidate")
LIMITS = {
    "cost": {"name": "spend", "cost": {"maxPerTask": "0.05"}},
    "errors": {"name": "errors", "errors": {"max": "50%"}},
    "interventions": {"name": "people", "interventions": {"max": "20%"}},
}


def did(
    good: float = 20, bad: float = 0, *, cost: float | None = None, stepped_in: float | None = None
) -> Evidence:
    """What the candidate did; a counter that isn't given isn't reported."""
    cells = {Cell("agent_tasks_total", "success"): good, Cell("agent_tasks_total", "failure"): bad}
    if cost is not None:
        cells[Cell("agent_task_cost_usd_total")] = cost
    if stepped_in is not None:
        cells[Cell("agent_interventions_total")] = stepped_in
    total = {CANDIDATE: cells}
    return Evidence(total=total, recent=total, as_of=START)


def armed(*kinds: str, mode: str = "threshold", **fields: Any) -> Snapshot:
    """A candidate under these breakers and no check that could say anything yet."""
    breakers = [LIMITS[kind] for kind in kinds]
    return climbing(analysis={"mode": mode, "breakers": breakers}, **fields)


def judged(s: Snapshot, evidence: Evidence) -> BreakerResult:
    (result,) = run_breakers(replace(s, evidence=evidence))
    return result


@pytest.mark.parametrize(
    ("kind", "evidence", "state"),
    [
        ("cost", did(20, cost=1.0), "Armed"),
        ("cost", did(20, cost=1.001), "Tripped"),
        ("cost", did(20), "Inconclusive"),
        ("errors", did(10, 10), "Armed"),
        ("errors", did(9, 11), "Tripped"),
        ("errors", did(0, 9), "Inconclusive"),
        ("errors", did(0, 10), "Tripped"),
        ("interventions", did(20, stepped_in=4), "Armed"),
        ("interventions", did(20, stepped_in=5), "Tripped"),
        ("interventions", did(20), "Inconclusive"),
    ],
)
def test_exactly_the_limit_holds_and_what_isnt_reported_is_unknown(
    kind: str, evidence: Evidence, state: str
) -> None:
    result = judged(armed(kind), evidence)
    assert result.state == state, result.reason


def test_the_sentence_has_the_numbers() -> None:
    assert judged(armed("cost"), did(20, cost=2)).reason == "$0.100000 a task over 20 tasks, at most $0.05"
    assert judged(armed("errors"), did(9, 11)).reason == "failed 55.0% of 20 tasks, at most 50%"
    assert judged(armed("cost"), did(20)).reason == "the candidate doesn't report agent_task_cost_usd_total"
    assert judged(armed("errors"), did(3)).reason == "3 of 10 tasks of the candidate"


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": "threshold"},
        {"mode": "sequential"},
        {"strategy": {"selfTuning": {"rollbackAbove": "100%", "promoteBelow": "100%"}}},
    ],
)
@pytest.mark.parametrize("paused", [False, True])
def test_a_breaker_trips_at_once_in_every_mode_and_strategy(fields: dict[str, Any], paused: bool) -> None:
    s = later(armed("errors", **fields), seconds=1)
    s = replace(s, evidence=did(4, 16), requests=REQUESTS(paused=paused))
    decision, plan = look(s)
    assert decision == Rollback("BreakerTripped", "errors: failed 80.0% of 20 tasks, at most 50%")
    assert isinstance(plan.actions[0], SetRoute)
    assert plan.actions[0].urgent


def test_it_looks_at_the_candidate_alone() -> None:
    """However bad the old version is, and whatever the checks can't say."""
    total = {**did(4, 16).total, Arm("1.0.0", "control"): {Cell("agent_tasks_total", "failure"): 900.0}}
    s = replace(armed("errors"), evidence=Evidence(total=total, recent=total, as_of=START))
    assert isinstance(look(s)[0], Rollback)
    total = {**did(20).total, Arm("1.0.0", "control"): {Cell("agent_tasks_total", "failure"): 900.0}}
    s = replace(armed("errors"), evidence=Evidence(total=total, recent=total, as_of=START))
    assert isinstance(look(s)[0], Hold)


def test_breakers_are_told_apart_from_checks_and_stay_after_the_rollback() -> None:
    s = step(armed("cost", "errors"), evidence=did(20, cost=0.1))
    assert [(one.name, one.state) for one in s.status.breakers] == [("spend", "Armed"), ("errors", "Armed")]
    assert "spend" not in {check.name for check in s.status.checks}
    s = step(later(s, seconds=1), evidence=did(20, cost=9))
    assert s.status.candidate is None
    assert s.status.rejected is not None
    assert s.status.rejected.reason == "BreakerTripped"
    s = step(later(s, seconds=5))
    assert [(one.name, one.state) for one in s.status.breakers] == [("spend", "Tripped"), ("errors", "Armed")]
    assert "$0.450000 a task" in s.status.breakers[0].reason


def test_a_number_that_moves_writes_nothing() -> None:
    s = step(armed("cost"), evidence=did(20, cost=0.1))
    after = step(later(s, seconds=2), evidence=did(40, cost=0.3))
    assert after.status.breakers == s.status.breakers


def test_without_evidence_a_breaker_says_so_and_an_abort_leaves_it_as_it_was() -> None:
    s = step(armed("cost"), evidence=did(20, cost=0.1))
    away = step(later(s, seconds=2), evidence=UNAVAILABLE)
    assert [one.state for one in away.status.breakers] == ["Inconclusive"]
    assert "Prometheus" in away.status.breakers[0].reason
    aborted = step(later(s, seconds=2), evidence=UNAVAILABLE, requests=REQUESTS(abort="1"))
    assert [one.state for one in aborted.status.breakers] == ["Armed"]


def test_a_new_candidate_begins_with_nothing_said() -> None:
    s = step(armed("cost"), evidence=did(20, cost=0.1))
    assert s.status.breakers
    versions = {**s.versions, "2.1.0": version("2.1.0", "c")}
    s = step(later(s, seconds=2), versions=versions, spec=s.spec.model_copy(update={"version": "2.1.0"}))
    assert s.status.candidate is not None
    assert s.status.candidate.version == "2.1.0"
    assert s.status.breakers == ()


@pytest.mark.parametrize(("cost", "seconds"), [(0.3, 10), (0.4, 1)])
def test_a_third_of_the_way_to_the_limit_it_is_looked_at_closely(cost: float, seconds: int) -> None:
    assert 0.3 < ATTENTION < 0.4
    s = climbing(analysis={"interval": "10s", "breakers": [LIMITS["cost"]]})
    _, plan = look(replace(s, evidence=did(20, cost=cost)))
    assert plan.requeue_after == timedelta(seconds=seconds)


def test_what_breakers_read_is_asked_for_once_and_doesnt_change_what_a_step_counts() -> None:
    own = {"name": "own", "ratio": {"bad": "bad_total", "total": "all_total", "max": "1%"}}
    rollout = spec("2.0.0", analysis={"checks": [own], "breakers": [LIMITS["cost"], LIMITS["interventions"]]})
    assert [query.metric for query in queries(rollout)] == [
        "bad_total",
        "all_total",
        "agent_tasks_total",
        "agent_task_cost_usd_total",
        "agent_interventions_total",
    ]
    assert sample_metric(rollout) == "all_total"


def test_a_breaker_with_a_window_forgets_what_is_older() -> None:
    """What went wrong an hour ago doesn't trip it; the same in the last ten seconds does."""
    limit = LIMITS["errors"] | {"window": "10s"}
    s = climbing(analysis={"breakers": [limit]})
    windows = breaker_windows(s.spec)
    assert windows == (timedelta(seconds=10),)
    counted = Accumulator(since=START.timestamp(), others=windows)
    counted.load([])
    for second, (good, bad) in enumerate([(0, 30), *((10 * n, 30) for n in range(1, 30))], start=1):
        counted.add([_tasks(second, "success", good), _tasks(second, "failure", bad)])
        found = counted.evidence(datetime.fromtimestamp(START.timestamp() + second, UTC))
    result = judged(s, found)
    assert result.state == "Armed"
    assert result.reason == "failed 0.0% of 100 tasks, at most 50%, in the last 10s"
    assert judged(armed("errors"), found).reason.startswith("failed 9.4% of 320 tasks")


def test_a_window_nobody_measured_is_inconclusive() -> None:
    s = climbing(analysis={"breakers": [LIMITS["errors"] | {"window": "10s"}]})
    assert judged(s, did(0, 100)).state == "Inconclusive"


def _tasks(second: int, outcome: str, value: float) -> Series:
    query = CounterQuery("agent_tasks_total", "outcome")
    return Series(
        query, SeriesKey("2.0.0", "candidate", "pod", outcome), (Point(START.timestamp() + second, value),)
    )
