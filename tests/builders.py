"""Builders for snapshots: every test says only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from agentrollouts.api.agentversion import Lineage
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.analysis import run_checks
from agentrollouts.core.decide import decide
from agentrollouts.core.decision import Decision
from agentrollouts.core.evidence import Arm, Cell, Evidence, Unavailable
from agentrollouts.core.gates import gate_state
from agentrollouts.core.plan import (
    CreateGate,
    CreateJob,
    DeleteJob,
    PatchGateStatus,
    PatchRolloutStatus,
    Plan,
    SetRoute,
)
from agentrollouts.core.planner import make_plan, settled
from agentrollouts.core.proof_run import Running
from agentrollouts.core.snapshot import (
    GateView,
    Identity,
    Requests,
    RouteView,
    Snapshot,
    Surroundings,
    VersionView,
    Workload,
)

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
AT_ONCE: dict[str, Any] = {"failures": {"every": "1s", "consecutive": 1}}
"""An analysis of which one failed look is a rollback."""
NO_EVIDENCE = Evidence(total={}, recent={}, as_of=START)


def digest(letter: str) -> str:
    """A digest that is easy to tell apart."""
    return "sha256:" + letter * 64


def version(
    semver: str, letter: str, *, ready: bool = True, author: str = "Person", **workload: Any
) -> VersionView:
    """A version with two pods."""
    pods = Workload(desired=2, ready=2 if ready else 0, **workload)
    return VersionView(
        version=semver,
        digest=digest(letter),
        replicas=2,
        service=f"support-{semver.replace('.', '-')}",
        workload=pods,
        lineage=Lineage.model_validate({"author": author}),
        parts={"code": digest(letter)},
    )


def spec(wanted: str = "1.0.0", **fields: Any) -> RolloutSpec:
    """A Rollout's spec as a user would write it, judged by the quality gate unless it says otherwise."""
    analysis = {"mode": "threshold", **fields.pop("analysis", {})}
    return RolloutSpec.model_validate({"agent": "support", "version": wanted, "analysis": analysis, **fields})


def evidence(counts: Mapping[tuple[str, str], tuple[int, int]], now: datetime = START) -> Evidence:
    """(version, cohort) -> (successes, failures); costs and latencies are equal everywhere."""
    total = {}
    for (semver, cohort), (good, bad) in counts.items():
        n = good + bad
        total[Arm(semver, cohort)] = {
            Cell("agent_tasks_total", "success"): float(good),
            Cell("agent_tasks_total", "failure"): float(bad),
            Cell("agent_task_cost_usd_total"): n * 0.001,
            Cell("agent_tool_calls_total", "success"): 0.0,
            Cell("agent_task_duration_seconds_bucket", "5"): float(n),
            Cell("agent_task_duration_seconds_bucket", "+Inf"): float(n),
        }
    return Evidence(total=total, recent=total, as_of=now)


def snapshot(**fields: Any) -> Snapshot:
    """A rollout at START with versions 1.0.0 and 2.0.0 ready and nothing installed."""
    defaults: dict[str, Any] = {
        "identity": Identity(namespace="shop", name="support", uid="u-1", generation=1),
        "spec": spec(),
        "status": RolloutStatus(),
        "versions": {"1.0.0": version("1.0.0", "a"), "2.0.0": version("2.0.0", "b")},
        "route": None,
        "evidence": NO_EVIDENCE,
        "now": START,
        "surroundings": Surroundings(epoch=1),
    }
    return Snapshot(**{**defaults, **fields})


def look(s: Snapshot) -> tuple[Decision, Plan]:
    """One tick's decision and plan."""
    s = settled(s)
    results, gate = run_checks(s), gate_state(s)
    decision = decide(s, results, gate)
    return decision, make_plan(s, results, gate, decision)


def carry_out(s: Snapshot, plan: Plan, *, upto: int | None = None) -> Snapshot:
    """The snapshot after the plan's first ``upto`` actions (all by default): what a perfect, or a crashing, shell leaves."""
    for action in plan.actions[:upto]:
        match action:
            case SetRoute(spec=route):
                number = int(s.route.resource_version) + 1 if s.route else 1
                s = replace(s, route=RouteView(route, str(number)))
            case PatchRolloutStatus(status=status):
                s = replace(s, status=status)
            case CreateGate(name=name, spec=gate):
                from agentrollouts.api.approvalgate import ApprovalGateStatus

                s = replace(s, gate=GateView(name=name, spec=gate, status=ApprovalGateStatus()))
            case CreateJob(manifest=job):
                s = replace(s, jobs={job["metadata"]["name"]: Running(), **s.jobs})
            case DeleteJob(name=name):
                s = replace(s, jobs={job: run for job, run in s.jobs.items() if job != name})
            case PatchGateStatus(status=status):
                assert s.gate is not None
                s = replace(s, gate=replace(s.gate, status=status))
            case _:
                pass
    return s


def step(s: Snapshot, **changes: Any) -> Snapshot:
    """One whole tick on a changed snapshot; the gate of a candidate that is gone goes too."""
    s = replace(s, **changes)
    _, plan = look(s)
    after = carry_out(s, plan)
    return after if after.status.candidate else replace(after, gate=None)


def later(s: Snapshot, **delta: float) -> Snapshot:
    """The same rollout some time later."""
    return replace(s, now=s.now + timedelta(**delta))


def installed() -> Snapshot:
    """1.0.0 serves."""
    return step(snapshot())


def climbing(share: int = 500, **fields: Any) -> Snapshot:
    """2.0.0 is on its way and has its first share."""
    s = step(installed(), spec=spec("2.0.0", **fields))
    s = step(later(s, seconds=2))
    assert s.status.candidate is not None and s.status.candidate.share == share, s.status
    return s


def good(n: int, now: datetime = START) -> Evidence:
    """Both versions succeed at everything."""
    return evidence(
        {("2.0.0", "candidate"): (n, 0), ("1.0.0", "control"): (n, 0), ("1.0.0", "stable"): (n, 0)}, now
    )


def candidate_share(s: Snapshot) -> int:
    """The candidate's share on the route, in basis points."""
    assert s.route is not None
    return sum(arm.share for arm in s.route.spec.arms if arm.cohort == "candidate")


UNAVAILABLE = Unavailable("Prometheus at http://prometheus:9090 didn't answer within 5 s")
REQUESTS = Requests
