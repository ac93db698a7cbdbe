"""The loop that keeps Envoy's files equal to what the cluster says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from agentrollouts.dataplane.envoy import Proxy
from agentrollouts.dataplane.folder import load, put
from agentrollouts.dataplane.listeners import ListenerSettings
from agentrollouts.dataplane.model import Key
from agentrollouts.dataplane.publish import next_step, recover, without_port_conflicts
from agentrollouts.dataplane.resources import CDS
from agentrollouts.dataplane.telemetry import Telemetry
from agentrollouts.dataplane.world import World

log = structlog.get_logger(__name__)

ASK_FIRST, ASK_LAST = 0.005, 0.5
"""Seconds between two questions to Envoy while it hasn't confirmed what was written: doubled each time."""
LOOK_AGAIN = 5.0
"""Seconds after which an idle loop looks at Envoy again, which may have been restarted."""
PATIENCE = 10.0
"""Seconds after the first writes from which the pod counts as ready even if Envoy refuses a part, such as one
listener whose port is taken: one bad route must not keep the others from being served."""
CLUSTERS_APART = 0.1
"""Seconds between two writes of the cluster file; a rolling update would else rewrite it at every pod. Routes
never wait."""


class Publisher:
    """Writes what `next_step` says. Starts from what an earlier sidecar left in the folder."""

    def __init__(
        self,
        world: World,
        proxy: Proxy,
        *,
        folder: Path,
        settings: ListenerSettings,
        telemetry: Telemetry,
        clock: Callable[[], float],
    ) -> None:
        self.settled = False
        self.passed_at = clock()
        self._world = world
        self._proxy = proxy
        self._folder = folder
        self._settings = settings
        self._telemetry = telemetry
        self._clock = clock
        self._written = recover(load(folder))
        self._clusters_at = float("-inf")
        self._began_at: float | None = None
        self._conflicts: frozenset[Key] = frozenset()
        self.pending = True

    async def run(self) -> None:
        """Never returns. To be started when every list is complete, not before: half a world would drop routes."""
        pause = 0.0
        while True:
            moved = await self.step()
            pause = ASK_FIRST if moved else min(ASK_LAST, pause * 2 or ASK_FIRST)
            limit = LOOK_AGAIN if self.settled and not self.pending else pause
            try:
                await asyncio.wait_for(self._world.changed.wait(), limit)
            except TimeoutError:
                continue

    async def step(self) -> bool:
        """One look at the world and at Envoy, and the files that follow; True if any was written."""
        running = await self._proxy.versions()
        heard = self._world.taken()
        now = self._clock()
        step = next_step(
            self._world.routes,
            self._world.endpoints(),
            written=self._written,
            running=running,
            settings=self._settings,
            hold_clusters=now - self._clusters_at < CLUSTERS_APART,
        )
        for name, body in step.files:
            put(self._folder, name, body)
        self._written = step.written
        self._report([name for name, _ in step.files], heard=heard, pending=step.pending)
        return bool(step.files)

    def _report(self, names: list[str], *, heard: float | None, pending: bool) -> None:
        now = self.passed_at = self._clock()
        if CDS in names:
            self._clusters_at = now
        if names and heard is not None:
            self._telemetry.apply_seconds.observe(now - heard)
        if names:
            log.info("published", files=names, routes=len(self._world.routes))
        self.pending = pending
        self._telemetry.pending.set(pending)
        self._began_at = now if self._began_at is None else self._began_at
        if not self.settled and pending and now - self._began_at > PATIENCE:
            log.error("envoy_refuses", reason="see Envoy's log for the rejected resource")
            self.settled = True
        self.settled = self.settled or not pending
        conflicts = self._world.routes.keys() - without_port_conflicts(self._world.routes).keys()
        if conflicts - self._conflicts:
            log.error("port_conflict", routes=sorted("/".join(key) for key in conflicts))
        self._conflicts = frozenset(conflicts)
