"""Requests to the API server, in two lanes: the urgent one never waits for the other.

The generated API classes and models aren't used: what is sent and read here are plain mappings, so a write costs one
serialization and the models are never imported. What is used of the official client is what is hard to get right:
kubeconfig files, certificates, exec plugins, and service account tokens that rotate.

Each lane has its own connection pool and its own bound on requests in flight, so the route write of a rollback never
stands behind a thousand status writes. While such writes are under way the others let them go first: forty candidates that
fail at one moment lose their traffic before anybody tells why. There is no limit on the rate: the API server's own fairness
decides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config.config_exception import ConfigException

from agentrollouts.kube.answers import RETRIED, failure, parsed, retry_after
from agentrollouts.ports import GoneError, TransientError

Lane = Literal["ordinary", "urgent"]
IN_FLIGHT: Mapping[Lane, int] = {"ordinary": 16, "urgent": 16}
"""Requests a lane has in flight at most; also the size of its connection pool. A write takes milliseconds, a new
connection's handshake about as long: more of them at once would make a burst slower."""
URGENT_FIRST = 1.0
"""Seconds an ordinary request lets urgent ones go before it, at most."""
ATTEMPTS = 2
"""Tries of one request: the scheduler's own backoff is for what takes longer."""
TIMEOUT = 5.0
"""Seconds one request may take from leaving the lane's queue, all tries and pauses included."""
PAUSE = 0.2
"""Seconds before the second try when the server names no other."""

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError, ConfigException)


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``path`` with its query string, and a body that JSON can carry."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    body: Any = None
    content_type: str = JSON

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


class Channel(Protocol):
    """What the lease, the events and the policies need of a connection."""

    async def send(self, request: Request, *, lane: Lane = "ordinary") -> Mapping[str, Any]:
        """The object the server answered with; raises the ports' four exceptions."""

    async def find(self, request: Request) -> Mapping[str, Any] | None:
        """The same, with None for what doesn't exist."""


async def load_configuration(kubeconfig: Path | None) -> Configuration:
    """Where the API server is and who we are: from a kubeconfig file, or from the pod's service account without one.

    Raises:
        ConfigException: the file or the service account's token isn't there or can't be understood.
    """
    from kubernetes.aio import config as untyped

    config: Any = untyped
    configuration = Configuration()
    if kubeconfig is None:
        config.load_incluster_config(client_configuration=configuration)
    else:
        await config.load_kube_config(
            config_file=str(kubeconfig), client_configuration=configuration, persist_config=False
        )
    return configuration


class Connection:
    """Sends requests and raises nothing but the ports' four exceptions."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        timeout: float = TIMEOUT,
        urgent_first: float = URGENT_FIRST,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        configuration.retries = None
        self._configuration = configuration
        self._timeout = timeout
        self._urgent_first = urgent_first
        self._pause = pause
        self._urgent = 0
        self._calm = asyncio.Event()
        self._rest: dict[Lane, Any] = {}
        self._slots = {lane: asyncio.Semaphore(limit) for lane, limit in IN_FLIGHT.items()}

    @classmethod
    async def open(cls, kubeconfig: Path | None) -> Self:
        """A connection from a kubeconfig file, or from inside a pod. Nothing is sent yet."""
        return cls(await load_configuration(kubeconfig))

    async def close(self) -> None:
        """Close the pools. Requests in flight fail."""
        for rest in self._rest.values():
            await rest.close()
        self._rest.clear()

    async def send(self, request: Request, *, lane: Lane = "ordinary") -> Mapping[str, Any]:
        """The object the server answered with.

        Raises:
            ConflictError: the object changed, or exists already.
            GoneError: the object, its kind or its namespace doesn't exist.
            TransientError: the server couldn't be reached or couldn't serve the request in time.
            TerminalError: the server refuses the request for good.
        """
        if lane == "ordinary":
            await self._let_urgent_go()
            return parsed(await self._in_turn(request, lane))
        self._urgent += 1
        self._calm.clear()
        try:
            return parsed(await self._in_turn(request, lane))
        finally:
            self._urgent -= 1
            if not self._urgent:
                self._calm.set()

    async def text(self, request: Request) -> str:
        """The answer as it came, for what is no object: a container's log. Raises as :meth:`send` does."""
        await self._let_urgent_go()
        return (await self._in_turn(request, "ordinary")).decode("utf-8", "replace")

    async def _let_urgent_go(self) -> None:
        if self._urgent:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._urgent_first):
                    await self._calm.wait()

    async def _in_turn(self, request: Request, lane: Lane) -> bytes:
        async with self._slots[lane]:
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._send(request, lane)
            except TimeoutError as error:
                raise TransientError(f"{request}: no answer within {self._timeout:g} s") from error

    async def find(self, request: Request) -> Mapping[str, Any] | None:
        """Like :meth:`send`, with None for what doesn't exist."""
        try:
            return await self.send(request)
        except GoneError:
            return None

    async def _send(self, request: Request, lane: Lane) -> bytes:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                status, headers, body = await self._exchange(request, lane)
            except _UNREACHABLE as error:
                if attempt == ATTEMPTS:
                    reason = str(error) or type(error).__name__
                    raise TransientError(f"{request}: API server not reachable: {reason}") from error
                await self._pause(PAUSE)
                continue
            if 200 <= status < 300:
                return body
            if status not in RETRIED or attempt == ATTEMPTS:
                raise failure(status, body, request=str(request))
            await self._pause(retry_after(headers, otherwise=PAUSE))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _exchange(self, request: Request, lane: Lane) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Accept": JSON, "Content-Type": request.content_type, "User-Agent": "agent-rollouts"}
        settings: Mapping[str, Any] = await self._configuration.auth_settings()
        for auth in settings.values():
            if auth["value"]:
                headers[auth["key"]] = auth["value"]
        response = await self._pool(lane).request(
            request.method,
            self._configuration.host + request.path,
            headers=headers,
            body=request.body,
            _request_timeout=aiohttp.ClientTimeout(
                total=self._timeout, sock_connect=self._timeout / ATTEMPTS
            ),
        )
        return response.status, response.headers, await response.read()

    def _pool(self, lane: Lane) -> Any:
        if lane not in self._rest:
            self._configuration.connection_pool_maxsize = IN_FLIGHT[lane]
            self._rest[lane] = RESTClientObject(self._configuration)
        return self._rest[lane]
