"""A cluster of its own to measure on: a real API server with its controllers, and kwok's fake nodes. Gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from hack.apiserver import ApiServer, running_apiserver
from hack.cluster import kwok, tools
from hack.cluster.settings import REPOSITORY, read_settings

Object = dict[str, Any]
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
NODES = 4
ATTEMPTS = 10
OURS = "/apis/agentrollouts.io/v1alpha1"


class Api:
    """A few plain requests as one user; a refusal is an exception with the server's words."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._turn = asyncio.Semaphore(12)

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, server: ApiServer) -> AsyncIterator[Api]:
        """The API as the server's administrator."""
        trusted = ssl.create_default_context(cafile=str(server.authority))
        headers = {"Authorization": f"Bearer {server.token}"}
        async with httpx.AsyncClient(
            base_url=server.url, verify=trusted, headers=headers, timeout=60, trust_env=False
        ) as client:
            yield cls(client)

    async def request(
        self, method: str, path: str, body: object = None, *, kind: str = "application/json"
    ) -> Any:
        content, headers = None if body is None else json.dumps(body), {"Content-Type": kind}
        for attempt in range(1, ATTEMPTS + 1):
            async with self._turn:
                response = await self._client.request(method, path, content=content, headers=headers)
            # A kind that was defined a moment ago answers so until its storage is ready.
            if response.status_code != 429 or attempt == ATTEMPTS:
                break
            await asyncio.sleep(1.0)
        if response.is_error:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json()

    async def get(self, path: str) -> Any:
        return await self.request("GET", path)

    async def text(self, path: str) -> str:
        return (await self._client.get(path)).raise_for_status().text

    async def create(self, path: str, body: Object) -> Any:
        return await self.request("POST", path, body)

    async def merge(self, path: str, patch: Object) -> Any:
        return await self.request("PATCH", path, patch, kind=MERGE)

    async def apply(self, path: str, body: Object) -> Any:
        return await self.request("PATCH", f"{path}?fieldManager=bench&force=true", body, kind=APPLY)

    async def watch(self, path: str, version: str) -> AsyncIterator[tuple[float, str, Object]]:
        """(arrival in seconds since the epoch, type, object), until the server ends it."""
        query = f"?watch=1&resourceVersion={version}"
        async with self._client.stream("GET", path + query, timeout=httpx.Timeout(60, read=None)) as response:
            async for line in response.aiter_lines():
                event = json.loads(line)
                yield time.time(), event["type"], event["object"]


@contextlib.contextmanager
def program(
    arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process for as long as the context lasts."""
    guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    with log.open("wb") as out:
        child = subprocess.Popen(
            [*guard, *arguments],
            stdout=out,
            stderr=out,
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


async def until(what: str, check: Any, *, seconds: float, every: float = 0.5) -> None:
    """Wait until ``await check()`` is true."""
    end = time.monotonic() + seconds
    while not await check():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain for: {what}")
        await asyncio.sleep(every)


async def install_definitions(api: Api) -> None:
    """The committed CustomResourceDefinitions, served."""
    kinds = set()
    for file in sorted((REPOSITORY / "crds").glob("*.yaml")):
        body = yaml.safe_load(file.read_text(encoding="utf-8"))
        kinds.add(body["spec"]["names"]["kind"])
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + body["metadata"]["name"]
        await api.apply(path, body)

    async def served() -> bool:
        try:
            return kinds <= {each["kind"] for each in (await api.get(OURS))["resources"]}
        except RuntimeError:
            return False

    await until("the definitions are served", served, seconds=30)


@contextlib.asynccontextmanager
async def cluster(logs: Path, *, nodes: int = NODES) -> AsyncIterator[tuple[ApiServer, Api]]:
    """API server, controllers, kwok and ``nodes`` fake nodes."""
    settings = read_settings(os.environ)
    kwok_program = tools.program_path(settings, "kwok")
    if not kwok_program.exists():
        tools.build(settings, "kwok", log=logs / "build-kwok.log")
    with running_apiserver(with_controller_manager=True) as server:
        stages = settings.repository / kwok.STAGES
        line = kwok.command_line(kwok_program, kubeconfig=server.kubeconfig, stages=stages)
        async with Api.to(server) as api:
            await install_definitions(api)
            with program(line, log=logs / "kwok.log"):
                for number in range(nodes):
                    node: Any = kwok.fake_node(number)
                    for room in node["status"].values():
                        room["pods"] = "100000"
                    await api.create("/api/v1/nodes", node)
                yield server, api


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """A temporary folder for logs; shown when something goes wrong."""
    path = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    try:
        yield path
    except BaseException:
        print(f"logs are kept in {path}")
        raise
    shutil.rmtree(path)
