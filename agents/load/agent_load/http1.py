"""The HTTP/1.1 that a load needs and no more: keep-alive connections, bodies with a length or in chunks, no redirects.

A general client costs more CPU per request than the router and the agent behind it: with 180 requests in flight one
was measured at 5 ms, this one at 0.4 ms. On a machine that runs the whole cluster the load must not be the load.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from agent_load.clock import now

_IDLE_SECONDS: Final = 30.0
_MAX_BODY: Final = 4 * 1024 * 1024


class TransportError(Exception):
    """No whole response came; `kind` is connect (nobody there) or reset (the connection broke)."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(slots=True)
class Response:
    """Header names are lower-case; `first_byte` is when the head had come, in seconds since the epoch."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    first_byte: float = math.nan
    body: bytearray = field(default_factory=bytearray)


@dataclass(slots=True, eq=False)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float


class Pool:
    """Connections to one address, shared by all users: what is idle is used again, the latest first."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or 80
        self._authority = parts.netloc
        self._prefix = parts.path.rstrip("/")
        self._idle: list[_Connection] = []

    async def post(self, path: str, *, headers: Mapping[str, str], body: bytes, response: Response) -> None:
        """Send a request and fill the response as it comes, so that what came before a fault is known.

        Raises TransportError. A cancelled request closes its connection.
        """
        connection = await self._take()
        whole = False
        try:
            connection.writer.write(self._head(path, headers, len(body)) + body)
            await _read(connection.reader, response)
            whole = True
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise TransportError("reset") from error
        finally:
            if whole and response.headers.get("connection", "").lower() != "close":
                connection.idle_since = now()
                self._idle.append(connection)
            else:
                connection.writer.close()

    def close(self) -> None:
        """Hang up what is idle."""
        for connection in self._idle:
            connection.writer.close()
        self._idle.clear()

    async def _take(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and now() - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.writer.close()
        try:
            return _Connection(*await asyncio.open_connection(self._host, self._port), now())
        except OSError as error:
            raise TransportError("connect") from error

    def _head(self, path: str, headers: Mapping[str, str], length: int) -> bytes:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (
            f"POST {self._prefix}{path} HTTP/1.1\r\nhost: {self._authority}\r\ncontent-type: application/json\r\n"
            f"content-length: {length}\r\n{fields}\r\n"
        ).encode("latin-1")


async def _read(reader: asyncio.StreamReader, response: Response) -> None:
    """Read one response. Raises ValueError on what is no HTTP/1.1, or on a body above 4 MiB."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    response.first_byte = now()
    status, *lines = head.rstrip().split("\r\n")
    response.status = int(status.partition(" ")[2][:3])
    for line in lines:
        name, _, value = line.partition(":")
        response.headers[name.strip().lower()] = value.strip()
    if response.headers.get("transfer-encoding", "").lower() == "chunked":
        await _read_chunks(reader, response.body)
    else:
        length = int(response.headers.get("content-length", "0"))
        _check_size(length)
        response.body += await reader.readexactly(length)


async def _read_chunks(reader: asyncio.StreamReader, body: bytearray) -> None:
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        _check_size(len(body) + size)
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # A trailer.


def _check_size(size: int) -> None:
    if not 0 <= size <= _MAX_BODY:
        raise ValueError(f"expected a body of at most {_MAX_BODY} bytes; got {size}")
