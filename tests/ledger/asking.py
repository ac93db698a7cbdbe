"""One request to the ledger's application, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
from starlette.applications import Starlette


def exchange(
    app: Starlette, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ledger") as client:
            return await client.request(method, path, content=content, headers=dict(headers))

    return asyncio.run(ask())
