"""A whole operator on a cluster, a metric source and a clock in memory: tests play the users, the pods and the agents."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agentrollouts.metrics.fake import FakeSource
from agentrollouts.ports import EvidenceStore
from agentrollouts.runtime.scheduler import Timing
from agentrollouts.runtime.settings import LeaseSettings, RouterSettings, Settings
from agentrollouts.runtime.wiring import Operator, Unshared
from tests.fakes.advisor import FakeAdvisor
from tests.fakes.cluster import FakeCluster, Object
from tests.fakes.notifier import FakeNotifier

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SETTINGS = Settings(
    lease=LeaseSettings(enabled=False),
    router=RouterSettings("routers", {"app.kubernetes.io/component": "router"}),
    health_port=0,
)
TURNS = 10
"""Turns of the loop that what goes on beside the ticks takes at most."""
PARTS = ("code", "model", "prompts", "tools", "data")


@dataclass
class HandClock:
    """Both clocks; they stand still until a test moves them."""

    moment: datetime = START
    asleep: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as soon as anybody has begun to sleep."""
    _sleepers: list[tuple[float, asyncio.Future[None]]] = field(default_factory=list)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - START).total_seconds() + 1000.0

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.monotonic() + seconds, woken))
        self.asleep.set()
        await woken

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        for due, woken in [sleeper for sleeper in self._sleepers if sleeper[0] <= self.monotonic()]:
            self._sleepers.remove((due, woken))
            if not woken.done():
                woken.set_result(None)


def agent_version(version: str, letter: str, agent: str = "support", **spec: Any) -> Object:
    """An AgentVersion as a user writes it; ``letter`` makes its content."""
    container = {
        "name": "agent",
        "image": "agents/support:1",
        "ports": [{"name": "http", "containerPort": 8080}],
    }
    return {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "AgentVersion",
        "metadata": {"name": f"{agent}-{version}", "namespace": "shop"},
        "spec": {
            "agent": agent,
            "version": version,
            "release": {part: {"digest": f"sha256:{letter * 64}"} for part in PARTS},
            "template": {"spec": {"containers": [container]}},
            "replicas": 2,
        }
        | spec,
    }


def rollout(version: str, agent: str = "support", **spec: Any) -> Object:
    """A Rollout with quick steps."""
    return {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": agent, "namespace": "shop"},
        "spec": {
            "agent": agent,
            "version": version,
            "strategy": {"steps": [{"share": "5%", "soak": "4s"}, {"share": "50%", "soak": "4s"}]},
            "analysis": {
                "mode": "threshold",
                "interval": "2s",
                "minimumSessions": 5,
                "failures": {"every": "1s", "consecutive": 1},
            },
            "rollback": {"coolDown": "0s"},
        }
        | spec,
    }


@dataclass
class Stage:
    """One operator at a time; :meth:`restart` replaces it by another that knows nothing."""

    cluster: FakeCluster = field(default_factory=FakeCluster)
    clock: HandClock = field(default_factory=HandClock)
    settings: Settings = SETTINGS
    advisor: FakeAdvisor = field(default_factory=FakeAdvisor)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    evidence_store: EvidenceStore | None = None
    source: FakeSource = field(init=False)
    operator: Operator = field(init=False)
    _counts: dict[tuple[str, ...], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source = FakeSource(now=self.clock.now)

    async def restart(self) -> Operator:
        """A new operator, with the first picture taken."""
        self.operator = Operator(
            self.settings,
            cluster=self.cluster,
            source=self.source,
            lease=Unshared(),
            clock=self.clock,
            advisor=self.advisor,
            notifier=self.notifier,
            evidence_store=self.evidence_store,
            timing=Timing(monotonic=self.clock.monotonic, sleep=self.clock.sleep),
        )
        self.operator.world.epoch = 1
        self.cluster.deliver()
        self.cluster.observers[:] = [self.operator.store.observe]  # type: ignore[list-item]
        await self.operator.housekeeping.first_picture()
        return self.operator

    async def settle(self, *, pods: bool = True) -> None:
        """Look at everything due, and let the pods come up, until nothing more happens at this moment."""
        for _ in range(20):
            ticked = await self.operator.scheduler.run_due()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            if readings := [*self.operator.monitor.readings, *self.operator.reader.readings]:
                await asyncio.wait(readings)
                continue
            before = len(self.cluster.writes)
            if pods:
                self.cluster.run_pods()
            self.cluster.deliver()
            if not ticked and len(self.cluster.writes) == before:
                return
        raise AssertionError(f"it never settles; the last writes: {self.cluster.writes[-10:]}")

    async def go(self, seconds: float, *, step: float = 0.5, pods: bool = True) -> None:
        """Let time pass."""
        for _ in range(int(seconds / step)):
            self.clock.forward(step)
            await self.settle(pods=pods)

    def work(self, good: int = 10, bad: Mapping[str, int] | None = None, agent: str = "support") -> None:
        """Every arm of the route finishes tasks: ``good`` successes, and failures by version."""
        route = self.cluster.objects.get(("AgentRoute", "shop", agent))
        for arm in route["spec"]["arms"] if route else ():
            version, cohort = arm["version"], arm["cohort"]
            for outcome, n in (("success", good), ("failure", (bad or {}).get(version, 0))):
                self._count(agent, version, cohort, outcome, n)

    def sessions(self, good: int = 10, bad: Mapping[str, int] | None = None, agent: str = "support") -> None:
        """Every arm of the route closes sessions of one task: ``good`` successes, and failures by version."""
        route = self.cluster.objects.get(("AgentRoute", "shop", agent))
        for arm in route["spec"]["arms"] if route else ():
            version, cohort, worse = arm["version"], arm["cohort"], (bad or {}).get(arm["version"], 0)
            self._add(agent, version, cohort, "agent_sessions_closed_total", good + worse, reason="explicit")
            for metric in (
                "agent_session_success_fraction_total",
                "agent_session_success_fraction_squares_total",
            ):
                self._add(agent, version, cohort, metric, good)

    def assigned(self, agent: str = "support", **keys: int) -> None:
        """New keys by cohort, as the router gave them out."""
        route = self.cluster.get("AgentRoute", agent)
        for arm in route["spec"]["arms"]:
            n = keys.get(arm["cohort"], 0)
            self._add(agent, arm["version"], arm["cohort"], "agent_sessions_assigned_total", n)

    def _count(self, agent: str, version: str, cohort: str, outcome: str, n: int) -> None:
        self._add(agent, version, cohort, "agent_tasks_total", n, outcome=outcome)

    def _add(self, agent: str, version: str, cohort: str, metric: str, n: int, **more: str) -> None:
        key = (agent, version, cohort, metric, *more.values())
        self._counts[key] = self._counts.get(key, 0.0) + n
        labels = {
            "namespace": "shop",
            "agent": agent,
            "version": version,
            "cohort": cohort,
            "pod": f"{version}-0",
        }
        at = self.clock.now().timestamp()
        self.source.sample(metric, labels | more, time=at, value=self._counts[key])

    def status(self, agent: str = "support") -> dict[str, Any]:
        """The Rollout's status as users see it."""
        status: dict[str, Any] = self.cluster.get("Rollout", agent).get("status", {})
        return status

    def shares(self, agent: str = "support") -> dict[str, int]:
        """Version -> basis points on the route."""
        found: dict[str, int] = {}
        for arm in self.cluster.get("AgentRoute", agent)["spec"]["arms"]:
            found[arm["version"]] = found.get(arm["version"], 0) + arm["share"]
        return found

    def replicas(self, version: str, agent: str = "support") -> int:
        """Pods the Deployment asks for; 0 without one."""
        name = f"{agent}-{version.replace('.', '-')}"
        found = self.cluster.objects.get(("Deployment", "shop", name))
        return found["spec"]["replicas"] if found else 0
