"""A small HTTP port to read a running load from outside its pod: no framework, since it answers a handful of paths."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Final
from urllib.parse import parse_qs, urlsplit

from agent_load.load import Load
from agent_load.queries import summary

_PAGE: Final = 10_000
_MAX_LINES: Final = 100
_READ_SECONDS: Final = 10.0
Answer = tuple[int, str, str]
"""Status, content type, body."""


class Control:
    """GET /summary, GET /requests?since=<row>&limit=<rows> (JSON lines), GET /healthz, POST /stop, POST /quit.

    `stop` ends the load and keeps the ledger readable; `quit` lets the process end.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self.quit = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self, port: int, host: str = "0.0.0.0") -> int:  # noqa: S104 - reached from outside the pod
        """Listen; returns the port, which port 0 leaves to the system."""
        self._server = await asyncio.start_server(self._serve, host, port)
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def request_quit(self) -> None:
        """Stop the load, and the process with it."""
        self._load.request_stop()
        self.quit.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                method, target = await _read_head(reader)
            status, kind, body = self._answer(method, target)
            payload = body.encode()
            head = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {len(payload)}\r\nconnection: close"
            writer.write(f"{head}\r\n\r\n".encode() + payload)
            await writer.drain()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            pass  # The caller went away or speaks no HTTP: there is nobody to tell.
        finally:
            writer.close()

    def _answer(self, method: str, target: str) -> Answer:
        url = urlsplit(target)
        routes: dict[tuple[str, str], Callable[[dict[str, list[str]]], Answer]] = {
            ("GET", "/healthz"): lambda _: _json({"status": "alive"}),
            ("GET", "/summary"): self._summary,
            ("GET", "/requests"): self._requests,
            ("POST", "/stop"): self._stop,
            ("POST", "/quit"): self._quit,
        }
        handler = routes.get((method, url.path))
        if handler is None:
            known = ", ".join(f"{verb} {path}" for verb, path in routes)
            return _json({"error": f"expected one of {known}; got {method} {url.path}"}, status=404)
        return handler(parse_qs(url.query))

    def _summary(self, _: dict[str, list[str]]) -> Answer:
        return _json(
            {"running": self._load.running, "live": asdict(self._load.counters), **summary(self._load.ledger)}
        )

    def _requests(self, query: dict[str, list[str]]) -> Answer:
        since, limit = (
            query.get(name, [default])[0] for name, default in (("since", "0"), ("limit", str(_PAGE)))
        )
        if not (since.isdigit() and limit.isdigit()):
            return _json(
                {"error": f"since and limit must be numbers of rows; got {since!r} and {limit!r}"}, status=400
            )
        rows = self._load.ledger.rows(int(since), int(since) + min(int(limit), _PAGE))
        return 200, "application/x-ndjson", "".join(json.dumps(row.to_json()) + "\n" for row in rows)

    def _stop(self, _: dict[str, list[str]]) -> Answer:
        self._load.request_stop()
        return _json({"status": "stopping"}, status=202)

    def _quit(self, _: dict[str, list[str]]) -> Answer:
        self.request_quit()
        return _json({"status": "quitting"}, status=202)


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str]:
    line = (await reader.readuntil(b"\r\n")).decode("latin-1")
    for _ in range(_MAX_LINES):
        if await reader.readuntil(b"\r\n") == b"\r\n":
            break
    method, target, _ = line.split(" ", 2)
    return method, target


def _json(body: dict[str, object], *, status: int = 200) -> Answer:
    return status, "application/json", json.dumps(body) + "\n"
