"""Names, type urls and serialisation shared by the files Envoy reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from agentrollouts.dataplane.model import Key

Json = dict[str, Any]

LDS, CDS, SCRIPT, BOOTSTRAP = "lds.json", "cds.json", "session.lua", "bootstrap.json"
SHARDS = 16
"""Route files. Every file subscription takes an inotify *instance*, of which a uid has 128 on a node by
default, so a file per agent would stop Envoy at some sixty agents (seen: it aborts). A flip rewrites one
shard: a sixteenth of the routes."""

_TYPES = "type.googleapis.com/"
LISTENER = f"{_TYPES}envoy.config.listener.v3.Listener"
CLUSTER = f"{_TYPES}envoy.config.cluster.v3.Cluster"
ROUTES = f"{_TYPES}envoy.config.route.v3.RouteConfiguration"
HCM = f"{_TYPES}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = f"{_TYPES}envoy.extensions.filters.http.router.v3.Router"
LUA = f"{_TYPES}envoy.extensions.filters.http.lua.v3.Lua"
LUA_PER_ROUTE = f"{_TYPES}envoy.extensions.filters.http.lua.v3.LuaPerRoute"
EARLY_MUTATION = f"{_TYPES}envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
HTTP_OPTIONS = f"{_TYPES}envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
PREVIOUS_HOSTS = f"{_TYPES}envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
STDOUT_LOG = f"{_TYPES}envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
FIXED_HEAP = f"{_TYPES}envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig"
DOWNSTREAM_CONNECTIONS = (
    f"{_TYPES}envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
)


def name_of(key: Key) -> str:
    """``shop/support``: the name of a listener, virtual host or cluster, and the label value in Envoy's metrics."""
    return "/".join(key)


@lru_cache(maxsize=16_384)
def shard_of(key: Key) -> str:
    """The route file an agent lives in; a stable hash, so that every router pod and every restart agrees."""
    digest = hashlib.sha256(name_of(key).encode()).digest()
    return f"rds-{digest[0] % SHARDS:02d}"


def shard_names() -> tuple[str, ...]:
    """The stems of all route files."""
    return tuple(f"rds-{number:02d}" for number in range(SHARDS))


def file_source(path: Path) -> Json:
    """A config source of one file.

    A rename into place is seen without ``watched_directory``, which would also wake every other subscription
    of the folder.
    """
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def compact(resource: Mapping[str, Any]) -> str:
    """A resource as JSON, always the same text for the same content."""
    return json.dumps(resource, separators=(",", ":"), sort_keys=True)


def discovery_file(resources: Iterable[str]) -> bytes:
    """A DiscoveryResponse of `compact` resources; its version is the digest of them: equal content is an equal file."""
    body = f"[{','.join(resources)}]"
    version = hashlib.sha256(body.encode()).hexdigest()[:16]
    return f'{{"version_info":"{version}","resources":{body}}}\n'.encode()


def version_of(content: bytes) -> str:
    """The version written by `discovery_file`."""
    return content[17:33].decode()


def overwrite(name: str, value: str) -> Json:
    """A header that replaces whatever came under that name."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
