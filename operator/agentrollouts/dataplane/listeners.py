"""Listeners: one port per agent. Their bytes depend on agent and port only, so a change of shares never touches them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from agentrollouts.dataplane.model import Key
from agentrollouts.dataplane.resources import (
    EARLY_MUTATION,
    HCM,
    LISTENER,
    LUA,
    ROUTER,
    SCRIPT,
    STDOUT_LOG,
    Json,
    compact,
    discovery_file,
    file_source,
    name_of,
    overwrite,
    shard_of,
)
from agentrollouts.dataplane.routing import LUA_FILTER, MINTED, ROUTE_HEADER, STAIN_COHORT, STAIN_OTHERS


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """What all agents share. ``folder`` is the folder as Envoy sees it; ``shadows``: whether shadow requests are taken."""

    folder: Path
    address: str = "0.0.0.0"  # noqa: S104  the listeners of a router pod are for the whole cluster
    access_log: bool = False
    shadows: bool = False


def listener(key: Key, port: int, settings: ListenerSettings) -> Json:
    """The listener of one agent."""
    manager = {"name": "http", "typed_config": _manager(key, settings)}
    return {
        "@type": LISTENER,
        "name": name_of(key),
        "address": {"socket_address": {"address": settings.address, "port_value": port}},
        "per_connection_buffer_limit_bytes": 1_048_576,
        "filter_chains": [{"filters": [manager]}],
    }


def _manager(key: Key, settings: ListenerSettings) -> Json:
    shard = shard_of(key)
    return {
        "@type": HCM,
        "stat_prefix": name_of(key),
        # The caller's own address goes to x-forwarded-for. No address counts as internal unless one is
        # configured, so a caller's x-envoy-* headers, which could set timeouts and retries, are dropped.
        "use_remote_address": True,
        "preserve_external_request_id": True,
        "server_header_transformation": "PASS_THROUGH",
        "request_headers_timeout": "30s",
        "early_header_mutation_extensions": [{"name": "route", "typed_config": _before_routing(key)}],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "rds": {"route_config_name": shard, "config_source": file_source(settings.folder / f"{shard}.json")},
        "http_filters": [
            {"name": LUA_FILTER, "typed_config": _session_filter(settings)},
            {"name": "router", "typed_config": {"@type": ROUTER, "suppress_envoy_headers": True}},
        ],
        **({"access_log": [_access_log(key)]} if settings.access_log else {}),
    }


def _before_routing(key: Key) -> Json:
    mutations: list[Json] = [{"remove": STAIN_COHORT}, {"remove": STAIN_OTHERS}]
    mutations += [
        {"append": overwrite(ROUTE_HEADER, name_of(key))},
        {"append": overwrite(MINTED, "%UNIQUE_ID%")},
    ]
    return {"@type": EARLY_MUTATION, "mutations": mutations}


def _session_filter(settings: ListenerSettings) -> Json:
    return {"@type": LUA, "default_source_code": {"filename": str(settings.folder / SCRIPT)}}


def _access_log(key: Key) -> Json:
    fields = {
        "time": "%START_TIME%",
        "route": name_of(key),
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(:PATH)%",
        "code": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
        "version": "%RESP(X-ROUTED-VERSION)%",
        "cohort": "%RESP(X-AGENT-COHORT)%",
        "upstream": "%UPSTREAM_HOST%",
        "request_id": "%REQ(X-REQUEST-ID)%",
    }
    return {"name": "stdout", "typed_config": {"@type": STDOUT_LOG, "log_format": {"json_format": fields}}}


def listeners_file(ports: Iterable[tuple[Key, int]], settings: ListenerSettings) -> bytes:
    """The LDS file."""
    return _listeners_file(tuple(sorted(ports)), settings)


@lru_cache(maxsize=8)
def _listeners_file(ports: tuple[tuple[Key, int], ...], settings: ListenerSettings) -> bytes:
    return discovery_file(compact(listener(key, port, settings)) for key, port in ports)
