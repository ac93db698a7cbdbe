"""The cluster as the router has heard of it: routes and endpoints, fenced, never emptied by silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from agentrollouts.dataplane.model import Endpoint, InvalidObjectError, Key, Route, Slice, route_of, slice_of
from agentrollouts.dataplane.telemetry import Telemetry

log = structlog.get_logger(__name__)

Object = Mapping[str, Any]


def key_of(obj: Object) -> Key:
    """(namespace, name) of any namespaced object."""
    meta = obj["metadata"]
    return (meta["namespace"], meta["name"])


class World:
    """What the watches have said, and a wake-up call for whoever publishes it.

    An object that can't be served, or whose epoch is smaller than one already seen for the same route (a
    writer that has lost its lease), changes nothing: the last good one stays.
    """

    def __init__(self, telemetry: Telemetry, clock: Callable[[], float]) -> None:
        self.routes: dict[Key, Route] = {}
        self.changed = asyncio.Event()
        self._slices: dict[Key, Slice] = {}
        self._fence: dict[Key, tuple[str, int]] = {}
        self._changed_at: float | None = None
        self._telemetry = telemetry
        self._clock = clock

    def endpoints(self) -> dict[Key, tuple[Endpoint, ...]]:
        """Endpoints that take requests by Service, each address once however many slices name it.

        Ready ones; but where a stable version has none, its running ones: nobody takes over for it, and a request that may
        succeed is better than one that must fail. Probes of a busy pod are late before its answers are wrong.
        """
        ready: dict[Key, set[Endpoint]] = {}
        unready: dict[Key, set[Endpoint]] = {}
        for item in self._slices.values():
            ready.setdefault((item.namespace, item.service), set()).update(item.endpoints)
            unready.setdefault((item.namespace, item.service), set()).update(item.unready)
        for key in self._irreplaceable() & ready.keys():
            ready[key] = ready[key] or unready[key]
        return {key: tuple(sorted(items)) for key, items in ready.items()}

    def _irreplaceable(self) -> set[Key]:
        """Services of the stable versions."""
        return {
            (route.namespace, arm.service)
            for route in self.routes.values()
            for arm in route.arms
            if arm.cohort == "stable" and arm.share
        }

    def taken(self) -> float | None:
        """When the oldest unpublished change was heard (seconds of the clock); forgets it."""
        at, self._changed_at = self._changed_at, None
        self.changed.clear()
        return at

    def replace_routes(self, objects: Iterable[Object], *, namespace: str = "") -> None:
        """A complete list: what it doesn't name is gone (of one namespace, if one is given)."""
        listed = {key_of(obj): obj for obj in objects}
        for key in [key for key in self.routes if key not in listed and namespace in ("", key[0])]:
            self.drop_route(key)
        for obj in listed.values():
            self.put_route(obj)

    def put_route(self, obj: Object) -> None:
        """An added or changed AgentRoute."""
        key = key_of(obj)
        try:
            route = route_of(obj)
        except InvalidObjectError as error:
            self._telemetry.invalid_objects.labels("agentroutes").inc()
            log.warning("route_invalid", route="/".join(key), reason=str(error), kept=key in self.routes)
            return
        if self._stale(route):
            self._telemetry.stale_routes.inc()
            log.warning("route_stale", route="/".join(key), epoch=route.epoch, seen=self._fence[key][1])
            return
        self._fence[key] = (route.uid, route.epoch)
        self._telemetry.route_epoch.labels(*key).set(route.epoch)
        if self.routes.get(key) != route:
            self.routes[key] = route
            self._mark()

    def drop_route(self, key: Key) -> None:
        """A deleted AgentRoute. Its fence stays: a late write of the same object is still late."""
        if self.routes.pop(key, None):
            self._telemetry.forget_route(key)
            self._mark()

    def _stale(self, route: Route) -> bool:
        # Another uid is another object: epochs are compared within one life of the route only.
        uid, epoch = self._fence.get(route.key, (route.uid, route.epoch))
        return uid == route.uid and route.epoch < epoch

    def replace_slices(self, objects: Iterable[Object], *, namespace: str = "") -> None:
        """A complete list of EndpointSlices (of one namespace, if one is given)."""
        listed = {key_of(obj): obj for obj in objects}
        for key in [key for key in self._slices if key not in listed and namespace in ("", key[0])]:
            self.drop_slice(key)
        for obj in listed.values():
            self.put_slice(obj)

    def put_slice(self, obj: Object) -> None:
        """An added or changed EndpointSlice."""
        key = key_of(obj)
        try:
            item = slice_of(obj)
        except InvalidObjectError as error:
            self._telemetry.invalid_objects.labels("endpointslices").inc()
            log.warning("slice_invalid", slice="/".join(key), reason=str(error))
            return
        if self._slices.get(key) != item:
            self._slices[key] = item
            self._mark()

    def drop_slice(self, key: Key) -> None:
        """A deleted EndpointSlice."""
        if self._slices.pop(key, None):
            self._mark()

    def _mark(self) -> None:
        if self._changed_at is None:
            self._changed_at = self._clock()
        self.changed.set()
