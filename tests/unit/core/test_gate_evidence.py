"""The numbers a person decides on: both versions side by side, and nothing that nobody measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentrollouts.core.evidence import Arm, Cell, Evidence, Totals
from agentrollouts.core.plan import CreateGate
from tests.builders import climbing, later, look

TASKS, COST, CALLS = "agent_tasks_total", "agent_task_cost_usd_total", "agent_tool_calls_total"
SECONDS = "agent_task_duration_seconds_bucket"
FULL = {
    Cell(TASKS, "success"): 97.0,
    Cell(TASKS, "failure"): 3.0,
    Cell(COST): 0.5,
    Cell(SECONDS, "1"): 90.0,
    Cell(SECONDS, "10"): 99.0,
    Cell(SECONDS, "2.5"): 95.0,
    Cell(SECONDS, "+Inf"): 100.0,
    Cell(CALLS, "success"): 199.0,
    Cell(CALLS, "failure"): 1.0,
}


def gate(totals: Totals, checks: tuple[dict[str, object], ...] = ()) -> dict[str, tuple[str, ...]]:
    """What a gate says of each cohort when each has these sums."""
    analysis = {"minimumSessions": 1, "checks": checks} if checks else {"minimumSessions": 1}
    s = climbing(analysis=analysis, strategy={"steps": [{"share": 5, "soak": "1m"}]})
    arms = (("2.0.0", "candidate"), ("1.0.0", "control"), ("1.0.0", "stable"))
    sums = {Arm(*arm): totals for arm in arms}
    s = later(s, minutes=2)
    _, plan = look(replace(s, evidence=Evidence(sums, sums, s.now)))
    (made,) = [action.spec for action in plan.actions if isinstance(action, CreateGate)]
    return {
        row.cohort: (row.success_rate, row.mean_cost_usd, row.p95_latency_seconds, row.tool_success_rate)
        for row in made.evidence
    }


def test_all_cohorts_stand_side_by_side() -> None:
    row = ("97.0%", "0.005000", "2.5", "99.5%")
    assert gate(FULL) == {"candidate": row, "control": row, "stable": row}


def test_what_no_check_reads_is_empty_and_not_nothing() -> None:
    outcomes = {cell: n for cell, n in FULL.items() if cell.metric == TASKS}
    only = ({"name": "success", "successRate": {}},)
    assert set(gate(outcomes, only).values()) == {("97.0%", "", "", "")}


@pytest.mark.parametrize(
    ("fast", "said"), [(95.0, "1"), (94.0, "more than 1")], ids=["within an edge", "beyond every edge"]
)
def test_latency_is_an_edge_that_was_counted(fast: float, said: str) -> None:
    outcomes = {cell: n for cell, n in FULL.items() if cell.metric == TASKS}
    buckets = {Cell(SECONDS, "1"): fast, Cell(SECONDS, "+Inf"): 100.0}
    only = ({"name": "success", "successRate": {}},)
    assert {row[2] for row in gate(outcomes | buckets, only).values()} == {said}
