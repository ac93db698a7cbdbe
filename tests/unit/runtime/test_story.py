"""The whole operator in memory, through the life of a rollout, and cut off wherever it can be cut off."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.ports import TransientError
from tests.fakes.stage import Stage, agent_version, rollout

SUCCESS_ONLY = {
    "mode": "threshold",
    "interval": "2s",
    "minimumSessions": 5,
    "failures": {"every": "1s", "consecutive": 1},
    "checks": [{"name": "success", "successRate": {}}],
}


async def installed(**spec: Any) -> Stage:
    stage = Stage()
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", **{"analysis": SUCCESS_ONLY, **spec}))
    await stage.restart()
    await stage.go(1)
    assert stage.shares() == {"1.0.0": 10_000}
    return stage


async def climbing(**spec: Any) -> Stage:
    stage = await installed(**spec)
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", **{"analysis": SUCCESS_ONLY, **spec}))
    await stage.go(4)
    assert stage.shares() == {"2.0.0": 500, "1.0.0": 9500}
    return stage


async def at_the_gate(**spec: Any) -> Stage:
    stage = await climbing(**spec)
    for _ in range(14):
        stage.work()
        await stage.go(1)
    assert stage.status()["phase"] == "AwaitingApproval", stage.status()
    return stage


def approve(stage: Stage) -> None:
    stage.cluster.annotate("ApprovalGate", "support-2.0.0-1", approve="true", approved_by="ann")


@pytest.mark.asyncio
async def test_the_first_version_is_installed_and_reachable() -> None:
    stage = await installed()
    port = stage.cluster.get("AgentRoute", "support")["spec"]["port"]
    front = stage.cluster.get("Service", "support")["spec"]
    behind = stage.cluster.get("Service", f"route-{port}", "routers")["spec"]
    assert front["externalName"] == f"route-{port}.routers.svc.cluster.local"
    assert (behind["ports"][0]["targetPort"], behind["selector"]) == (
        port,
        {"app.kubernetes.io/component": "router"},
    )
    assert stage.cluster.get("AgentVersion", "support-1.0.0")["status"]["phase"] == "Stable"


@pytest.mark.asyncio
async def test_nothing_is_written_while_nothing_happens() -> None:
    stage = await climbing()
    stage.work(2)
    await stage.go(10)
    before = list(stage.cluster.writes)
    await stage.go(20)
    assert stage.cluster.writes == before


@pytest.mark.asyncio
async def test_a_version_earns_its_traffic_and_is_promoted_after_approval() -> None:
    stage = await at_the_gate()
    assert stage.shares() == {"2.0.0": 5000, "1.0.0": 5000}
    await stage.go(30)
    assert stage.shares()["2.0.0"] == 5000, "no share above the gate before a person said so"
    approve(stage)
    await stage.go(3)
    assert stage.shares() == {"2.0.0": 10_000}
    assert stage.status()["stable"]["version"] == "2.0.0"
    assert stage.status()["history"][-1]["approvals"][0]["approver"] == "ann"
    assert stage.cluster.get("ApprovalGate", "support-2.0.0-1")["status"]["phase"] == "Closed"


@pytest.mark.asyncio
async def test_the_previous_version_stays_warm_and_goes_cold_in_time() -> None:
    stage = await at_the_gate(rollback={"warmFor": "60s"})
    approve(stage)
    await stage.go(3)
    assert (stage.replicas("1.0.0"), stage.replicas("2.0.0")) == (2, 2)
    await stage.go(70)
    assert (stage.replicas("1.0.0"), stage.replicas("2.0.0")) == (0, 2)


@pytest.mark.asyncio
async def test_undo_goes_back_to_the_warm_version_at_once() -> None:
    stage = await at_the_gate()
    approve(stage)
    await stage.go(3)
    stage.cluster.annotate("Rollout", "support", undo="1")
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}
    assert "urgent replace AgentRoute support" in stage.cluster.writes


@pytest.mark.asyncio
async def test_a_worse_version_is_rolled_back_and_scaled_down_after_draining() -> None:
    stage = await climbing()
    for _ in range(10):
        stage.work(4, bad={"2.0.0": 36})
        await stage.go(1)
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.status()["phase"] == "RolledBack"
    assert stage.replicas("2.0.0") == 2, "requests in flight may finish"
    await stage.go(40)
    assert stage.replicas("2.0.0") == 0


@pytest.mark.asyncio
async def test_the_route_is_the_first_of_the_few_writes_of_a_rollback() -> None:
    stage = await climbing()
    before, said = len(stage.cluster.writes), len(stage.cluster.events)
    stage.cluster.annotate("Rollout", "support", abort="1")
    await stage.go(60)
    assert stage.cluster.writes[before:] == [
        "urgent replace AgentRoute support",
        "status of Rollout support",
        "status of AgentVersion support-2.0.0",
        "status of AgentVersion support-1.0.0",
        "apply Deployment support-2-0-0",
        "status of AgentVersion support-2.0.0",
    ]
    assert [reason for reason, _ in stage.cluster.events[said:]] == ["RollbackAborted"]


@pytest.mark.asyncio
async def test_a_crash_loop_takes_the_candidate_out_without_any_metric() -> None:
    stage = await climbing()
    stage.source.mode = "down"
    template = stage.cluster.get("Deployment", "support-2-0-0")["spec"]["template"]["metadata"]
    stage.cluster.put(
        {
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": "shop", **template},
            "status": {
                "containerStatuses": [
                    {
                        "name": "agent",
                        "restartCount": 3,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
                    }
                ]
            },
        }
    )
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}
    assert "agent: CrashLoopBackOff, last exit 3 (Error)" in stage.status()["rejected"]["message"]


@pytest.mark.asyncio
@pytest.mark.parametrize("after", [False, True], ids=["lost", "unnoticed"])
@pytest.mark.parametrize("number", range(1, 16))
async def test_an_operator_that_dies_at_any_write_is_replaced_without_harm(number: int, after: bool) -> None:
    """From the new version to its promotion; each write in turn is the last one of its operator."""
    stage = await installed()
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", analysis=SUCCESS_ONLY))
    last = len(stage.cluster.writes) + number
    dead = False

    def die(at: int, what: str) -> Exception | None:
        nonlocal dead
        dead = dead or at == last
        return TransientError(f"the operator died at {what}") if dead else None

    setattr(stage.cluster, "fail_after" if after else "fail", die)
    for second in range(40):
        stage.work()
        await stage.go(1)
        assert stage.shares().get("2.0.0", 0) in (0, 500, 5000, 10_000)
        if ("ApprovalGate", "shop", "support-2.0.0-1") in stage.cluster.objects:
            approve(stage)
        if dead and second % 3 == 0:
            stage.cluster.fail = stage.cluster.fail_after = lambda number, what: None
            await stage.restart()
    assert dead, "this write never comes: shorten the range"
    assert stage.shares() == {"2.0.0": 10_000}
    assert stage.status()["stable"]["version"] == "2.0.0"
    assert [entry["outcome"] for entry in stage.status()["history"]] == ["Installed", "Promoted"]


@pytest.mark.asyncio
async def test_a_watch_that_lags_causes_no_wrong_write() -> None:
    """Nothing written is seen for a while: no decision is taken twice, and none is lost."""
    stage = await installed()
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", analysis=SUCCESS_ONLY))
    stage.cluster.lagging = True
    for _ in range(30):
        stage.work()
        stage.clock.forward(1)
        await stage.operator.scheduler.run_due()
        stage.cluster.run_pods()
        stage.cluster.deliver(2)
        if ("ApprovalGate", "shop", "support-2.0.0-1") in stage.cluster.objects:
            approve(stage)
    stage.cluster.lagging = False
    stage.cluster.deliver()
    await stage.go(5)
    assert stage.shares() == {"2.0.0": 10_000}
    assert [entry["outcome"] for entry in stage.status()["history"]] == ["Installed", "Promoted"]
    assert len(stage.cluster.of("ApprovalGate")) == 1


@pytest.mark.asyncio
async def test_a_restarted_operator_finds_the_same_evidence() -> None:
    stage = await climbing()
    for _ in range(3):
        stage.work()
        await stage.go(1)
    await stage.restart()
    for _ in range(9):
        await stage.go(1)
    assert stage.shares()["2.0.0"] == 5000, stage.status()["decision"]


@pytest.mark.asyncio
async def test_a_breaker_with_a_window_trips_long_before_any_check_may_speak() -> None:
    breaker = {"name": "errors", "errors": {"max": "50%"}, "window": "30s"}
    stage = await climbing(analysis=SUCCESS_ONLY | {"minimumSessions": 1000, "breakers": [breaker]})
    stage.work(good=0, bad={"2.0.0": 20})
    await stage.go(3)
    status = stage.status()
    assert status["rejected"]["reason"] == "BreakerTripped"
    assert status["rejected"]["message"].endswith("at most 50%, in the last 30s")
    assert status["breakers"][0]["state"] == "Tripped"
    assert stage.shares() == {"1.0.0": 10_000}


@pytest.mark.asyncio
async def test_failed_looks_add_up_across_a_restart_of_the_operator() -> None:
    """Whoever looks knows from the status how many there were."""
    slow = {"failures": {"every": "20s", "consecutive": 3}}
    stage = await climbing(analysis=SUCCESS_ONLY | slow)
    stage.work(good=10, bad={"2.0.0": 40})
    await stage.go(25)
    assert len(stage.status()["candidate"]["looks"]) == 2
    await stage.restart()
    stage.work(good=10, bad={"2.0.0": 40})
    await stage.go(10)
    assert stage.status()["candidate"]["version"] == "2.0.0"
    await stage.go(10)
    assert stage.status()["rejected"]["message"].startswith("3 of the last 3 looks failed: success")
