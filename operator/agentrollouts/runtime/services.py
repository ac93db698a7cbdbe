"""The Services that lead callers to the router: made once for each Rollout, mended when they changed, removed after it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agentrollouts.core.manifests import Named, agent_service, route_name, route_service, shape_of
from agentrollouts.ports import ConflictError, GoneError, Reference
from agentrollouts.runtime.access import Access
from agentrollouts.runtime.children import ServiceObject
from agentrollouts.runtime.settings import RouterSettings
from agentrollouts.runtime.store import Store
from agentrollouts.runtime.views import Place, RolloutObject

LOOK_AGAIN = 20.0
"""Seconds until a name that somebody else's Service has is tried again. No watch tells when it is free: it isn't ours."""


class _Good(NamedTuple):
    """What a Rollout's Services were when they were as they should be. The same objects need no second look."""

    uid: str
    port: int
    front: ServiceObject | None
    behind: ServiceObject | None


@dataclass(slots=True)
class RouteServices:
    """Writes only what isn't there yet or isn't as it should be, going by the store."""

    cluster: Access
    store: Store
    router: RouterSettings
    monotonic: Callable[[], float] = time.monotonic
    _good: dict[Place, _Good] = field(default_factory=dict)
    _taken: dict[Place, float] = field(default_factory=dict)
    """Names that somebody else's Service has, and when to look again."""

    async def ensure(self, item: RolloutObject, agent: str, port: int) -> str:
        """Make both Services as they should be. What stands in the way, if something does; raises the port's exceptions."""
        place = item.meta.place
        if self._good.get(place) == self._state(item, agent, port):
            return ""
        of = Named(*place, item.meta.uid)
        home = self.router.namespace
        behind = route_service(
            of, agent=agent, port=port, router_namespace=home, router_labels=self.router.labels
        )
        if not self._is_there(behind):
            await self.cluster.apply(behind)
            self.store.wrote_service(behind)
        front = agent_service(of, agent=agent, port=port, router_namespace=home, domain=self.router.domain)
        problem = "" if self._is_there(front) else await self._write_front(front)
        if not problem:
            self._good[place] = self._state(item, agent, port)
        return problem

    async def remove(self, rollout: Place) -> None:
        """Delete the route Services of a Rollout that is gone. Its other Service goes by its owner reference."""
        self._good.pop(rollout, None)
        for service in list(self.store.services.of(rollout).values()):
            place = service.meta.place
            if place == rollout or place.namespace != self.router.namespace:
                continue
            with contextlib.suppress(GoneError):  # somebody else was faster, and that is what was wanted
                await self.cluster.delete(Reference("v1", "Service", place.namespace, place.name))
            self.store.services.drop(place)

    def orphans(self) -> list[Place]:
        """Rollouts that are gone and still have a Service."""
        groups = {item.rollout for item in self.store.services.items.values() if item.rollout is not None}
        return [place for place in groups if self.store.rollouts.get(place) is None]

    def _state(self, item: RolloutObject, agent: str, port: int) -> _Good:
        services = self.store.services
        return _Good(
            item.meta.uid,
            port,
            services.get(Place(item.meta.place.namespace, agent)),
            services.get(Place(self.router.namespace, route_name(port))),
        )

    async def _write_front(self, manifest: Mapping[str, Any]) -> str:
        place = Place(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        taken = (
            f"Service {place.name} in {place.namespace} exists and isn't ours, so callers don't reach the router;"
            f" delete it or rename it: kubectl delete service {place.name} -n {place.namespace}"
        )
        if self.store.services.get(place) is not None:
            await self.cluster.apply(manifest)
        elif self.monotonic() < self._taken.get(place, 0.0):
            return taken
        else:
            try:
                await self.cluster.create(manifest)
            except ConflictError:
                self._taken[place] = self.monotonic() + LOOK_AGAIN
                return taken
        self._taken.pop(place, None)
        self.store.wrote_service(manifest)
        return ""

    def _is_there(self, manifest: Mapping[str, Any]) -> bool:
        found = self.store.services.get(
            Place(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        )
        return found is not None and found.shape == shape_of(manifest["spec"])
