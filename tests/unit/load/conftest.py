from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import uvicorn

from agentrollouts_kit import Identity, Reporter
from support_agent.agent import SupportAgent
from support_agent.outcomes import TOPICS, reporting
from support_agent.settings import Settings
from support_agent.tools import TOOL_NAMES
from support_agent.web import Web

DEADLINE_SECONDS = 30.0


class FakeRouter:
    """Does to a request what the real router does: sets the upstream headers and marks every response."""

    def __init__(self, app: Any, version: str) -> None:
        self.app = app
        self.version = version
        self.cohort = "stable"
        self.minted = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        key = headers.get(b"x-user-id") or headers.get(b"x-agent-session")
        marks = [(b"x-routed-version", self.version.encode()), (b"x-agent-cohort", self.cohort.encode())]
        if key is None:
            self.minted += 1
            key = b"minted-%d" % self.minted
            marks.append((b"x-agent-session", key))
        upstream = [*scope["headers"], (b"x-agent-session", key), (b"x-agent-cohort", self.cohort.encode())]

        async def marked(message: Any) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message = message | {"headers": [*message.get("headers", ()), *marks]}
            await send(message)

        await self.app(scope | {"headers": upstream}, receive, marked)


class Site:
    """A real agent behind the fake router, on a real port."""

    def __init__(self, url: str, reporter: Reporter, router: FakeRouter) -> None:
        self.url = url
        self.reporter = reporter
        self.router = router

    def outcomes(self) -> dict[tuple[str, str], int]:
        """What the agent reports, by (cohort, outcome), zeros left out."""
        families = {family.name: family for family in self.reporter.collect()}
        return {
            (sample.labels["cohort"], sample.labels["outcome"]): int(sample.value)
            for sample in families["agent_tasks"].samples
            if sample.value
        }

    def total(self, name: str) -> float:
        families = {family.name: family for family in self.reporter.collect()}
        return sum(sample.value for sample in families[name].samples)


Serve = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def _serve(**env: str) -> AsyncIterator[Site]:
        settings = Settings.from_env({"SUPPORT_LATENCY_MS": "2", **env})
        identity = Identity(agent="support", version=settings.version, digest="0" * 12)
        reporter = Reporter(identity=identity, tools=TOOL_NAMES, topics=TOPICS, metrics_port=0, state_dir="")
        router = FakeRouter(
            reporting(Web(SupportAgent(settings), settings).app(), reporter), settings.version
        )
        config = uvicorn.Config(
            router, port=0, log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=5
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve())
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not server.started:  # noqa: ASYNC110 - a condition is polled, with a deadline
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(f"http://127.0.0.1:{port}", reporter, router)
        server.should_exit = True
        await running
        reporter.close()

    return _serve
