"""A fleet of rollouts held at 10 %: what holding costs, and how fast failing candidates lose their traffic.

    python -m bench.fleet --rollouts 200 --interval 10

Real: the API server and its controllers, the operator (a process with a service account of its own). Played: nodes and pods
(kwok), and Prometheus (bench/prometheus_stub.py, counters without a scrape). So a reaction is the operator's part of it:
from the moment a candidate begins to fail until a watch on the AgentRoute shows share 0. Add your scrape interval.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import random
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench import account, kinds
from bench.cluster import NODES, Api, cluster, folder, program, until
from bench.quantile import summary

sys.path.insert(0, str(Path(__file__).parent))
from fleet_kind import CANDIDATE, KIND

AGENTS_PER_NAMESPACE = 10
BAD = 0.5
Key = tuple[str, str]


@dataclass(slots=True)
class Routes:
    """The candidates' shares as a watch tells them."""

    kind: kinds.Kind
    shares: dict[Key, float] = field(default_factory=dict)
    changed: dict[Key, float] = field(default_factory=dict)

    def seen(self, at: float, route: kinds.Object) -> None:
        found = self.kind.weight(route)
        if found is not None and self.shares.get(found[0]) != found[1]:
            self.shares[found[0]], self.changed[found[0]] = found[1], at

    async def follow(self, api: Api) -> None:
        while True:
            listed = await api.get(self.kind.route)
            for item in listed["items"]:
                self.seen(time.time(), item)
            with contextlib.suppress(httpx.HTTPError):
                async for at, kind, item in api.watch(self.kind.route, listed["metadata"]["resourceVersion"]):
                    if kind == "ERROR":
                        break
                    self.seen(at, item)


@dataclass(slots=True)
class Fleet:
    """The rollouts under measurement and everything around them."""

    api: Api
    stub: httpx.AsyncClient
    pid: int
    kind: kinds.Kind
    routes: Routes
    names: list[Key]
    interval: int

    async def make(self) -> None:
        """Namespaces, versions and Rollouts; done when every first version serves."""
        for namespace in sorted({namespace for namespace, _ in self.names}):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            await self.api.create("/api/v1/namespaces", body)
        agents = [
            {"namespace": ns, "agent": name, "versions": ["1.0.0", CANDIDATE], "candidate": CANDIDATE}
            for ns, name in self.names
        ]
        (await self.stub.post("/stub/agents", json=agents)).raise_for_status()
        await asyncio.gather(*(self._create(number, *key) for number, key in enumerate(self.names)))

        async def serving() -> bool:
            items = (await self.api.get(self.kind.crs))["items"]
            return sum(map(self.kind.ready, items)) == len(self.names)

        await until("every first version serves", serving, seconds=600, every=2)

    async def _create(self, number: int, namespace: str, name: str) -> None:
        for path, body in self.kind.objects(namespace, name, f"fake-{number % NODES:03d}"):
            await self.api.create(path, body)

    async def start(self) -> None:
        """The new version everywhere; done when every candidate has its share."""
        await asyncio.gather(*(self.api.merge(*self.kind.new_version(*key)) for key in self.names))

        async def held() -> bool:
            return all(self.routes.shares.get(key, 0) > 0 for key in self.names)

        await until("every candidate has its share", held, seconds=600)

    async def reading(self) -> account.Reading:
        counts = (await self.stub.get("/stub/counts")).json()
        return await account.read(self.api, self.pid, queries=counts["queries"])

    async def holding(self, seconds: float) -> dict[str, object]:
        """What a minute costs while nothing happens."""
        before = await self.reading()
        await asyncio.sleep(seconds)
        return account.cost(before, await self.reading())

    async def react(self, count: int, *, spread: float, chance: random.Random) -> dict[str, object]:
        """Let ``count`` candidates fail, evenly over ``spread`` seconds, or all at one moment.

        Where ``spread`` is a number of whole intervals, every phase of the interval is met equally often: moments chosen
        freely would move the median of 40 by nearly a tenth of the interval from run to run.
        """
        held = [key for key in self.names if self.routes.shares.get(key, 0) > 0]
        chosen = chance.sample(held, min(count, len(held)))
        before, failed = await self.reading(), {}
        began = time.time()
        moments = [(number + chance.random()) / len(chosen) * spread for number in range(len(chosen))]
        if not spread:
            answer = await self.stub.post("/stub/flip", json={"agents": chosen, "bad": BAD})
            failed = dict.fromkeys(chosen, answer.json()["at"])
        for key, moment in zip(chosen if spread else [], moments, strict=bool(spread)):
            await asyncio.sleep(max(0.0, began + moment - time.time()))
            answer = await self.stub.post("/stub/flip", json={"agents": [key], "bad": BAD})
            failed[key] = answer.json()["at"]

        async def gone() -> bool:
            return all(self.routes.shares[key] == 0 for key in chosen)

        with contextlib.suppress(TimeoutError):
            await until("all failing candidates are without traffic", gone, seconds=60)
        await asyncio.sleep(2 * self.interval)
        after = await self.reading()
        back = {key: self.routes.changed[key] for key in chosen if self.routes.shares[key] == 0}
        requests = sum(after.requests.values()) - sum(before.requests.values())
        return {
            "failing": len(chosen),
            "rolled_back": len(back),
            "wrongly_rolled_back": sum(self.routes.shares[key] == 0 for key in held if key not in chosen),
            "reaction_seconds": summary([at - failed[key] for key, at in back.items()]),
            "first_to_last_seconds": round(max(back.values()) - min(back.values()), 3) if back else None,
            "api_requests": round(requests),
            "machine_load": round(os.getloadavg()[0], 1),
        }


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


async def answers(stub: httpx.AsyncClient) -> bool:
    """Whether the stub has started."""
    with contextlib.suppress(httpx.TransportError):
        return (await stub.get("/stub/counts")).is_success
    return False


@contextlib.asynccontextmanager
async def fleet(rollouts: int, interval: int, logs: Path) -> AsyncIterator[Fleet]:
    """Cluster, stub, operator and an empty fleet."""
    async with contextlib.AsyncExitStack() as stack:
        server, api = await stack.enter_async_context(cluster(logs))
        port, kubeconfig = free_port(), logs / "kubeconfig"
        await account.open_account(api, server, kubeconfig=kubeconfig)
        url = f"http://127.0.0.1:{port}"
        stub_line = [sys.executable, "-m", "bench.prometheus_stub", f"--port={port}"]
        stack.enter_context(program(stub_line, log=logs / "stub.log"))
        line = [
            sys.executable,
            "-m",
            "agentrollouts",
            "run",
            f"--kubeconfig={kubeconfig}",
            f"--prometheus={url}",
        ]
        operator = stack.enter_context(
            program([*line, "--health-port=0", "--require-policy=false"], log=logs / "operator.log")
        )
        stub = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60, trust_env=False))
        await until("the stub answers", lambda: answers(stub), seconds=20, every=0.1)
        kind = KIND(kinds.Options(interval))
        routes = Routes(kind)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        following = group.create_task(routes.follow(api))
        stack.callback(following.cancel)
        names = [
            (f"fleet-{number // AGENTS_PER_NAMESPACE:03d}", f"agent-{number:04d}")
            for number in range(rollouts)
        ]
        yield Fleet(api, stub, operator.pid, kind, routes, names, interval)


def _whole(seconds: float, interval: int) -> float:
    """At least so many seconds, in whole intervals."""
    return math.ceil(seconds / interval) * interval


async def measure(rollouts: int, *, interval: int, window: float, failing: int, burst: int) -> dict[str, Any]:
    """The whole measurement: make, hold, let some fail one by one, then some at once."""
    chance = random.Random(1)
    found: dict[str, Any] = {"rollouts": rollouts, "interval_seconds": interval, "cpus": os.cpu_count()}
    with folder("fleet") as logs:
        async with fleet(rollouts, interval, logs) as work:
            for name, step in (("serving_seconds", work.make), ("held_seconds", work.start)):
                began = time.monotonic()
                await step()
                found[name] = round(time.monotonic() - began, 1)
            await asyncio.sleep(max(20, 2 * interval))
            found["holding"] = await work.holding(window)
            found["one_by_one"] = await work.react(failing, spread=_whole(10, interval), chance=chance)
            found["at_once"] = await work.react(burst, spread=0, chance=chance)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--interval", type=int, default=10, help="seconds between two looks at the evidence")
    parser.add_argument(
        "--window", type=float, default=60, help="seconds over which the cost of holding is taken"
    )
    parser.add_argument(
        "--failing", type=int, default=40, help="candidates that fail, each at a moment of its own"
    )
    parser.add_argument("--burst", type=int, default=40, help="candidates that then fail at one moment")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(**vars(given))), indent=2))


if __name__ == "__main__":
    main()
