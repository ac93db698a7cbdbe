"""The operator on a real API server: kopf's watches, server-side apply, CRD validation and the lease are the real ones."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from tests.fakes.stage import agent_version, rollout
from tests.integration.runtime.scene import QUICK, Scene, install


def approve(scene: Scene, name: str = "support-2.0.0-1") -> None:
    scene.admin.annotate(scene.body("ApprovalGate", name), approve="true", approved_by="ann")


@pytest.mark.asyncio
async def test_from_the_first_version_to_a_promotion_and_back(scene: Scene) -> None:
    async with scene.operator():
        await install(scene)
        scene.put(agent_version("2.0.0", "b"))
        scene.put(rollout("2.0.0", **QUICK))
        await scene.until("the gate", lambda: bool(scene.find("ApprovalGate", "support-2.0.0-1")))
        assert scene.shares() == {"1.0.0": 5000, "2.0.0": 5000}
        approve(scene)
        await scene.until("the promotion", lambda: scene.shares() == {"2.0.0": 10_000})
        await scene.until("Healthy", lambda: scene.status().get("phase") == "Healthy")
        scene.admin.annotate(scene.body("Rollout", "support"), undo="1")
        await scene.until("the way back", lambda: scene.shares() == {"1.0.0": 10_000})
        await scene.until("the report of it", lambda: scene.status()["stable"]["version"] == "1.0.0")
        outcomes = [entry["outcome"] for entry in scene.status()["history"]]
        assert outcomes == ["Installed", "Promoted", "Undone"]


@pytest.mark.asyncio
async def test_a_worse_version_is_taken_out(scene: Scene) -> None:
    scene.agents.failing = {"2.0.0"}
    async with scene.operator():
        await install(scene)
        scene.put(agent_version("2.0.0", "b"))
        scene.put(rollout("2.0.0", **QUICK))
        await scene.until("the first share", lambda: scene.shares().get("2.0.0", 0) > 0)
        await scene.until("the rollback", lambda: scene.shares() == {"1.0.0": 10_000})
        await scene.until("the report", lambda: scene.status().get("phase") == "RolledBack")
    assert scene.status()["rejected"]["reason"] == "CheckFailed"


@pytest.mark.asyncio
async def test_operators_that_stop_at_random_moments_lose_nothing(scene: Scene) -> None:
    chance = random.Random(7)
    scene.put(agent_version("1.0.0", "a"))
    scene.put(agent_version("2.0.0", "b"))
    scene.put(rollout("1.0.0", **QUICK))
    for _ in range(5):
        end = asyncio.get_running_loop().time() + chance.uniform(0.3, 2.0)
        async with scene.operator():
            while asyncio.get_running_loop().time() < end:
                await scene.moment()
        if scene.shares() == {"1.0.0": 10_000}:
            scene.put(rollout("2.0.0", **QUICK))
    async with scene.operator():
        await scene.until("the gate", lambda: bool(scene.find("ApprovalGate", "support-2.0.0-1")))
        approve(scene)
        await scene.until("the promotion", lambda: scene.status().get("stable", {}).get("version") == "2.0.0")
    assert [entry["outcome"] for entry in scene.status()["history"]] == ["Installed", "Promoted"]


@pytest.mark.asyncio
async def test_of_two_operators_one_decides_and_the_other_takes_over(scene: Scene) -> None:
    async with scene.operator(lease=True) as one, scene.operator(lease=True) as other:
        await install(scene)
        looking = [operator.store.rollouts.items != {} for operator, _ in (one, other)]
        assert sorted(looking) == [False, True], "only the leader looks at the cluster"
        (first, end), (second, _) = (one, other) if looking[0] else (other, one)
        epoch = first.world.epoch
        await end()
        scene.put(agent_version("2.0.0", "b"))
        scene.put(rollout("2.0.0", **QUICK))
        await scene.until("the second's first share", lambda: scene.shares().get("2.0.0", 0) > 0)
        assert second.world.epoch > epoch
        assert scene.find("AgentRoute", "support")["spec"]["epoch"] == second.world.epoch


@pytest.mark.asyncio
async def test_a_service_of_that_name_that_is_not_ours_is_left_alone(scene: Scene) -> None:
    path = f"/api/v1/namespaces/{scene.namespace}/services"
    theirs = {"metadata": {"name": "support"}, "spec": {"ports": [{"port": 80}]}}
    scene.admin.request("POST", path, theirs)
    async with scene.operator():
        await install(scene)
        await scene.until("the complaint", lambda: "isn't ours" in scene.status().get("message", ""))
        stalled = next(c for c in scene.status()["conditions"] if c["type"] == "Stalled")
        assert stalled["status"] == "True"
        assert "externalName" not in scene.admin.request("GET", f"{path}/support")["spec"]


@pytest.mark.asyncio
async def test_what_belongs_to_a_rollout_goes_with_it(scene: Scene) -> None:
    scene.settings = replace(scene.settings, router=replace(scene.settings.router, namespace=scene.namespace))
    path = f"/api/v1/namespaces/{scene.namespace}/services"
    async with scene.operator():
        await install(scene)
        port = scene.find("AgentRoute", "support")["spec"]["port"]
        names = {item["metadata"]["name"] for item in scene.admin.request("GET", path)["items"]}
        assert {"support", "support-1-0-0", f"route-{port}"} <= names
        scene.admin.delete(scene.body("Rollout", "support"))

        def gone() -> bool:
            items = scene.admin.request("GET", path)["items"]
            return f"route-{port}" not in {item["metadata"]["name"] for item in items}

        await scene.until("the route's Service to go", gone)
