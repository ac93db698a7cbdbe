"""Envoy's admin interface over its socket file, as little of it as the sidecar needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Protocol, Self

import aiohttp

from agentrollouts.dataplane.publish import Versions
from agentrollouts.dataplane.resources import CDS, LDS

_ROUTES = re.compile(r"\.rds\.(rds-\d+)\.version_text$")


class Proxy(Protocol):
    """The proxy as the sidecar sees it."""

    async def versions(self) -> Versions | None:
        """The version it runs of each file, or None when it doesn't answer."""

    async def ready(self) -> bool:
        """Whether it takes requests."""


class Envoy:
    """`Proxy` over the admin socket. Every call answers within a second; a failure is an answer (None, False)."""

    def __init__(self, socket: Path) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(socket)), timeout=aiohttp.ClientTimeout(total=1)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def versions(self) -> Versions | None:
        """See `Proxy`."""
        text = await self.ask("GET", "/stats?filter=version_text&type=TextReadouts&format=json")
        return None if text is None else parse_versions(text)

    async def ready(self) -> bool:
        """See `Proxy`."""
        return await self.ask("GET", "/ready") is not None

    async def active_requests(self) -> int | None:
        """Requests and upgraded connections under way on the agents' listeners; None when Envoy doesn't answer."""
        text = await self.ask("GET", "/stats?filter=^http\\..*/.*\\.downstream_rq_active$&format=json")
        return (
            None
            if text is None
            else sum(item["value"] for item in json.loads(text)["stats"] if "value" in item)
        )

    async def start_draining(self) -> bool:
        """Fail the readiness probe and ask callers to close their connections; new requests are still served."""
        failed = await self.ask("POST", "/healthcheck/fail")
        return (
            failed is not None and await self.ask("POST", "/drain_listeners?graceful&skip_exit") is not None
        )

    async def ask(self, method: str, path: str) -> str | None:
        """The body of a 200 answer, else None."""
        try:
            async with self._session.request(method, f"http://envoy{path}") as response:
                body = await response.text()
                return body if response.status == 200 else None
        except (aiohttp.ClientError, OSError):
            return None


def parse_versions(text: str) -> dict[str, str]:
    """File stem to version, from the text readouts of the admin interface."""
    versions: dict[str, str] = {}
    for item in json.loads(text).get("stats", ()):
        name, value = item.get("name", ""), item.get("value", "")
        if found := _ROUTES.search(name):
            versions[found[1]] = value
        elif name == "cluster_manager.cds.version_text":
            versions[CDS.removesuffix(".json")] = value
        elif name == "listener_manager.lds.version_text":
            versions[LDS.removesuffix(".json")] = value
    return versions
