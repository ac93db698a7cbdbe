"""Wiring of the sidecar."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentrollouts.dataplane.envoy import Envoy, Proxy
from agentrollouts.dataplane.folder import prepare
from agentrollouts.dataplane.health import application, serve
from agentrollouts.dataplane.kube import connect, sources
from agentrollouts.dataplane.settings import Settings
from agentrollouts.dataplane.sidecar import Publisher
from agentrollouts.dataplane.telemetry import Telemetry
from agentrollouts.dataplane.watch import Follower, Sink, Source
from agentrollouts.dataplane.world import Object, World, key_of

STUCK = 30.0
"""Seconds without a pass of the publisher after which the process is no longer healthy (it passes every 5 s
when idle)."""


@dataclass(frozen=True, slots=True)
class RouteSink:
    """The routes of one namespace ("" for all) into the world."""

    world: World
    namespace: str

    def replace(self, listing: Sequence[Object], /) -> None:
        """A complete list."""
        self.world.replace_routes(listing, namespace=self.namespace)

    def put(self, obj: Object, /) -> None:
        """An added or changed object."""
        self.world.put_route(obj)

    def drop(self, obj: Object, /) -> None:
        """A deleted object."""
        self.world.drop_route(key_of(obj))


@dataclass(frozen=True, slots=True)
class SliceSink:
    """The EndpointSlices of one namespace ("" for all) into the world."""

    world: World
    namespace: str

    def replace(self, listing: Sequence[Object], /) -> None:
        """A complete list."""
        self.world.replace_slices(listing, namespace=self.namespace)

    def put(self, obj: Object, /) -> None:
        """An added or changed object."""
        self.world.put_slice(obj)

    def drop(self, obj: Object, /) -> None:
        """A deleted object."""
        self.world.drop_slice(key_of(obj))


class Sidecar:
    """Followers, publisher and probes over any sources and any proxy."""

    def __init__(
        self,
        pairs: Sequence[tuple[Source, Source]],
        proxy: Proxy,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.telemetry = Telemetry(config_age=self._config_age)
        self.world = World(self.telemetry, clock)
        self._proxy = proxy
        self._clock = clock
        self.publisher = Publisher(
            self.world,
            proxy,
            folder=settings.folder,
            settings=settings.listeners,
            telemetry=self.telemetry,
            clock=clock,
        )
        self._followers: list[Follower] = []
        for routes, slices in pairs:
            sinks: tuple[Sink, Sink] = (
                RouteSink(self.world, routes.namespace),
                SliceSink(self.world, slices.namespace),
            )
            for source, sink in zip((routes, slices), sinks, strict=True):
                self._followers.append(Follower(source, sink, telemetry=self.telemetry, clock=clock))

    async def run(self) -> None:
        """Never returns; a defect in any part ends all of it, and the kubelet starts it again."""
        async with asyncio.TaskGroup() as group:
            for follower in self._followers:
                group.create_task(follower.run())
            group.create_task(self._publish())

    async def _publish(self) -> None:
        while not self.synced:
            self.publisher.passed_at = self._clock()
            await asyncio.sleep(0.05)
        await self.publisher.run()

    @property
    def synced(self) -> bool:
        """Whether every list has been complete once. Until then the files of an earlier run stay in force."""
        return all(follower.synced for follower in self._followers)

    async def ready(self) -> str:
        """What is missing before this pod may take traffic."""
        if not self.synced:
            return "waiting for the first complete lists of the API server"
        if not self.publisher.settled:
            return "waiting for Envoy to take the first complete configuration"
        return "" if await self._proxy.ready() else "Envoy isn't ready"

    async def healthy(self) -> str:
        """What is wrong with this process itself."""
        idle = self._clock() - self.publisher.passed_at
        return f"the publisher made its last pass {idle:.0f} s ago" if idle > STUCK else ""

    def _config_age(self) -> float:
        return self._clock() - min(follower.heard_at for follower in self._followers)


async def run(settings: Settings) -> None:
    """The sidecar until SIGTERM; the files stay as they are."""
    prepare(settings.folder, settings.listeners)
    api = await connect()
    try:
        async with Envoy(settings.admin_socket) as proxy:
            pairs = [sources(api, namespace) for namespace in settings.namespaces or ("",)]
            sidecar = Sidecar(pairs, proxy, settings)
            app = application(telemetry=sidecar.telemetry, ready=sidecar.ready, healthy=sidecar.healthy)
            server = await serve(app, address=settings.bind_address, port=settings.health_port)
            work = asyncio.create_task(sidecar.run())
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
            try:
                await work
            except asyncio.CancelledError:
                return
            finally:
                await server.cleanup()
    finally:
        await api.close()  # type: ignore[no-untyped-call]
