"""Probes and metrics of the sidecar."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from agentrollouts.dataplane.telemetry import Telemetry

Probe = Callable[[], Awaitable[str]]
"""Answers with what is missing; empty means all is well."""


def application(*, telemetry: Telemetry, ready: Probe, healthy: Probe) -> web.Application:
    """The three paths; a failing probe says why."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(telemetry.registry), headers={"content-type": CONTENT_TYPE_LATEST}
        )

    def probe(ask: Probe) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            missing = await ask()
            return web.Response(text=f"{missing or 'ok'}\n", status=503 if missing else 200)

        return answer

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/readyz", probe(ready))
    app.router.add_get("/healthz", probe(healthy))
    return app


async def serve(app: web.Application, *, address: str, port: int) -> web.AppRunner:
    """Start serving; the caller cleans the runner up."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    return runner
