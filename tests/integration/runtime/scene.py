"""A real API server with an operator in this process, and a world of pods, agents and people around it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from agentrollouts.kube.client import KubeCluster
from agentrollouts.kube.lease import Lease, LeaseTimes
from agentrollouts.metrics.fake import FakeSource
from agentrollouts.runtime.app import lead
from agentrollouts.runtime.probes import Health, Heartbeat
from agentrollouts.runtime.settings import LeaseSettings, RouterSettings, Settings
from agentrollouts.runtime.wiring import Operator, SystemClock, Unshared
from hack.apiserver import ApiServer
from tests.fakes.stage import agent_version, rollout
from tests.integration.api import Api, RefusedError

DEADLINE = 25.0
CHECKS = [{"name": "success", "successRate": {}}]
QUICK = {
    "analysis": {
        "mode": "threshold",
        "interval": "1s",
        "minimumSessions": 5,
        "failures": {"every": "1s", "consecutive": 1},
        "checks": CHECKS,
    },
    "strategy": {"steps": [{"share": "5%", "soak": "1s"}, {"share": "50%", "soak": "1s"}]},
    "rollback": {"coolDown": "0s"},
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


async def install(scene: Scene) -> None:
    scene.put(agent_version("1.0.0", "a"))
    scene.put(rollout("1.0.0", **QUICK))
    await scene.until("the first version", lambda: scene.shares() == {"1.0.0": 10_000})
