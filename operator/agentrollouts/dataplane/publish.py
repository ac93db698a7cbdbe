"""What to write next: the order that never lets Envoy send a request to a cluster it doesn't have.

Envoy watches each file on its own, so two renames may be taken up in either order. An arm therefore joins the
routes only after Envoy has confirmed its cluster, and a cluster is emptied or removed only after Envoy has
confirmed the routes without it. Route files come first in every step: a rollback needs no new cluster and
waits for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from agentrollouts.dataplane.clusters import Endpoints, clusters_file
from agentrollouts.dataplane.listeners import ListenerSettings, listeners_file
from agentrollouts.dataplane.model import Endpoint, Key, Route
from agentrollouts.dataplane.resources import CDS, LDS, shard_names, shard_of, version_of
from agentrollouts.dataplane.routing import routes_file

Versions = Mapping[str, str]
"""By file stem (``cds``, ``rds-07``): the version Envoy runs. None in its place: Envoy doesn't answer."""


@dataclass(frozen=True, slots=True)
class Written:
    """What is on disk: ``files``, and what they say (``clusters``, ``routes``); ``confirmed`` are the clusters Envoy runs."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    clusters: Endpoints = field(default_factory=dict)
    confirmed: Endpoints = field(default_factory=dict)
    routes: Mapping[Key, Route] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Files to rename into place, in this order, and the state after it. ``pending``: ask Envoy again, there is more to do."""

    files: tuple[tuple[str, bytes], ...]
    written: Written
    pending: bool


def render(
    routes: Mapping[Key, Route], endpoints: Endpoints, *, settings: ListenerSettings
) -> dict[str, bytes]:
    """All files for a world in which Envoy knows every cluster: where a sequence of steps ends."""
    wanted = _wanted(routes.values(), endpoints)
    ready = {key for key, found in wanted.items() if found}
    listening = without_port_conflicts(routes)
    return {
        **_route_files(routes, ready, shadows=settings.shadows),
        CDS: clusters_file(wanted),
        LDS: listeners_file(((key, route.port) for key, route in listening.items()), settings),
    }


def next_step(
    routes: Mapping[Key, Route],
    endpoints: Endpoints,
    *,
    written: Written,
    running: Versions | None,
    settings: ListenerSettings,
    hold_clusters: bool = False,
) -> Step:
    """The next files to write. ``hold_clusters`` puts the cluster file off (a burst of endpoint changes)."""
    clusters_confirmed = _runs(running, CDS, written)
    confirmed = written.clusters if clusters_confirmed else written.confirmed
    ready = {key for key, found in endpoints.items() if found and confirmed.get(key)}
    serving = {
        key: _serving(route, written.routes.get(key), endpoints, ready) for key, route in routes.items()
    }
    tables = _route_files(serving, ready, shadows=settings.shadows)
    settled = all(
        tables[name] == written.files.get(name) and not _runs_another(running, name, written)
        for name in tables
    )
    listening = without_port_conflicts(routes)
    taken_up = all(_runs(running, f"{shard_of(key)}.json", written) for key in listening)
    clusters: Endpoints = _wanted((*routes.values(), *serving.values()), endpoints)
    if not settled:
        # Routes that Envoy may still run could need these.
        clusters = {
            **clusters,
            **{key: found for key, found in written.clusters.items() if not clusters.get(key)},
        }
    put_off = hold_clusters and clusters != written.clusters
    if put_off:
        clusters = written.clusters
    ports = ((key, route.port) for key, route in listening.items())
    wanted = {**tables, CDS: _cached_clusters(clusters), LDS: listeners_file(ports, settings)}
    changed = tuple((name, body) for name, body in wanted.items() if written.files.get(name) != body)
    after = Written(
        files={**written.files, **wanted},
        clusters=clusters,
        confirmed={key: found for key, found in confirmed.items() if clusters.get(key)},
        routes=serving,
    )
    return Step(
        changed, after, pending=bool(changed) or put_off or not (settled and taken_up and clusters_confirmed)
    )


def _runs(running: Versions | None, name: str, written: Written) -> bool:
    # An Envoy that isn't there reads the files when it comes, all of them at once.
    body = written.files.get(name)
    return running is None or (
        body is not None and running.get(name.removesuffix(".json")) == version_of(body)
    )


def _runs_another(running: Versions | None, name: str, written: Written) -> bool:
    # Envoy reads a route file only while a listener wants it; until then it runs nothing of it that could
    # need a cluster.
    version = (running or {}).get(name.removesuffix(".json"))
    return bool(version) and version != version_of(written.files[name])


def _services(routes: Iterable[Route]) -> frozenset[Key]:
    return frozenset().union(*(route.services for route in routes))


def _route_files(routes: Mapping[Key, Route], ready: set[Key], *, shadows: bool) -> dict[str, bytes]:
    shards: dict[str, list[Route]] = {name: [] for name in shard_names()}
    for key, route in routes.items():
        shards[shard_of(key)].append(route)
    return {
        f"{name}.json": routes_file(name, members, ready, shadows=shadows) for name, members in shards.items()
    }


def _wanted(routes: Iterable[Route], endpoints: Endpoints) -> dict[Key, tuple[Endpoint, ...]]:
    """The clusters to have: those of the routes, and every other version that is up, so that an undo is a mere flip."""
    live = {key: found for key, found in endpoints.items() if found}
    return {key: endpoints.get(key, ()) for key in _services(routes)} | live


def _serving(route: Route, before: Route | None, endpoints: Endpoints, ready: Collection[Key]) -> Route:
    """The route to serve now: the last one for the moment it takes Envoy to learn the first cluster of the new one."""
    services = {(route.namespace, arm.service) for arm in route.arms if arm.share}
    arriving = any(endpoints.get(key) for key in services) and services.isdisjoint(ready)
    return before if arriving and before is not None else route


def _cached_clusters(clusters: Endpoints) -> bytes:
    return _clusters_of(tuple(sorted(clusters.items())))


@lru_cache(maxsize=4)
def _clusters_of(items: tuple[tuple[Key, tuple[Endpoint, ...]], ...]) -> bytes:
    return clusters_file(dict(items))


def without_port_conflicts(routes: Mapping[Key, Route]) -> dict[Key, Route]:
    """The routes that get a listener: of two on one port the first by name, since Envoy would refuse one of them anyway."""
    owners: dict[int, Key] = {}
    for key in sorted(routes):
        owners.setdefault(routes[key].port, key)
    return {key: routes[key] for key in sorted(owners.values())}


def recover(files: Mapping[str, bytes]) -> Written:
    """The state left on disk by an earlier sidecar."""
    clusters: dict[Key, tuple[Endpoint, ...]] = {}
    for resource in json.loads(files[CDS])["resources"] if CDS in files else ():
        namespace, _, service = resource["name"].partition("/")
        groups = resource["load_assignment"]["endpoints"]
        addresses = [
            item["endpoint"]["address"]["socket_address"]
            for group in groups
            for item in group["lb_endpoints"]
        ]
        found = tuple(Endpoint(item["address"], item["port_value"]) for item in addresses)
        clusters[namespace, service] = found
    in_use = _clusters_in_routes(files)
    return Written(dict(files), clusters, {key: found for key, found in clusters.items() if key in in_use})


def _clusters_in_routes(files: Mapping[str, bytes]) -> set[Key]:
    # A cluster stands in the routes only after Envoy had confirmed it: that knowledge survives in the files.
    tables = [
        json.loads(files[f"{name}.json"])["resources"] for name in shard_names() if f"{name}.json" in files
    ]
    hosts = [host for table in tables for item in table for host in item["virtual_hosts"]]
    actions = [route["route"] for host in hosts for route in host["routes"] if "route" in route]
    names = {entry["name"] for action in actions for entry in action["weighted_clusters"]["clusters"]}
    return {(namespace, service) for namespace, _, service in (name.partition("/") for name in names)}
