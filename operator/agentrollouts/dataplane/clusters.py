"""Clusters with their endpoints inside (one file): a Service of one version is one cluster.

Endpoints in the cluster rather than in files of their own: see `resources.SHARDS`. Envoy replaces a changed
cluster as a whole; requests in flight finish on the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from agentrollouts.dataplane.model import Endpoint, Key
from agentrollouts.dataplane.resources import CLUSTER, HTTP_OPTIONS, Json, compact, discovery_file, name_of

MAGLEV_TABLE = 65_537
"""Prime and coprime to 10,000. The place on the ring is hash mod 10,000 and the pod is hash mod the table's
size, so the two are independent and the users of a 1 % arm spread over all of its pods.

The larger the table, the fewer sessions leave a pod that lives when another one comes or goes (Maglev, NSDI
2016, §5.3): of ten pods one dying moves 0.24 % of the others' sessions, with 5,003 entries it was 1.2 %. A
table costs about 2 ms when its pods change, and 30 KB."""

UPSTREAM_IDLE = "1.5s"
"""Shorter than the shortest keep-alive of common agent servers (gunicorn 2 s, uvicorn and node 5 s): a
request never goes out on a connection the agent is just closing, which couldn't be retried safely."""

Endpoints = Mapping[Key, tuple[Endpoint, ...]]


def cluster(key: Key, endpoints: tuple[Endpoint, ...]) -> Json:
    """The Envoy cluster of one version's Service."""
    return {
        "@type": CLUSTER,
        "name": name_of(key),
        "type": "STATIC",
        "connect_timeout": "1s",
        "lb_policy": "MAGLEV",
        "maglev_lb_config": {"table_size": MAGLEV_TABLE},
        "load_assignment": {
            "cluster_name": name_of(key),
            "endpoints": [{"lb_endpoints": [_endpoint(item) for item in endpoints]}],
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 100_000,
                    "max_pending_requests": 100_000,
                    "max_requests": 100_000,
                    "max_retries": 1_000,
                }
            ]
        },
        # Only what this proxy itself saw fail (refused, reset while connecting) ejects a pod. An agent's own
        # 5xx is an outcome to be measured: ejecting for it would hide it and move sessions.
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 3,
            "enforcing_consecutive_local_origin_failure": 100,
            "enforcing_local_origin_success_rate": 0,
            "enforcing_consecutive_5xx": 0,
            "enforcing_consecutive_gateway_failure": 0,
            "enforcing_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_time": "30s",
            "max_ejection_percent": 50,
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": HTTP_OPTIONS,
                "common_http_protocol_options": {"idle_timeout": UPSTREAM_IDLE},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def _endpoint(item: Endpoint) -> Json:
    return {"endpoint": {"address": {"socket_address": {"address": item.address, "port_value": item.port}}}}


def clusters_file(endpoints: Endpoints) -> bytes:
    """The CDS file for exactly the given Services."""
    return discovery_file(_cluster_text(key, endpoints[key]) for key in sorted(endpoints))


@lru_cache(maxsize=16_384)
def _cluster_text(key: Key, endpoints: tuple[Endpoint, ...]) -> str:
    # The file has every cluster; an event changes one.
    return compact(cluster(key, endpoints))
