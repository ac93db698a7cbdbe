"""How a session talks to the agent: plain requests, event streams, or one WebSocket.

Nothing here raises on a fault of the other side: a fault is a finding.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from agent_load.clock import now
from agent_load.exchange import SESSION_END_HEADER, SESSION_HEADER, Received, Sent
from agent_load.http1 import Pool, Response, TransportError
from agent_load.plan import LoadPlan

_PATH: Final = "/v1/tasks"


class Connection(Protocol):
    """One session's way to the agent."""

    async def open(self) -> float | None:
        """Get ready; when the route was chosen by that, or None when each task is routed by itself."""

    async def ask(self, sent: Sent) -> Received:
        """Send a task and wait for its end."""

    async def close(self) -> None:
        """Hang up."""


class HttpConnection:
    """Plain requests or event streams, over connections shared by all users, as behind a company's proxy."""

    def __init__(self, pool: Pool, headers: dict[str, str], plan: LoadPlan) -> None:
        self._pool = pool
        self._headers = headers
        self._plan = plan

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do: the connections are everybody's."""

    async def ask(self, sent: Sent) -> Received:
        """One request."""
        headers = {**self._headers, **({SESSION_END_HEADER: "true"} if sent.ends_session else {})}
        path = _PATH
        if sent.mode == "sse":
            headers["accept"] = "text/event-stream"
            path += f"?chunks={self._plan.sse_chunks}&interval_ms={self._plan.sse_interval * 1000:g}"
        response, error = Response(), ""
        try:
            await self._pool.post(
                path, headers=headers, body=json.dumps(sent.body()).encode(), response=response
            )
        except TransportError as fault:
            error = fault.kind
        received = Received(
            first_byte=response.first_byte,
            status=response.status,
            headers=response.headers,
            text=response.body.decode(errors="replace"),
            error=error,
        )
        self._keep_minted_key(received)
        if sent.mode == "sse" and received.status == 200 and not received.error:
            _take_last_event(received)
        return received

    def _keep_minted_key(self, received: Received) -> None:
        key = (received.headers or {}).get(SESSION_HEADER)
        if key and not self._plan.key_header:
            self._headers[SESSION_HEADER] = key


class WebSocketConnection:
    """One WebSocket for a whole session: routed once, at its handshake."""

    def __init__(self, headers: dict[str, str], plan: LoadPlan) -> None:
        self._headers = headers
        self._plan = plan
        self._socket: ClientConnection | None = None
        self._refusal = Received(error="closed")

    async def open(self) -> float:
        """Shake hands; a refusal is what every task then gets."""
        routed = now()
        url = "ws" + self._plan.url.removeprefix("http").rstrip("/") + "/v1/chat"
        try:
            self._socket = await connect(
                url, additional_headers=self._headers, open_timeout=self._plan.timeout
            )
        except InvalidStatus as error:
            self._refusal = Received(status=error.response.status_code, headers=error.response.headers)
        except TimeoutError:
            self._refusal = Received(error="timeout")
        except (OSError, InvalidHandshake):
            self._refusal = Received(error="connect")
        return routed

    async def close(self) -> None:
        """Say goodbye."""
        if self._socket is not None:
            await self._socket.close()

    async def ask(self, sent: Sent) -> Received:
        """One message there, one back."""
        if self._socket is None or self._socket.response is None:
            return self._refusal
        received = Received(headers=self._socket.response.headers)
        try:
            async with asyncio.timeout(self._plan.timeout):
                await self._socket.send(json.dumps(sent.body()))
                received.text = str(await self._socket.recv())
            received.status, received.first_byte = 101, now()
        except TimeoutError:
            received.error = "timeout"
        except ConnectionClosed:
            received.error = "closed"
        return received


def _take_last_event(received: Received) -> None:
    """An event stream is complete with its `done` event only; an `error` event is the agent's own failure."""
    last = received.text.rstrip().rpartition("\n\n")[2]
    name, _, data = last.partition("\n")
    if name == "event: error":
        received.status = 500
    elif name != "event: done":
        received.error = "truncated"
    received.text = data.removeprefix("data: ")
