"""Events a person sees with ``kubectl describe``: rate-limited, sent in the background, never in the way.

They go to ``events.k8s.io/v1``; kubectl shows those beside the older ones, since both are views of the same objects.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from agentrollouts.kube.connection import Channel, Request
from agentrollouts.kube.resources import collection_path
from agentrollouts.ports import ConflictError, GoneError, Reference, TerminalError, TransientError

CONTROLLER = "agentrollouts.io/operator"
QUIET = timedelta(minutes=5)
"""The same message about the same object is sent once in this time."""
BURST = 10
"""Different messages with one reason about one object in that time; more say nothing a person would read."""
REMEMBERED = 10_000
"""(object, reason) pairs remembered; the longest untouched are forgotten first."""
WAITING = 1_000
"""Events that wait to be sent; more are dropped and counted."""
MAX_NOTE = 1024
"""Characters of a message that the API accepts."""
DRAIN = 3.0
"""Seconds that closing waits for events not yet sent."""

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time of day, timezone-aware."""
    return datetime.now(UTC)


@dataclass(slots=True)
class RateLimit:
    """Decides which events are worth sending. Memory is bounded by :data:`REMEMBERED` times :data:`BURST`."""

    _sent: OrderedDict[tuple[Reference, str], deque[tuple[datetime, str]]] = field(
        default_factory=OrderedDict
    )

    def allows(self, regarding: Reference, reason: str, message: str, *, now: datetime) -> bool:
        """Whether to send this one; remembers it if so."""
        recent = self._sent.setdefault((regarding, reason), deque())
        self._sent.move_to_end((regarding, reason))
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        while recent and now - recent[0][0] >= QUIET:
            recent.popleft()
        if len(recent) >= BURST or any(message == earlier for _, earlier in recent):
            return False
        recent.append((now, message))
        return True


class EventRecorder:
    """Takes events and sends them one after another. :meth:`record` never waits and never raises."""

    def __init__(self, connection: Channel, *, now: Callable[[], datetime] = utc_now) -> None:
        self._connection = connection
        self._now = now
        self._limit = RateLimit()
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(WAITING)
        self._worker: asyncio.Task[None] | None = None
        self.dropped = 0
        """Events not sent because too many waited."""

    def record(
        self, regarding: Reference, *, reason: str, message: str, type: Literal["Normal", "Warning"]
    ) -> None:
        """Send the event soon, unless it was said lately."""
        note = message[:MAX_NOTE]
        now = self._now()
        if not self._limit.allows(regarding, reason, note, now=now):
            return
        try:
            self._queue.put_nowait(event_of(regarding, reason=reason, note=note, type=type, now=now))
        except asyncio.QueueFull:
            self.dropped += 1
            _log.warning("event dropped, %d wait already: %s %s", WAITING, reason, note)
            return
        if self._worker is None:
            self._worker = asyncio.create_task(self._send_all(), name="events")

    async def close(self) -> None:
        """Send what waits, for :data:`DRAIN` seconds at most."""
        if self._worker is None:
            return
        try:
            async with asyncio.timeout(DRAIN):
                await self._queue.join()
        except TimeoutError:
            _log.warning("%d events were not sent before the shutdown", self._queue.qsize())
        self._worker.cancel()
        await asyncio.wait([self._worker])
        self._worker = None

    async def _send_all(self) -> None:
        while True:
            event = await self._queue.get()
            path = collection_path(
                event["apiVersion"], event["kind"], namespace=event["metadata"]["namespace"]
            )
            try:
                await self._connection.send(Request("POST", path, event))
            except (ConflictError, GoneError, TransientError, TerminalError) as error:
                _log.warning("event not sent: %s: %s (%s)", event["reason"], event["note"], error)
            finally:
                self._queue.task_done()


def event_of(
    regarding: Reference, *, reason: str, note: str, type: Literal["Normal", "Warning"], now: datetime
) -> dict[str, Any]:
    """The Event object. Cluster-scoped objects' events live in ``default``, as the API demands."""
    namespace = regarding.namespace or "default"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{regarding.name[:230]}.{secrets.token_hex(8)}", "namespace": namespace},
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": socket.gethostname()[:128],
        "action": reason,
        "reason": reason,
        "type": type,
        "note": note,
        "regarding": {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": regarding.uid,
        },
    }
