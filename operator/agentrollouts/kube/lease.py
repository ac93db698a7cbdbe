"""Which of several operators acts: the holder of a Lease, and for how long it may believe so.

Others take over when the Lease hasn't changed for its duration on their own clock, so clocks needn't agree. A holder stops
earlier, after the deadline without a renewal: there is never a moment with two that both believe. A paused holder (SIGSTOP,
a frozen node) may still have a write under way when it wakes; the ``epoch`` it carries is smaller than its successor's,
and readers of routes ignore it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agentrollouts.kube.connection import Channel, Request
from agentrollouts.kube.events import utc_now
from agentrollouts.kube.resources import collection_path, object_path
from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError

_API, _KIND = "coordination.k8s.io/v1", "Lease"
_EPOCH_ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)

_log = logging.getLogger(__name__)


def fresh_epoch(now: datetime) -> int:
    """The epoch of a first term: seconds since 2026.

    Terms count up from here by one, slower than time passes, so a Lease that was deleted and made again starts above all
    its terms before, and readers don't take its holder for an old one. Fits 32 bits until 2094.
    """
    return max(1, int((now - _EPOCH_ORIGIN).total_seconds()))


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds. ``deadline`` must be smaller than ``duration``: the holder has to stop before others start."""

    duration: int = 15
    deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.retry < self.deadline < self.duration:
            raise ValueError(f"lease times must be retry < deadline < duration, not {self}")


class Lease:
    """One candidate for leadership. ``identity`` must be unique for each process, not only for each pod."""

    def __init__(
        self,
        connection: Channel,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes | None = None,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._namespace, self._name, self._identity = namespace, name, identity
        self._times = times or LeaseTimes()
        self._now, self._monotonic, self._sleep = now, monotonic, sleep
        self._path = object_path(_API, _KIND, namespace=namespace, name=name)
        self._lease: Mapping[str, Any] | None = None
        self._renewed = float("-inf")
        self._seen: tuple[str, float] | None = None
        """(resource version, when we first saw it) of somebody else's lease."""

    @property
    def epoch(self) -> int:
        """Number of this term: the Lease's transitions. 0 before the first."""
        return int(self._lease["spec"]["leaseTransitions"]) if self._lease else 0

    @property
    def held(self) -> bool:
        """Whether we may still believe to hold it. True at most ``deadline`` seconds after a renewal was asked for."""
        return self._lease is not None and self._monotonic() - self._renewed < self._times.deadline

    async def acquire(self) -> int:
        """Wait until the Lease is ours; the epoch. Retries through every outage of the API server."""
        while True:
            try:
                if await self._try_to_acquire():
                    _log.info("lease %s/%s acquired, epoch %d", self._namespace, self._name, self.epoch)
                    return self.epoch
            except (ConflictError, GoneError):
                pass  # another candidate was faster, or the Lease was deleted in between: look again
            except TransientError as error:
                _log.warning("lease %s/%s: %s", self._namespace, self._name, error)
            await self._sleep(self._times.retry)

    async def hold(self, on_lost: Callable[[str], None]) -> None:
        """Renew until the Lease is lost, then call ``on_lost`` with the reason and return. Cancel it to stop holding."""
        while True:
            await self._sleep(self._times.retry)
            reason = await self._renew()
            if reason:
                self._lease = None
                _log.error("lease %s/%s lost: %s", self._namespace, self._name, reason)
                on_lost(reason)
                return

    async def release(self) -> None:
        """Let others in at once. Call it after the last write; does nothing if the Lease isn't ours."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        # NB: an empty holder with a duration of 1 is what other implementations write and expect, too.
        spec = lease["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": self._stamp()}
        try:
            await self._put(lease, spec)
        except (ConflictError, GoneError, TransientError, TerminalError) as error:
            _log.warning(
                "lease %s/%s not released, others wait for it: %s", self._namespace, self._name, error
            )

    async def _try_to_acquire(self) -> bool:
        asked = self._monotonic()
        found = await self._connection.find(Request("GET", self._path))
        if found is None:
            self._lease = await self._create()
        elif self._is_free(found):
            spec = found.get("spec") or {}
            epoch = int(spec.get("leaseTransitions") or fresh_epoch(self._now())) + 1
            self._lease = await self._put(found, self._term(epoch))
        else:
            return False
        self._renewed = asked
        return True

    def _is_free(self, found: Mapping[str, Any]) -> bool:
        spec = found.get("spec") or {}
        if not spec.get("holderIdentity"):
            return True
        version = found["metadata"]["resourceVersion"]
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, self._monotonic())
        return self._monotonic() - self._seen[1] >= float(
            spec.get("leaseDurationSeconds") or self._times.duration
        )

    async def _renew(self) -> str:
        """Why the Lease is lost, or nothing. Answers before the deadline, whatever the server does."""
        asked = self._monotonic()
        try:
            assert self._lease is not None
            async with asyncio.timeout(self._renewed + self._times.deadline - asked):
                self._lease = await self._put(self._lease, self._lease["spec"] | {"renewTime": self._stamp()})
        except ConflictError:
            return await self._look_again()
        except (GoneError, TerminalError) as error:
            return str(error)
        except (TransientError, TimeoutError) as error:
            silent = self._monotonic() - self._renewed
            return "" if self.held else f"not renewed for {silent:.1f} s ({str(error) or 'no answer'})"
        self._renewed = asked
        return ""

    async def _look_again(self) -> str:
        """After a conflict: somebody else holds it, or somebody else only touched it."""
        try:
            found = await self._connection.find(Request("GET", self._path))
        except (TransientError, TerminalError) as error:
            return "" if self.held else str(error)
        holder = ((found or {}).get("spec") or {}).get("holderIdentity")
        if found is None or holder != self._identity:
            return f"it is held by {holder or 'nobody'} now"
        self._lease = found
        return "" if self.held else "not renewed in time"

    async def _create(self) -> Mapping[str, Any]:
        body = {
            "apiVersion": _API,
            "kind": _KIND,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._term(fresh_epoch(self._now())),
        }
        path = collection_path(_API, _KIND, namespace=self._namespace)
        return await self._connection.send(Request("POST", path, body), lane="urgent")

    async def _put(self, lease: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._connection.send(Request("PUT", self._path, {**lease, "spec": spec}), lane="urgent")

    def _term(self, epoch: int) -> dict[str, Any]:
        stamp = self._stamp()
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._times.duration,
            "acquireTime": stamp,
            "renewTime": stamp,
            "leaseTransitions": epoch,
        }

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
