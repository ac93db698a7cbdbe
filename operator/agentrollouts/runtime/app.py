"""The order of starting and stopping.

Start: probes, lease, first picture, then kopf and the scheduler. Stop: kopf ends its watches, the scheduler finishes the
writes under way, the lease is released. A process that loses the lease writes nothing more and exits at once; killing it
at any moment is safe, because every plan can be taken up from the route.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from agentrollouts.kube.client import KubeCluster
from agentrollouts.kube.lease import Lease
from agentrollouts.metrics.exchange import Exchange
from agentrollouts.metrics.prometheus import OWN, PrometheusSource
from agentrollouts.ports import MetricSource
from agentrollouts.runtime import handlers, memory
from agentrollouts.runtime.probes import Health, Heartbeat, application, serve
from agentrollouts.runtime.settings import Settings
from agentrollouts.runtime.telemetry import Telemetry
from agentrollouts.runtime.unmeasured import NoSource
from agentrollouts.runtime.wiring import Operator, SystemClock, Unshared

_log = logging.getLogger(__name__)


async def run(settings: Settings) -> int:
    """Run until told to stop; the exit status: 0 after a signal, 1 when the lease was lost or a watch broke."""
    memory.search_seldom()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    telemetry = Telemetry()
    async with contextlib.AsyncExitStack() as stack:
        cluster = await KubeCluster.open(settings.kubeconfig)
        closers = [cluster.close]
        stack.push_async_callback(cluster.close)
        source = await stack.enter_async_context(_source(settings, telemetry))
        lease = _lease(settings, cluster)
        operator = Operator(
            settings,
            cluster=cluster,
            source=source,
            lease=lease or Unshared(),
            clock=SystemClock(),
            telemetry=telemetry,
        )
        health = Health(Heartbeat(), operator.scheduler.overdue)
        if settings.health_port:
            runner = await serve(application(telemetry.registry, health), port=settings.health_port)
            closers.append(runner.cleanup)
            stack.push_async_callback(runner.cleanup)
        beat = asyncio.create_task(health.heartbeat.run(), name="heartbeat")
        stack.callback(beat.cancel)
        return await lead(settings, operator, lease=lease, health=health, stop=stop, closers=closers)


async def lead(
    settings: Settings,
    operator: Operator,
    *,
    lease: Lease | None,
    health: Health,
    stop: asyncio.Event,
    closers: Sequence[Callable[[], Awaitable[None]]] = (),
) -> int:
    """Wait for the lease, then decide until told to stop."""
    work = Work(operator, lease, settings.drain_seconds, closers)
    health.state = "standby"
    if not await _unless(stop, work.take_over()):
        return 0
    health.state = "listing"
    try:
        if not await _unless(stop, operator.housekeeping.first_picture()):
            return 0
        memory.keep_for_good()
        health.state = "leading"
        _log.info("leading, epoch %d, %d keys", operator.world.epoch, len(operator.scheduler))
        registry = handlers.registry(
            operator.observe, kubeconfig=settings.kubeconfig, start=work.start, stop=work.stop
        )
        await handlers.watch(registry, namespaces=settings.namespaces, stop=stop)
        return 0
    finally:
        health.state = "stopping"
        await work.stop()


@dataclass(slots=True)
class Work:
    """The lease, the scheduler and the housekeeping, while kopf runs."""

    operator: Operator
    lease: Lease | None
    drain_seconds: float
    closers: Sequence[Callable[[], Awaitable[None]]] = ()
    """What has tasks of its own, closed after the last write."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _holding: asyncio.Task[None] | None = None

    async def take_over(self) -> None:
        """Wait until we lead."""
        if self.lease is not None:
            self.operator.world.epoch = await self.lease.acquire()
            self._holding = asyncio.create_task(self.lease.hold(_exit_now), name="lease")
        self.operator.telemetry.leader.set(1)

    def start(self) -> None:
        """Begin to look at keys."""
        for name, work in (
            ("scheduler", self.operator.scheduler.run()),
            ("housekeeping", self.operator.housekeeping.run()),
        ):
            self._tasks.append(asyncio.create_task(work, name=name))

    async def stop(self) -> None:
        """Finish the writes under way and let others in. A second call does nothing.

        kopf calls this before it waits 5 s for whatever else runs in its loop, and then cancels that. So nothing of ours
        should be left, and the next leader shouldn't have to wait.
        """
        tasks, self._tasks = self._tasks, []
        if tasks and not await self.operator.scheduler.drain(self.drain_seconds):
            _log.warning("some writes didn't finish within %g s", self.drain_seconds)
        holding, self._holding = self._holding, None
        await _cancelled([*tasks, *([holding] if holding else [])])
        await self.operator.counsel.close()
        await self.operator.monitor.close()
        await self.operator.ticker.evidence.close()
        await self.operator.courier.close()
        await self.operator.archivist.close()
        await self.operator.progress.close()
        await self.operator.reader.close()
        self.operator.telemetry.leader.set(0)
        if self.lease is not None:
            await self.lease.release()
        for close in self.closers:
            await close()


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Any]) -> bool:
    """Do the work unless stopped before; whether it was done. Its exceptions are raised."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        return False
    task.result()
    return True


def _exit_now(reason: str) -> None:
    """Somebody else may lead from now on: not one more write, and nothing that waits."""
    logging.shutdown()
    os._exit(1)


@contextlib.asynccontextmanager
async def _source(settings: Settings, telemetry: Telemetry) -> AsyncIterator[MetricSource]:
    if not settings.prometheus:
        yield NoSource()
        return
    async with httpx.AsyncClient() as client:
        yield PrometheusSource(settings.prometheus, client, on_exchange=_counted(telemetry))


def _counted(telemetry: Telemetry) -> Callable[[Exchange], None]:
    def count(exchange: Exchange) -> None:
        telemetry.queries.inc()
        if exchange.error:
            # NB: apart, because a user's query that can't be right says nothing of the server.
            (telemetry.own_query_errors if exchange.metric == OWN else telemetry.query_errors).inc()

    return count


def _lease(settings: Settings, cluster: KubeCluster) -> Lease | None:
    lease = settings.lease
    if not lease.enabled:
        return None
    identity = f"{lease.identity or socket.gethostname()}_{secrets.token_hex(4)}"
    return Lease(cluster.connection, namespace=lease.namespace, name=lease.name, identity=identity)
