"""The preStop hook: leave the Service, let callers go, wait for what is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

LINGER = 5.0
"""Seconds for every node to learn that this pod is out of the Service; until then new requests still come and
are served."""
POLL = 0.2


class Draining(Protocol):
    """What draining needs of Envoy."""

    async def start_draining(self) -> bool:
        """Leave the Service; False when nobody answers."""

    async def active_requests(self) -> int | None:
        """Requests under way; None when nobody answers."""


async def drain(
    proxy: Draining,
    *,
    deadline: float,
    clock: Callable[[], float],
    linger: float = LINGER,
    poll: float = POLL,
) -> bool:
    """Wait until no request is under way, at most ``deadline`` seconds; True if it came to that.

    An Envoy that doesn't answer has nothing left to drain.
    """
    start = clock()
    if not await proxy.start_draining():
        log.warning("drain_no_envoy")
        return True
    while True:
        active = await proxy.active_requests()
        waited = clock() - start
        if active is None or (active == 0 and waited >= linger):
            log.info("drained", seconds=round(waited, 1))
            return True
        if waited >= deadline:
            log.warning("drain_deadline", active=active, seconds=round(waited, 1))
            return False
        await asyncio.sleep(poll)
