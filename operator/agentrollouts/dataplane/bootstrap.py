"""Envoy's bootstrap: where its files are, what it measures, when it sheds load."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from agentrollouts.dataplane.resources import (
    CDS,
    DOWNSTREAM_CONNECTIONS,
    FIXED_HEAP,
    HCM,
    LDS,
    ROUTER,
    Json,
    file_source,
)

COUNTED = (
    r"cluster_manager\.(cds\..*|active_clusters|warming_clusters)",
    r"listener_manager\.(lds\..*|total_listeners_.*|listener_create_failure)",
    r"server\.(live|state|uptime|memory_allocated|memory_heap_size|concurrency|total_connections)",
    r"overload\..*",
    r"http\..*\.downstream_(rq_(active|total|completed|[1-5]xx|idle_timeout)|cx_(active|total))",
    r"http\..*\.rds\..*\.(version_text|update_(success|rejected)|config_reload)",
    r"http\..*\.lua\..*errors",
    r"cluster\..*\.upstream_rq_(active|total|completed|[1-5]xx|time|timeout)",
    r"cluster\..*\.upstream_rq_(retry|retry_success|retry_overflow|rx_reset|tx_reset|pending_failure_eject)",
    r"cluster\..*\.upstream_cx_(active|total|connect_fail|connect_timeout)",
    r"cluster\..*\.membership_(total|healthy)",
    r"cluster\..*\.outlier_detection\.ejections_(active|enforced_total)",
)
"""The metrics kept, as regular expressions over the whole name: per agent (listener) and per version
(cluster), about thirty each. Everything else Envoy would count for each cluster is left out."""


@dataclass(frozen=True, slots=True)
class BootstrapSettings:
    """``folder`` and ``admin_socket`` as Envoy sees them; ``max_heap_bytes`` is the memory limit less some room."""

    folder: Path
    admin_socket: Path
    stats_port: int = 9901
    stats_address: str = "0.0.0.0"  # noqa: S104  Prometheus and the kubelet come from outside the pod
    max_heap_bytes: int = 400 * 1024 * 1024
    max_connections: int = 50_000


def bootstrap(settings: BootstrapSettings) -> bytes:
    """The bootstrap file as JSON."""
    config: Json = {
        "node": {"id": "agent-rollouts-router", "cluster": "agent-rollouts-router"},
        # A socket file in the pod's own volume: nothing outside the pod can reach the admin interface.
        "admin": {"address": {"pipe": {"path": str(settings.admin_socket), "mode": 0o660}}},
        "dynamic_resources": {
            "lds_config": file_source(settings.folder / LDS),
            "cds_config": file_source(settings.folder / CDS),
        },
        "static_resources": {
            "listeners": [_stats_listener(settings)],
            "clusters": [_admin_cluster(settings)],
        },
        "stats_config": {
            "stats_matcher": {
                "inclusion_list": {"patterns": [{"safe_regex": {"regex": item}} for item in COUNTED]}
            }
        },
        "overload_manager": _overload(settings),
    }
    return (json.dumps(config, indent=1) + "\n").encode()


def _stats_listener(settings: BootstrapSettings) -> Json:
    get = {"name": ":method", "string_match": {"exact": "GET"}}
    routes = [
        {"match": {"path": path, "headers": [get]}, "route": {"cluster": "admin"}}
        for path in ("/stats/prometheus", "/ready")
    ]
    manager = {
        "@type": HCM,
        "stat_prefix": "stats",
        "route_config": {"virtual_hosts": [{"name": "stats", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
    }
    return {
        "name": "stats",
        "address": {"socket_address": {"address": settings.stats_address, "port_value": settings.stats_port}},
        # The probe has to get through when everything else is shed.
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _admin_cluster(settings: BootstrapSettings) -> Json:
    endpoint = {"address": {"pipe": {"path": str(settings.admin_socket)}}}
    assignment = {"cluster_name": "admin", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]}
    return {"name": "admin", "type": "STATIC", "connect_timeout": "1s", "load_assignment": assignment}


def _overload(settings: BootstrapSettings) -> Json:
    heap = "envoy.resource_monitors.fixed_heap"
    connections = "envoy.resource_monitors.global_downstream_max_connections"
    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            {
                "name": heap,
                "typed_config": {"@type": FIXED_HEAP, "max_heap_size_bytes": settings.max_heap_bytes},
            },
            {
                "name": connections,
                "typed_config": {
                    "@type": DOWNSTREAM_CONNECTIONS,
                    "max_active_downstream_connections": settings.max_connections,
                },
            },
        ],
        "actions": [
            {
                "name": f"envoy.overload_actions.{action}",
                "triggers": [{"name": heap, "threshold": {"value": at}}],
            }
            for action, at in (("shrink_heap", 0.85), ("stop_accepting_requests", 0.95))
        ],
    }
