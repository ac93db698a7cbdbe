"""The sources over HTTP, against a server that behaves as an API server may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientTimeout, web
from kubernetes.aio import client

from agentrollouts.dataplane import kube
from agentrollouts.dataplane.watch import ExpiredError, Listing, SilentError, SourceError


class Server:
    """Answers what the test put there and remembers what it was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.lines: list[Any] = []
        self.status = 200
        self.hang = False
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.asked.append((request.path, query))
        if self.status != 200:
            return web.json_response({"kind": "Status", "message": "no"}, status=self.status)
        if "watch" not in query:
            return web.json_response(self.pages[query.get("continue", "")])
        response = web.StreamResponse()
        await response.prepare(request)
        for line in self.lines:
            await response.write(json.dumps(line).encode() + b"\n")
        if self.hang:
            await request.content.read()
            await asyncio.sleep(30)
        return response


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def source(server) -> AsyncIterator[kube.KubeSource]:
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.port}"
    api = client.ApiClient(configuration)
    api.rest_client = kube._KeptAlive(configuration)
    yield kube.sources(api, "")[1]
    await api.close()


def obj(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


@pytest.mark.asyncio
async def test_a_list_comes_page_by_page(server, source):
    server.pages = {
        "": {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [obj("a", "1")]},
        "more": {"metadata": {"resourceVersion": "7"}, "items": [obj("b", "2")]},
    }
    assert await source.list_all() == Listing([obj("a", "1"), obj("b", "2")], "7")
    path, query = server.asked[0]
    assert path == "/apis/discovery.k8s.io/v1/endpointslices"
    assert query == {"labelSelector": "agentrollouts.io/agent", "limit": "500"}


@pytest.mark.asyncio
async def test_a_watch_yields_events_and_bookmarks(server, source):
    server.lines = [{"type": "ADDED", "object": obj("a", "8")}, {"type": "BOOKMARK", "object": obj("", "9")}]
    events = [event async for event in source.watch("7")]
    assert [(event.kind, event.version) for event in events] == [("ADDED", "8"), ("BOOKMARK", "9")]
    query = server.asked[0][1]
    assert query["resourceVersion"] == "7"
    assert query["allowWatchBookmarks"] == "true"
    assert query["timeoutSeconds"] == "300"


@pytest.mark.asyncio
async def test_an_expired_version_by_status_and_by_event(server, source):
    server.lines = [{"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}]
    with pytest.raises(ExpiredError, match="too old"):
        [event async for event in source.watch("7")]
    server.status = 410
    with pytest.raises(ExpiredError):
        [event async for event in source.watch("7")]


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [403, 404, 429, 500])
async def test_a_refusal_is_an_error_that_names_itself(server, source, status):
    server.status = status
    with pytest.raises(SourceError, match=f"expected 200, got {status}"):
        await source.list_all()


@pytest.mark.asyncio
async def test_silence_is_noticed(server, source, monkeypatch):
    monkeypatch.setattr(kube, "_WATCH_TIMEOUT", ClientTimeout(total=10, sock_read=0.1))
    server.hang = True
    with pytest.raises(SilentError, match="nothing heard"):
        [event async for event in source.watch("7")]


@pytest.mark.asyncio
async def test_a_server_that_is_gone_is_an_error(source):
    source._api.configuration.host = "http://127.0.0.1:1"
    with pytest.raises(SourceError, match="doesn't answer"):
        await source.list_all()


@pytest.mark.asyncio
async def test_a_namespace_narrows_the_path(server, source):
    routes, _ = kube.sources(source._api, "shop")
    server.pages = {"": {"metadata": {"resourceVersion": "1"}, "items": []}}
    await routes.list_all()
    assert server.asked[0][0] == "/apis/agentrollouts.io/v1alpha1/namespaces/shop/agentroutes"
