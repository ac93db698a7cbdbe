"""List and watch, so that nothing is missed and silence is noticed.

The port is `Source`; this file decides when to list again, when to resume and how long to wait, and tests
drive it with sources held in memory.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from agentrollouts.dataplane.telemetry import Telemetry
from agentrollouts.dataplane.world import Object

log = structlog.get_logger(__name__)

BACKOFF_FIRST, BACKOFF_LAST = 0.2, 10.0
"""Seconds before the second and the last attempts, halved at random so that many routers don't come back
together."""


class SourceError(Exception):
    """The server couldn't be asked, or refused; try again later."""


class ExpiredError(SourceError):
    """The server no longer knows this resource version (410): list again."""


class SilentError(SourceError):
    """A stream on which not even a bookmark came for too long: resume on another connection."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects, and the resource version from which a watch misses nothing."""

    objects: Sequence[Object]
    version: str


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch. A bookmark's object carries a resource version and nothing else."""

    kind: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Object

    @property
    def version(self) -> str:
        """The resource version after this event."""
        return str(self.object["metadata"]["resourceVersion"])


class Source(Protocol):
    """One resource of the API server, in one namespace or (empty) in all of them."""

    resource: str
    namespace: str

    async def list_all(self) -> Listing:
        """Everything there is. Raises SourceError."""

    def watch(self, version: str) -> AsyncIterator[Event]:
        """Changes after a version; ends when the server's time is up. Raises ExpiredError, SilentError, SourceError."""


class Sink(Protocol):
    """Where the objects of a source go."""

    def replace(self, listing: Sequence[Object], /) -> None:
        """A complete list: what it doesn't name is gone."""

    def put(self, obj: Object, /) -> None:
        """An added or changed object."""

    def drop(self, obj: Object, /) -> None:
        """A deleted object."""


class Follower:
    """Keeps a sink equal to a source, for ever. An unreachable server changes nothing in the sink."""

    def __init__(
        self, source: Source, sink: Sink, *, telemetry: Telemetry, clock: Callable[[], float]
    ) -> None:
        self.synced = False
        self.heard_at = clock()
        self._source = source
        self._sink = sink
        self._telemetry = telemetry
        self._clock = clock
        self._version = ""
        self._failures = 0

    async def run(self) -> None:
        """Never returns; anything but a SourceError is a defect and ends the process."""
        while True:
            heard = self.heard_at
            try:
                await self._round()
            except SourceError as error:
                self._count(error)
            # A watch that ended in peace and brought something is no failure; one that ended at once would
            # spin.
            self._failures = 0 if self.heard_at > heard else self._failures + 1
            await asyncio.sleep(backoff(self._failures, random.random()))  # noqa: S311  jitter, not a secret

    async def _round(self) -> None:
        if not self._version:
            listing = await self._source.list_all()
            self._sink.replace(listing.objects)
            self._heard(listing.version)
            self.synced = True
        async for event in self._source.watch(self._version):
            if event.kind == "DELETED":
                self._sink.drop(event.object)
            elif event.kind != "BOOKMARK":
                self._sink.put(event.object)
            self._heard(event.version)

    def _heard(self, version: str) -> None:
        self._version = version
        self.heard_at = self._clock()
        self._telemetry.last_event.labels(self._source.resource).set_to_current_time()

    def _count(self, error: SourceError) -> None:
        reason = {ExpiredError: "expired", SilentError: "silent"}.get(type(error), "error")
        if isinstance(error, ExpiredError):
            self._version = ""
        self._telemetry.watch_restarts.labels(self._source.resource, reason).inc()
        log.warning("watch_restarts", resource=self._source.resource, reason=reason, error=str(error))


def backoff(failures: int, jitter: float) -> float:
    """Seconds to wait after so many fruitless rounds; ``jitter`` in [0, 1) takes off up to a half."""
    if failures <= 0:
        return 0.0
    return float(min(BACKOFF_LAST, BACKOFF_FIRST * 2 ** min(failures - 1, 10)) * (1 - jitter / 2))
