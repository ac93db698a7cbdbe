"""Route tables: one virtual host per agent, a handful of agents per file.

Listeners tell agents apart by port and say so in ``x-agent-route``, which the route table uses instead of
Host: a caller can't choose another agent's route by a header.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus

from agentrollouts.dataplane.model import COHORTS, Arm, Key, Route
from agentrollouts.dataplane.resources import (
    LUA_PER_ROUTE,
    PREVIOUS_HOSTS,
    ROUTES,
    SHARDS,
    Json,
    compact,
    discovery_file,
    name_of,
    overwrite,
)
from agentrollouts.dataplane.ring import arcs, served_arms

ROUTE_HEADER = "x-agent-route"
MINTED, STAIN_COHORT, STAIN_OTHERS = "x-agent-minted", "x-agent-stain-cohort", "x-agent-stain-others"
INTERNAL_HEADERS = (ROUTE_HEADER, MINTED, STAIN_COHORT, STAIN_OTHERS)
"""Used between the listener and the route table; never taken from a caller, never sent to an agent."""

SHADOW_HEADER = "x-agent-shadow"
"""On a request whose answer is only compared with another one: it goes to the stable version and has no session."""

LUA_FILTER = "agentrollouts.session"

_SHADOW: Json = {"prefix": "/", "headers": [{"name": SHADOW_HEADER, "present_match": True}]}

RETRY: Json = {
    # Nothing of the request has reached an agent in any of these, so that repeating is safe for every method.
    "retry_on": "connect-failure,refused-stream,reset-before-request",
    "num_retries": 3,
    "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    "retry_host_predicate": [
        {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": PREVIOUS_HOSTS}}
    ],
    "host_selection_retry_max_attempts": 5,
}


def routes_file(
    shard: str, routes: Iterable[Route], ready: Collection[Key], *, shadows: bool = False
) -> bytes:
    """One RDS file. ``ready`` are the Services with endpoints that Envoy already knows."""
    ordered = sorted(routes, key=lambda item: item.key)
    return _routes_file(shard, tuple((route, _ready_names(route, ready)) for route in ordered), shadows)


def _ready_names(route: Route, ready: Collection[Key]) -> frozenset[str]:
    return frozenset(name for namespace, name in route.services if (namespace, name) in ready)


@lru_cache(maxsize=8 * SHARDS)
def _routes_file(shard: str, routes: tuple[tuple[Route, frozenset[str]], ...], shadows: bool) -> bytes:
    # Cached by content: an event about one agent serialises one shard, not sixteen.
    hosts = [virtual_host(route, ready, shadows=shadows) for route, ready in routes]
    table = {"@type": ROUTES, "name": shard, "vhost_header": ROUTE_HEADER, "virtual_hosts": hosts}
    return discovery_file([compact(table)])


def virtual_host(route: Route, ready: Collection[str], *, shadows: bool) -> Json:
    """The routes of one agent. ``ready`` names the Services of its namespace that can take a request."""
    served = served_arms(route.arms, ready)
    table = [*_stain_routes(route, served, ready), _ring_route(route, served)] if served else [_nobody()]
    first = shadow_route(route, ready) if shadows else refused_shadow()
    return {
        "name": name_of(route.key),
        "domains": [name_of(route.key)],
        "routes": [first, *table],
        "retry_policy": RETRY,
        "request_headers_to_remove": [*INTERNAL_HEADERS, "x-envoy-external-address"],
        "typed_per_filter_config": {LUA_FILTER: {"@type": LUA_PER_ROUTE, "filter_context": _context(route)}},
    }


def _context(route: Route) -> Json:
    ttl = route.cookie_ttl_seconds
    return {
        "header": route.header.lower(),
        "cookie": route.cookie,
        # 0: the cookie lives as long as the browser.
        "max_age": f" Max-Age={ttl};" if ttl else "",
        "group": route.group,
    }


def _ring_route(route: Route, served: Sequence[Arm]) -> Json:
    entries = [_entry(route, arc.arm, arc.length) for arc in arcs(served, offset=route.offset)]
    return {"match": {"prefix": "/"}, "route": _action(route, entries)}


def _stain_routes(route: Route, served: Sequence[Arm], ready: Collection[str]) -> list[Json]:
    """A caller in the same group that was served by a cohort meets that cohort here, as long as it takes traffic."""
    if not route.group:
        return []
    table = []
    for cohort in COHORTS:
        # The arm as the operator wrote it, not a substitute standing in for it.
        arms = [arm for arm in route.arms if arm.cohort == cohort and arm.share and arm.service in ready]
        if arms and served:
            stained = {"name": STAIN_COHORT, "string_match": {"exact": cohort}}
            action = _action(route, [_entry(route, arm, arm.share) for arm in arms])
            table.append({"match": {"prefix": "/", "headers": [stained]}, "route": action})
    return table


def shadow_route(route: Route, ready: Collection[str]) -> Json:
    """To the stable version whatever the shares, to a pod of chance: a shadow belongs to no user."""
    arm = next((arm for arm in route.arms if arm.cohort == "stable"), None)
    if arm is None or arm.service not in ready:
        return _direct(503, "the stable version isn't ready", shadow=True)
    entry = {
        "name": name_of((route.namespace, arm.service)),
        "weight": 1,
        # NB: not "stable": an agent that doesn't know of shadows must not count one for a cohort.
        "request_headers_to_add": [
            overwrite("x-agent-version", arm.version),
            overwrite("x-agent-cohort", "none"),
        ],
        "request_headers_to_remove": ["x-agent-session", "x-agent-session-end", "x-agent-stain"],
        "response_headers_to_add": [
            overwrite("x-routed-version", arm.version),
            overwrite("x-agent-cohort", "stable"),
        ],
    }
    return {"match": _SHADOW, "route": {"weighted_clusters": {"clusters": [entry]}, **_times(route)}}


def refused_shadow() -> Json:
    """Not served as an ordinary request: whoever sends a shadow relies on it doing nothing."""
    return _direct(501, "this router takes no shadow requests: set router.shadows", shadow=True)


def _action(route: Route, entries: list[Json]) -> Json:
    return {
        "weighted_clusters": {"use_hash_policy": True, "clusters": entries},
        "hash_policy": [{"header": {"header_name": "x-agent-session"}}],
        **_times(route),
    }


def _times(route: Route) -> Json:
    return {
        # `timeout` counts until the last byte and would cut a stream; the idle time counts from the last byte
        # either way, so an agent has that long to begin its answer, and a stream lives as long as it says
        # something.
        "timeout": "0s",
        "idle_timeout": f"{route.timeout_seconds}s",
    }


def _entry(route: Route, arm: Arm, weight: int) -> Json:
    stain = (
        [overwrite("x-agent-stain", f"{route.group}={arm.cohort}%REQ({STAIN_OTHERS})%")]
        if route.group
        else []
    )
    return {
        "name": name_of((route.namespace, arm.service)),
        "weight": weight,
        "request_headers_to_add": [
            overwrite("x-agent-version", arm.version),
            overwrite("x-agent-cohort", arm.cohort),
            *stain,
        ],
        "response_headers_to_add": [
            overwrite("x-routed-version", arm.version),
            overwrite("x-agent-cohort", arm.cohort),
        ],
    }


def _nobody() -> Json:
    return _direct(503, "no version of this agent is ready")


def _direct(status: int, error: str, *, shadow: bool = False) -> Json:
    """An answer of the router's own; after a 503 it may be tried again."""
    late = status == HTTPStatus.SERVICE_UNAVAILABLE
    body = json.dumps({"error": error, "retry": late}) + "\n"
    return {
        "match": _SHADOW if shadow else {"prefix": "/"},
        "direct_response": {"status": status, "body": {"inline_string": body}},
        "response_headers_to_add": [
            overwrite("content-type", "application/json"),
            *([overwrite("retry-after", "1")] if late else []),
            overwrite("x-routed-version", "none"),
            overwrite("x-agent-cohort", "none"),
        ],
    }
