"""The worlds that every metric source must read alike. Each agent is one story; all share one clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from agentrollouts.core.evidence import CounterQuery
from agentrollouts.ports import AgentKey
from tests.contract.loaded_prometheus import Sample

NOW = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)
"""Every question is asked at this moment."""
TASKS = CounterQuery("agent_tasks_total", "outcome")
SECONDS = CounterQuery("agent_task_duration_seconds_bucket", "le")
CALLS = CounterQuery("agent_llm_calls_total")
CROWD = tuple(AgentKey(f"team-{n % 70}", f"crowd-{n}") for n in range(120))


def agent(name: str) -> AgentKey:
    """A story's agent."""
    return AgentKey("shop", name)


def before(seconds: float) -> float:
    """A moment so long before now."""
    return (NOW - timedelta(seconds=seconds)).timestamp()


def series(
    name: str, points: dict[float, float], metric: str = TASKS.metric, **labels: str
) -> Iterator[Sample]:
    """One raw series: seconds before now -> counter. An empty label is left out."""
    base = {
        "namespace": "shop",
        "agent": name,
        "version": "1.0.0",
        "cohort": "stable",
        "pod": "p-0",
        "job": "agents",
    }
    base |= {"outcome": "success"} if metric == TASKS.metric else {}
    all_labels = {label: value for label, value in (base | labels).items() if value}
    for ago, value in points.items():
        yield Sample(metric, all_labels, before(ago), value)


def every_five_seconds(oldest: float, newest: float, *, per_step: float = 1.0) -> dict[float, float]:
    """A counter that grows by ``per_step`` every five seconds."""
    count = int((oldest - newest) / 5) + 1
    return {oldest - 5 * step: step * per_step for step in range(count)}


def stories() -> Iterator[Sample]:
    """All samples, oldest first within a series."""
    for version, cohort in (("1.0.0", "stable"), ("1.0.0", "control"), ("2.0.0", "candidate")):
        for outcome, pace in (("success", 9.0), ("failure", 1.0)):
            for pod in ("p-0", "p-1"):
                grows = every_five_seconds(600, 5, per_step=pace)
                yield from series(
                    "plain", grows, version=version, cohort=cohort, outcome=outcome, pod=f"{version}-{pod}"
                )
    for le in ("0.5", "2.5", "+Inf"):
        yield from series("plain", {60: 1, 5: 2}, SECONDS.metric, le=le)
    yield from series("bare", {60: 3, 5: 4}, pod="", cohort="")
    yield from series("unversioned", {60: 3, 5: 4}, version="")
    yield from series("unversioned", {60: 3, 5: 4}, pod="p-1")
    yield from series("undimensioned", {60: 3, 5: 4}, outcome="")
    yield from series("nan", {60: 1, 5: float("nan")})
    yield from series("nan", {60: 1, 5: 2}, pod="p-1")
    yield from series("inf", {60: 1, 5: float("inf")})
    yield from series("reset", {120: 50, 115: 55, 60: 2, 5: 9})
    yield from series("replaced", {300: 10, 100: 40}, pod="old")
    yield from series("replaced", {90: 0, 5: 12}, pod="new")
    yield from series("long-gone", {400: 10, 300: 40}, pod="old")
    yield from series("long-gone", {90: 0, 5: 12}, pod="new")
    for replica, times in (("a", (62, 32, 2)), ("b", (60, 30, 1))):
        yield from series("scraped-twice", {ago: 100.0 - ago for ago in times}, prometheus_replica=replica)
    yield from series("moved", {300: 10, 100: 40}, instance="10.0.0.1:9464")
    yield from series("moved", {90: 40, 5: 41}, instance="10.0.0.2:9464")
    for container, value in (("main", 70.0), ("side", 4.0)):
        yield from series("two-containers", {60: value - 1, 5: value}, container=container)
    for tool in ("search", "refund"):
        yield from series("own-label", {60: 1, 5: 2}, CALLS.metric, tool=tool)
    for key in CROWD:
        labels = {"namespace": key.namespace, "cohort": "candidate"}
        yield from series(key.agent, {60: 1, 5: 7}, **labels)
    yield from series("crowd-0", {60: 1, 5: 500}, namespace="team-1")
    yield from series("crowd-1", {60: 1, 5: 500}, namespace="team-0")
    yield from series("aged", every_five_seconds(7_200, 5))
    yield from series("aged", {3_600: 0, 3_595: 3, 3_590: 8}, pod="short-lived")
    yield from series("aged", {50: 0, 45: 6}, pod="just-gone")
