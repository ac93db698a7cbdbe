"""What goes wrong around an operator, and what it makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.ports import ConflictError, TerminalError, TransientError
from tests.fakes.cluster import Object
from tests.fakes.stage import Stage, agent_version, rollout


async def serving(stage: Stage | None = None, **spec: Any) -> Stage:
    stage = stage or Stage()
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", **spec))
    await stage.restart()
    await stage.go(2)
    assert stage.shares() == {"1.0.0": 10_000}
    return stage


def stalled(stage: Stage, kind: str = "Rollout", name: str = "support") -> str:
    """The Stalled condition's message; empty when it isn't."""
    conditions = stage.cluster.get(kind, name)["status"]["conditions"]
    found = next(item for item in conditions if item["type"] == "Stalled")
    return str(found["message"]) if found["status"] == "True" else ""


@pytest.mark.asyncio
async def test_a_rollout_that_cannot_be_read_keeps_its_traffic_and_says_why() -> None:
    stage = await serving()

    def spoil(body: Object) -> None:
        body["spec"]["analysis"]["interval"] = "soon"

    stage.cluster.edit("Rollout", "support", spoil)
    await stage.go(2)
    assert stage.shares() == {"1.0.0": 10_000}
    assert "spec.analysis.interval" in stalled(stage)
    writes = len(stage.cluster.writes)
    await stage.go(30)
    assert len(stage.cluster.writes) == writes, "said once"
    stage.cluster.put(rollout("1.0.0"))
    await stage.go(2)
    assert stalled(stage) == ""


@pytest.mark.asyncio
async def test_a_status_that_cannot_be_read_is_never_written_over() -> None:
    stage = await serving()

    def spoil(body: Object) -> None:
        body["status"]["stable"]["digest"] = "not a digest"

    stage.cluster.edit("Rollout", "support", spoil)
    writes = len(stage.cluster.writes)
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0"))
    await stage.go(2)
    assert not [what for what in stage.cluster.writes[writes:] if "Rollout" in what or "Route" in what]
    assert ("StatusUnreadable") in [reason for reason, _ in stage.cluster.events]


@pytest.mark.asyncio
async def test_a_version_that_cannot_be_read_stalls_whoever_wants_it() -> None:
    stage = await serving()
    broken = agent_version("2.0.0", "b")
    broken["spec"]["release"]["code"]["digest"] = "latest"
    stage.cluster.put(broken)
    stage.cluster.put(rollout("2.0.0"))
    await stage.go(2)
    assert "spec.release.code.digest" in stalled(stage)
    assert stage.shares() == {"1.0.0": 10_000}


@pytest.mark.asyncio
async def test_a_refusal_of_the_server_ends_up_in_the_conditions_once() -> None:
    stage = await serving()
    stage.cluster.put(agent_version("2.0.0", "b"))

    def refuse(number: int, what: str) -> Exception | None:
        return TerminalError("admission webhook says no") if "AgentRoute" in what else None

    stage.cluster.fail = refuse
    stage.cluster.put(rollout("2.0.0"))
    await stage.go(3)
    assert stalled(stage) == "admission webhook says no"
    writes = [what for what in stage.cluster.writes if what == "status of Rollout support"]
    await stage.go(150)
    assert writes == [what for what in stage.cluster.writes if what == "status of Rollout support"]
    stage.cluster.fail = lambda number, what: None
    await stage.go(70)
    assert stalled(stage) == ""
    assert stage.status()["candidate"]["version"] == "2.0.0"


@pytest.mark.asyncio
async def test_conflicts_in_a_row_are_lived_through() -> None:
    stage = await serving()
    left = 12

    def conflict(number: int, what: str) -> Exception | None:
        nonlocal left
        if "AgentRoute" in what and left:
            left -= 1
            return ConflictError("somebody was faster")
        return None

    stage.cluster.fail = conflict
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0"))
    await stage.go(30)
    assert left == 0
    assert stage.status()["candidate"]["share"] == 500


@pytest.mark.asyncio
async def test_one_rollout_that_always_fails_does_not_hold_up_another() -> None:
    stage = Stage()
    stage.cluster.put(agent_version("1.0.0", "a", "cursed"))
    stage.cluster.put(rollout("1.0.0", "cursed"))
    stage.cluster.fail = lambda number, what: TransientError("no") if "cursed" in what else None
    await serving(stage)
    assert ("AgentRoute", "shop", "cursed") not in stage.cluster.objects


@pytest.mark.asyncio
async def test_shares_changed_by_hand_are_put_back_at_once() -> None:
    stage = await serving()
    arms = [{"cohort": "stable", "version": "9.9.9", "service": "x", "share": 10_000}]
    stage.cluster.edit("AgentRoute", "support", lambda body: body["spec"].update(arms=arms))
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}
    assert "WeightsReverted" in [reason for reason, _ in stage.cluster.events]


@pytest.mark.asyncio
async def test_a_deleted_route_comes_back_at_the_same_port() -> None:
    stage = await serving()
    port = stage.cluster.get("AgentRoute", "support")["spec"]["port"]
    stage.cluster.remove("AgentRoute", "support")
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.cluster.get("AgentRoute", "support")["spec"]["port"] == port


@pytest.mark.asyncio
async def test_a_service_changed_or_deleted_by_hand_is_mended() -> None:
    stage = await serving()
    stage.cluster.edit("Service", "support", lambda body: body["spec"].update(externalName="elsewhere"))
    await stage.settle()
    assert stage.cluster.get("Service", "support")["spec"]["externalName"].startswith("route-")
    stage.cluster.remove("Service", "support")
    stage.cluster.remove("Service", "support-1-0-0")
    await stage.settle()
    assert ("Service", "shop", "support") in stage.cluster.objects
    assert ("Service", "shop", "support-1-0-0") in stage.cluster.objects


@pytest.mark.asyncio
async def test_a_service_of_somebody_else_is_never_overwritten() -> None:
    stage = Stage()
    theirs = {
        "kind": "Service",
        "metadata": {"name": "support", "namespace": "shop"},
        "spec": {"type": "ClusterIP"},
    }
    stage.cluster.put(theirs)
    await serving(stage)
    assert "exists and isn't ours" in stalled(stage)
    assert stage.cluster.get("Service", "support")["spec"] == {"type": "ClusterIP"}
    writes = len(stage.cluster.writes)
    await stage.go(20)
    assert len(stage.cluster.writes) == writes
    stage.cluster.remove("Service", "support")
    await stage.go(310, step=5)
    assert stalled(stage) == ""


@pytest.mark.asyncio
async def test_the_services_of_a_deleted_rollout_are_removed_even_if_nobody_was_there_to_see_it() -> None:
    stage = await serving()
    port = stage.cluster.get("AgentRoute", "support")["spec"]["port"]
    stage.cluster.observers.clear()
    stage.cluster.remove("Rollout", "support")
    assert ("Service", "routers", f"route-{port}") in stage.cluster.objects
    await stage.restart()
    await stage.settle()
    assert ("Service", "routers", f"route-{port}") not in stage.cluster.objects
    assert stage.replicas("1.0.0") == 2, "a Rollout deleted by mistake takes no pods"


@pytest.mark.asyncio
async def test_rollouts_of_one_moment_get_ports_of_their_own() -> None:
    stage = Stage()
    for number in range(40):
        stage.cluster.put(agent_version("1.0.0", "a", f"agent-{number}"))
        stage.cluster.put(rollout("1.0.0", f"agent-{number}"))
    stage.cluster.lagging = True
    await stage.restart()
    await stage.go(2)
    ports = [body["spec"]["port"] for body in stage.cluster.of("AgentRoute")]
    assert len(ports) == len(set(ports)) == 40


@pytest.mark.asyncio
async def test_a_rollout_without_a_candidate_asks_for_no_evidence() -> None:
    stage = await serving(monitor={"enabled": False})
    await stage.go(400, step=10)
    assert stage.source.queries == 0


@pytest.mark.asyncio
async def test_without_its_lease_an_operator_writes_nothing() -> None:
    stage = await serving()

    class Lost:
        held = False

    stage.operator.ticker.lease = Lost()
    writes = len(stage.cluster.writes)
    stage.cluster.annotate("Rollout", "support", undo="1")
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0"))
    await stage.go(5)
    assert len(stage.cluster.writes) == writes
    assert stage.operator.scheduler.overdue() == 0


@pytest.mark.asyncio
async def test_a_rollback_waits_for_no_other_plan() -> None:
    stage = await serving()
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0"))
    await stage.go(3)
    assert stage.shares()["2.0.0"] == 500
    for _ in range(32):
        await stage.operator.ticker.writer._writers.acquire()
    stage.cluster.annotate("Rollout", "support", abort="1")
    stage.operator.scheduler._limit = 1
    await stage.operator.scheduler.run_due()
    assert stage.shares() == {"1.0.0": 10_000}


@pytest.mark.asyncio
async def test_an_abort_waits_for_no_metric() -> None:
    stage = await serving()
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0"))
    await stage.go(3)
    assert stage.shares()["2.0.0"] == 500
    asked = stage.source.queries
    stage.clock.forward(2.5)
    stage.cluster.annotate("Rollout", "support", abort="1")
    await stage.operator.scheduler.run_due()
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.source.queries == asked
