"""A version after it was accepted: watched in a whole operator, through drift, recovery, restarts and the next rollout."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.core.evidence import Evidence
from agentrollouts.core.monitor.behavior import READ
from agentrollouts.ports import AgentKey
from agentrollouts.runtime.views import Place
from tests.fakes.stage import Stage, agent_version, rollout
from tests.unit.core.monitor.behaving import USUAL, Way
from tests.unit.runtime.test_story import SUCCESS_ONLY, approve

MONITOR = {"interval": "1m", "window": "1h", "minimumSessions": 200}
DELETES = USUAL.but(tools={"lookup": 0.2, "delete_account": 0.75, "none": 0.05})
PLACE = Place("shop", "support")


def behave(stage: Stage, way: Way, n: int, agent: str = "support") -> None:
    """Every arm of the route closes so many sessions."""
    for arm in stage.cluster.get("AgentRoute", agent)["spec"]["arms"]:
        for cell, amount in way.exactly(n).items():
            query = next(query for query in READ if query.metric == cell.metric)
            more = {query.dimension: cell.value} if query.dimension else {}
            stage._add(agent, arm["version"], arm["cohort"], cell.metric, amount, **more)  # type: ignore[arg-type]


async def minutes(stage: Stage, count: int, way: Way | None, n: int = 100) -> None:
    for _ in range(count):
        if way is not None:
            behave(stage, way, n)
        await stage.go(60, step=30)


async def serving(monitor: dict[str, Any] | None = None, agent: str = "support", **spec: Any) -> Stage:
    stage = Stage()
    stage.cluster.put(agent_version("1.0.0", "a", agent))
    stage.cluster.put(
        rollout("1.0.0", agent, analysis=SUCCESS_ONLY, monitor={**MONITOR, **(monitor or {})}, **spec)
    )
    await stage.restart()
    await stage.go(1)
    return stage


async def promoted(way: Way | None = USUAL) -> Stage:
    """2.0.0 has become stable, after a rollout in which its sessions went this way."""
    stage = await serving()
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", analysis=SUCCESS_ONLY, monitor=MONITOR))
    await stage.go(4)
    for _ in range(20):
        stage.work()
        if way is not None:
            behave(stage, way, 40)
        await stage.go(1)
    approve(stage)
    await stage.go(4)
    assert stage.status()["stable"]["version"] == "2.0.0", stage.status()
    return stage


def drifting(stage: Stage) -> dict[str, Any]:
    """The condition; empty where there is none."""
    found = [item for item in stage.status()["conditions"] if item["type"] == "BehaviorDrifting"]
    return found[0] if found else {}


def said(stage: Stage) -> list[str]:
    """The reasons of the monitor's events."""
    return [reason for reason, _ in stage.cluster.events if reason.startswith("Behavior")]


def gauge(stage: Stage, signal: str, name: str = "agentrollouts_behavior_drifting") -> float | None:
    labels = {"namespace": "shop", "rollout": "support", "signal": signal}
    return stage.operator.telemetry.registry.get_sample_value(name, labels)


@pytest.mark.asyncio
async def test_a_promoted_version_has_the_profile_of_its_rollout() -> None:
    stage = await promoted()
    profile = stage.status()["stable"]["profile"]
    assert profile["sessions"] >= 200
    assert profile["tools"] == {"lookup": 5500, "refund": 2500, "search": 1500, "none": 500}
    assert profile["events"]["thumbsDown"] == 400
    assert profile["responseLength"]["mean"] == pytest.approx(0.2)
    await minutes(stage, 10, DELETES)
    assert stage.status()["stable"]["profile"] == profile, "it is written once"


@pytest.mark.asyncio
async def test_drift_is_said_once_with_its_numbers_and_so_is_its_end() -> None:
    stage = await promoted()
    await minutes(stage, 20, USUAL)
    assert (drifting(stage)["status"], said(stage)) == ("False", [])
    assert gauge(stage, "toolMix") == 0.0
    await minutes(stage, 70, DELETES)
    told = drifting(stage)
    assert (told["status"], told["reason"], said(stage)) == ("True", "Drifted", ["BehaviorDrifted"])
    assert "delete_account 0.0% -> " in told["message"]
    assert "sessions of the last 1h against" in told["message"]
    assert [drift["signal"] for drift in stage.status()["drift"]] == ["toolMix"]
    assert (gauge(stage, "toolMix"), gauge(stage, "topicMix")) == (1.0, 0.0)
    assert gauge(stage, "toolMix", "agentrollouts_behavior_moved") == pytest.approx(0.75, abs=0.01)
    assert stage.shares() == {"2.0.0": 10_000}
    assert stage.status()["phase"] == "Healthy"
    await minutes(stage, 70, USUAL)
    assert (drifting(stage)["status"], drifting(stage)["reason"]) == ("False", "AsAccepted")
    assert said(stage) == ["BehaviorDrifted", "BehaviorRecovered"]
    assert "drift" not in stage.status() or not stage.status()["drift"]
    assert gauge(stage, "toolMix") == 0.0


@pytest.mark.asyncio
async def test_nothing_is_written_because_a_number_moved() -> None:
    stage = await promoted()
    await minutes(stage, 80, DELETES)
    before = len(stage.cluster.writes)
    for n in (10, 300, 50, 200):
        await minutes(stage, 5, DELETES, n)
    assert stage.cluster.writes[before:] == []


@pytest.mark.asyncio
async def test_a_restarted_operator_goes_on_with_the_same_window_and_says_nothing_twice() -> None:
    stage = await promoted()
    await minutes(stage, 50, USUAL)
    await minutes(stage, 25, DELETES)
    before, told, writes = recent(stage), drifting(stage), len(stage.cluster.writes)
    assert told["status"] == "True"
    await stage.restart()
    await stage.settle()
    assert drifting(stage) == told
    assert stage.cluster.writes[writes:] == []
    assert recent(stage) == pytest.approx(before, rel=0.05)
    await minutes(stage, 50, DELETES)
    sessions = recent(stage)
    assert sessions == pytest.approx(6_000, rel=0.05), "the window slides on, and isn't all since the restart"
    assert said(stage) == ["BehaviorDrifted"]


def recent(stage: Stage) -> float:
    """Sessions in the window, as the operator read it last."""
    _, found = stage.operator.monitor._found[PLACE]
    assert isinstance(found, Evidence)
    return sum(n for cell, n in found.pooled("2.0.0", recent=True).items() if cell.metric == READ[0].metric)


@pytest.mark.asyncio
async def test_a_pod_that_counts_from_zero_again_takes_nothing_away() -> None:
    stage = await promoted()
    await minutes(stage, 10, USUAL)
    before = recent(stage)
    stage._counts.clear()
    await minutes(stage, 10, USUAL)
    assert recent(stage) == pytest.approx(before + 1_000)
    assert drifting(stage)["status"] == "False"


@pytest.mark.asyncio
async def test_a_first_version_is_accepted_with_its_first_sessions() -> None:
    stage = await serving()
    behave(stage, USUAL, 0)
    await stage.go(1)
    await minutes(stage, 1, USUAL)
    assert "profile" not in stage.status()["stable"]
    assert drifting(stage) == {}
    await minutes(stage, 4, USUAL)
    profile = stage.status()["stable"]["profile"]
    assert 200 <= profile["sessions"] <= 400
    await minutes(stage, 70, DELETES)
    assert drifting(stage)["status"] == "True"


@pytest.mark.asyncio
async def test_a_version_accepted_with_too_few_sessions_gets_its_profile_afterwards() -> None:
    stage = await promoted(way=None)
    assert "profile" not in stage.status()["stable"]
    await minutes(stage, 5, USUAL)
    assert stage.status()["stable"]["profile"]["sessions"] >= 200


@pytest.mark.asyncio
async def test_an_agent_that_reports_nothing_is_not_said_to_be_as_accepted() -> None:
    stage = await serving()
    for _ in range(30):
        stage.work()
        await minutes(stage, 1, None)
    assert drifting(stage) == {}
    assert said(stage) == []
    assert gauge(stage, "toolMix") is None


@pytest.mark.asyncio
async def test_silence_makes_it_unknown_and_neither_drift_nor_recovery() -> None:
    stage = await promoted()
    await minutes(stage, 70, DELETES)
    for _ in range(70):
        behave(stage, DELETES, 0)
        await minutes(stage, 1, None)
    told = drifting(stage)
    assert (told["status"], told["reason"]) == ("Unknown", "TooFewSessions")
    assert said(stage) == ["BehaviorDrifted"]
    assert gauge(stage, "toolMix") is None
    await minutes(stage, 10, DELETES)
    assert (drifting(stage)["status"], said(stage)) == ("True", ["BehaviorDrifted"])


@pytest.mark.asyncio
async def test_an_outage_of_prometheus_says_nothing_of_the_version() -> None:
    stage = await promoted()
    await minutes(stage, 20, USUAL)
    told = drifting(stage)
    stage.source.mode = "down"
    await minutes(stage, 10, USUAL)
    assert drifting(stage) == told
    assert gauge(stage, "toolMix") is None
    stage.source.mode = "ok"
    await minutes(stage, 5, USUAL)
    assert gauge(stage, "toolMix") == 0.0


@pytest.mark.asyncio
async def test_a_rollout_goes_first_and_its_promotion_ends_the_old_drift() -> None:
    stage = await promoted()
    await minutes(stage, 70, DELETES)
    assert drifting(stage)["status"] == "True"
    stage.cluster.put(agent_version("3.0.0", "c"))
    stage.cluster.put(rollout("3.0.0", analysis=SUCCESS_ONLY, monitor=MONITOR))
    await stage.go(4)
    assert stage.status()["candidate"]["version"] == "3.0.0"
    assert drifting(stage)["status"] == "True", "nothing is known of it that is new"
    assert (stage.operator.monitor._found, stage.operator.monitor.readings) == ({}, ())
    for _ in range(20):
        stage.work()
        behave(stage, DELETES, 40)
        await stage.go(1)
    assert (stage.operator.monitor._found, stage.operator.monitor.readings) == ({}, ())
    stage.cluster.annotate("ApprovalGate", "support-3.0.0-2", approve="true", approved_by="ann")
    await stage.go(4)
    assert stage.status()["stable"]["version"] == "3.0.0"
    assert drifting(stage) == {}
    await minutes(stage, 20, DELETES)
    assert drifting(stage)["status"] == "False", "it was accepted like this"


@pytest.mark.asyncio
async def test_switched_off_it_reads_nothing_and_takes_back_what_it_said() -> None:
    stage = await promoted()
    await minutes(stage, 70, DELETES)
    stage.cluster.put(rollout("2.0.0", analysis=SUCCESS_ONLY, monitor={**MONITOR, "enabled": False}))
    await stage.go(10)
    assert drifting(stage) == {}
    stage.source.queries = 0
    await minutes(stage, 10, DELETES)
    assert stage.source.queries == 0


@pytest.mark.asyncio
async def test_all_rollouts_are_read_with_one_query_a_counter() -> None:
    stage = Stage()
    agents = [f"agent-{n}" for n in range(30)]
    for agent in agents:
        stage.cluster.put(agent_version("1.0.0", "a", agent))
        stage.cluster.put(rollout("1.0.0", agent, analysis=SUCCESS_ONLY, monitor=MONITOR))
    await stage.restart()
    await stage.go(70, step=10)
    stage.source.queries = 0
    await stage.go(60, step=10)
    assert stage.source.queries == len(READ)
    assert {subject.agent for subject, _ in stage.operator.monitor._found.values()} == {
        AgentKey("shop", agent) for agent in agents
    }
