"""The sidecar's own metrics, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from agentrollouts.dataplane.model import Key


class Telemetry:
    """Every metric exists from the start, so that an alert on it never meets nothing."""

    def __init__(self, *, config_age: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        age = Gauge(
            "agentrollouts_router_config_age_seconds",
            "Seconds since every watch was last heard: how old the truth behind the configuration may be.",
            registry=self.registry,
        )
        age.set_function(config_age)
        self.route_epoch = Gauge(
            "agentrollouts_router_route_epoch",
            "Epoch of the route in force.",
            ["namespace", "agent"],
            registry=self.registry,
        )
        self.apply_seconds = Histogram(
            "agentrollouts_router_apply_seconds",
            "From hearing of a change to the rename of the last file for it.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=self.registry,
        )
        self.pending = Gauge(
            "agentrollouts_router_pending",
            "1 while Envoy hasn't confirmed the configuration written; lasting, Envoy refuses it.",
            registry=self.registry,
        )
        self.last_event = Gauge(
            "agentrollouts_router_watch_last_event_timestamp_seconds",
            "Unix time of the last event, bookmark or list of a watch.",
            ["resource"],
            registry=self.registry,
        )
        self.watch_restarts = Counter(
            "agentrollouts_router_watch_restarts_total",
            "Watches that ended by an error or by silence.",
            ["resource", "reason"],
            registry=self.registry,
        )
        self.stale_routes = Counter(
            "agentrollouts_router_stale_routes_ignored_total",
            "Routes ignored because a newer writer was seen before.",
            registry=self.registry,
        )
        self.invalid_objects = Counter(
            "agentrollouts_router_invalid_objects_total",
            "Objects that can't be served; the last good one stays.",
            ["resource"],
            registry=self.registry,
        )
        for resource in ("agentroutes", "endpointslices"):
            self.last_event.labels(resource)
            self.invalid_objects.labels(resource)
            for reason in ("error", "expired", "silent"):
                self.watch_restarts.labels(resource, reason)

    def forget_route(self, key: Key) -> None:
        """Drop the series of a route that is gone."""
        self.route_epoch.remove(*key)
