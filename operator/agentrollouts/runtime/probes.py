"""/healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

LAG_LIMIT = 10.0
"""Seconds the event loop may have been held up."""
OVERDUE_LIMIT = 120.0
"""Seconds a key may be past its moment; more means that nothing is looked at any more."""
BEAT = 1.0

Probe = Callable[[], str]
"""Says what is wrong; empty means all is well."""


@dataclass(slots=True)
class Heartbeat:
    """How late the event loop is. Its own beat shows it: a held-up loop beats late."""

    lag: float = 0.0

    async def run(self) -> None:
        """Beat for ever."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(BEAT)
            self.lag = loop.time() - began - BEAT


@dataclass(slots=True)
class Health:
    """What the probes look at. A standby is ready: it is ready to take over."""

    heartbeat: Heartbeat
    overdue: Callable[[], float]
    state: str = "starting"
    """starting, standby, listing, leading or stopping."""

    def alive(self) -> str:
        """Why the process should be restarted."""
        if self.heartbeat.lag > LAG_LIMIT:
            return f"the event loop was held up for {self.heartbeat.lag:.1f} s"
        overdue = self.overdue()
        if self.state == "leading" and overdue > OVERDUE_LIMIT:
            return f"a key has been due for {overdue:.0f} s and nobody looks at it"
        return ""

    def ready(self) -> str:
        """Why the process isn't of use yet."""
        return "" if self.state in ("standby", "leading") else self.state


def application(registry: CollectorRegistry, health: Health) -> web.Application:
    """The three paths; a failing probe says why."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    def probe(ask: Probe) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            wrong = ask()
            return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

        return answer

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", probe(health.alive))
    app.router.add_get("/readyz", probe(health.ready))
    return app


async def serve(app: web.Application, *, port: int) -> web.AppRunner:
    """Start serving on all addresses; the caller cleans the runner up."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner
