"""The operator on a real API server: kopf's watches, server-side apply, CRD validation and the lease are the real ones."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agentrollouts.kube.client import KubeCluster
from agentrollouts.kube.lease import Lease, LeaseTimes
from agentrollouts.metrics.fake import FakeSource
from agentrollouts.runtime.app import Operator, SystemClock, Unshared, lead
from agentrollouts.runtime.probes import Health, Heartbeat
from agentrollouts.runtime.settings import LeaseSettings, RouterSettings, Settings
from hack.apiserver import ApiServer
from tests.fakes.stage import agent_version, rollout
from tests.integration.api import Api, RefusedError

DEADLINE = 25.0
CHECKS = [{"name": "success", "successRate": {}}]
QUICK = {
    "analysis": {"interval": "1s", "minimumSamples": 5, "checks": CHECKS},
    "strategy": {"steps": [{"share": "5%", "soak": "1s"}, {"share": "50%", "soak": "1s"}]},
}


class Agents:
    """The agents and their scraper: every version of the route works, a little every moment."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.source = FakeSource(now=lambda: datetime.now(UTC))
        self.failing: set[str] = set()
        self._counts: dict[tuple[str, str, str], float] = {}

    def work(self, arms: list[dict[str, Any]]) -> None:
        now = datetime.now(UTC).timestamp()
        for arm in arms:
            for outcome in ("success", "failure"):
                key = (arm["version"], arm["cohort"], outcome)
                happens = (outcome == "failure") == (arm["version"] in self.failing)
                self._counts[key] = self._counts.get(key, 0.0) + (5.0 if happens else 0.0)
                labels = {
                    "namespace": self.namespace,
                    "agent": "support",
                    "version": arm["version"],
                    "cohort": arm["cohort"],
                    "outcome": outcome,
                    "pod": f"{arm['version']}-0",
                }
                self.source.sample("agent_tasks_total", labels, time=now, value=self._counts[key])


class Scene:
    """A namespace, its agents, and what people and the Deployment controller do there."""

    def __init__(self, server: ApiServer, admin: Api, namespace: str) -> None:
        self.server, self.admin, self.namespace = server, admin, namespace
        self.agents = Agents(namespace)
        self.settings = Settings(
            kubeconfig=server.kubeconfig,
            namespaces=(namespace,),
            lease=LeaseSettings(namespace=namespace),
            router=RouterSettings(namespace, {"app.kubernetes.io/component": "router"}),
            require_policy=False,
            health_port=0,
        )

    def body(self, kind: str, name: str) -> dict[str, Any]:
        return {
            "apiVersion": "agentrollouts.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace},
        }

    def put(self, body: dict[str, Any]) -> None:
        body["metadata"]["namespace"] = self.namespace
        self.admin.apply(body, manager="user")

    def find(self, kind: str, name: str) -> dict[str, Any]:
        try:
            return self.admin.get(self.body(kind, name))
        except RefusedError as error:
            if error.status != 404:
                raise
            return {}

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.find("Rollout", "support").get("status", {})
        return status

    def shares(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for arm in self.find("AgentRoute", "support").get("spec", {}).get("arms", []):
            found[arm["version"]] = found.get(arm["version"], 0) + arm["share"]
        return found

    def run_pods(self) -> None:
        """Every Deployment has all its pods, ready."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        for item in self.admin.request("GET", path)["items"]:
            n, seen = item["spec"]["replicas"], item["metadata"]["generation"]
            status = {"replicas": n, "readyReplicas": n, "observedGeneration": seen}
            if any(item["status"].get(key, 0) != value for key, value in status.items()):
                self.admin.request(
                    "PATCH",
                    f"{path}/{item['metadata']['name']}/status",
                    {"status": status},
                    content_type="application/merge-patch+json",
                )

    async def until(self, what: str, happened: Callable[[], bool]) -> None:
        """The world goes on until it happened."""
        loop = asyncio.get_running_loop()
        end = loop.time() + DEADLINE
        while not await asyncio.to_thread(happened):
            assert loop.time() < end, f"waited {DEADLINE:g} s in vain for {what}: {self.status()}"
            await self.moment()

    async def moment(self) -> None:
        """The world goes on a little."""
        route = await asyncio.to_thread(self.find, "AgentRoute", "support")
        self.agents.work(route.get("spec", {}).get("arms", []))
        await asyncio.to_thread(self.run_pods)
        await asyncio.sleep(0.1)

    @asynccontextmanager
    async def operator(
        self, *, lease: bool = False
    ) -> AsyncIterator[tuple[Operator, Callable[[], Awaitable[None]]]]:
        """A running operator and the way to stop it early, in good order."""
        cluster = await KubeCluster.open(self.server.kubeconfig)
        held = (
            Lease(
                cluster.connection,
                namespace=self.namespace,
                name="operator",
                identity=f"test-{random.random()}",
                times=LeaseTimes(duration=3, deadline=2.0, retry=0.2),
            )
            if lease
            else None
        )
        operator = Operator(
            self.settings,
            cluster=cluster,
            source=self.agents.source,
            lease=held or Unshared(),
            clock=SystemClock(),
        )
        stop = asyncio.Event()
        health = Health(Heartbeat(), operator.scheduler.overdue)
        task = asyncio.create_task(
            lead(self.settings, operator, lease=held, health=health, stop=stop, closers=[cluster.close])
        )

        async def end() -> None:
            stop.set()
            await asyncio.wait([task])
            task.result()

        try:
            yield operator, end
        finally:
            await end()


@pytest.fixture
def scene(apiserver: ApiServer, admin: Api, namespace: str) -> Scene:
    return Scene(apiserver, admin, namespace)


async def install(scene: Scene) -> None:
    scene.put(agent_version("1.0.0", "a"))
    scene.put(rollout("1.0.0", **QUICK))
    await scene.until("the first version", lambda: scene.shares() == {"1.0.0": 10_000})


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
