"""The operator's own metrics, in a registry of their own, and what the probes ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agentrollouts.api.advisor import AdviceOutcome
from agentrollouts.api.notify import NOTIFIER_KINDS
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decision import Decision
from agentrollouts.core.monitor.watch import Look
from agentrollouts.runtime.store import RESOURCES, Store
from agentrollouts.runtime.views import Place

_TICKS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Telemetry:
    """Every metric of a fixed label set exists from the start, so that an alert on it never meets nothing."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self.decisions = Counter(
            "agentrollouts_decision_total",
            "Decisions that moved something or changed what stands in the way.",
            ["decision", "reason"],
            registry=registry,
        )
        self.checks = Counter(
            "agentrollouts_check_result",
            "Verdicts of checks when they changed.",
            ["check", "verdict"],
            registry=registry,
        )
        self.rollback_seconds = Histogram(
            "agentrollouts_rollback_duration_seconds",
            "From the decision to roll back to the last write of its plan; the route is the first.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.tick_seconds = Histogram(
            "agentrollouts_tick_duration_seconds",
            "One tick, waiting for evidence and writes included.",
            ["kind"],
            buckets=_TICKS,
            registry=registry,
        )
        self.tick_lag = Histogram(
            "agentrollouts_tick_lag_seconds",
            "How much later than due a tick began.",
            buckets=_TICKS,
            registry=registry,
        )
        self.tick_errors = Counter(
            "agentrollouts_tick_errors_total", "Ticks that failed.", ["kind", "error"], registry=registry
        )
        self.route_writes = Counter(
            "agentrollouts_route_writes_total", "Routes written.", ["urgent"], registry=registry
        )
        self.route_write_errors = Counter(
            "agentrollouts_route_write_errors_total",
            "Plans with a route to write that failed.",
            ["error"],
            registry=registry,
        )
        self.queries = Counter(
            "agentrollouts_metric_source_queries_total", "Queries sent to Prometheus.", registry=registry
        )
        self.query_errors = Counter(
            "agentrollouts_metric_source_errors_total", "Queries that weren't answered.", registry=registry
        )
        self.own_query_errors = Counter(
            "agentrollouts_own_query_errors_total",
            "Queries of promql checks that weren't answered.",
            registry=registry,
        )
        self.opinions = Counter(
            "agentrollouts_advisor_opinions_total",
            "Answers of advisors: proceed, hold, rollback, or why there was no opinion.",
            ["outcome"],
            registry=registry,
        )
        self.advisor_tokens = Counter(
            "agentrollouts_advisor_tokens_total", "Tokens of the advisors' answers.", registry=registry
        )
        self.notifications = Counter(
            "agentrollouts_notifications_total",
            "Tries to deliver a notice, by kind of notifier: Delivered, Failed (tried again) or GivenUp.",
            ["notifier", "outcome"],
            registry=registry,
        )
        self.bundles = Counter(
            "agentrollouts_evidence_bundles_total",
            "Tries to give the evidence of a rollback to the ledger: Kept, Failed (tried again) or Refused.",
            ["outcome"],
            registry=registry,
        )
        self.last_event = Gauge(
            "agentrollouts_watch_last_event_timestamp_seconds",
            "Unix time of the last event of a watch.",
            ["resource"],
            registry=registry,
        )
        self.swept = Counter(
            "agentrollouts_swept_objects_total",
            "Objects whose change or deletion no watch had told of.",
            ["resource"],
            registry=registry,
        )
        self.leader = Gauge("agentrollouts_leader", "1 while this process decides.", registry=registry)
        for resource in RESOURCES:
            self.last_event.labels(resource)
            self.swept.labels(resource)
        for outcome in get_args(AdviceOutcome):
            self.opinions.labels(outcome)
        for kind in NOTIFIER_KINDS:
            for result in ("Delivered", "Failed", "GivenUp"):
                self.notifications.labels(kind, result)
        for result in ("Kept", "Failed", "Refused"):
            self.bundles.labels(result)
        for urgent in ("true", "false"):
            self.route_writes.labels(urgent)
        for kind in ("Rollout", "AgentVersion"):
            self.tick_seconds.labels(kind)

    def decided(
        self, decision: Decision, *, changed: bool, results: Iterable[CheckResult], before: Mapping[str, str]
    ) -> None:
        """Count a decision and the verdicts that changed with it."""
        if changed:
            self.decisions.labels(type(decision).__name__, decision.reason).inc()
        for result in results:
            if before.get(result.name) != result.verdict.value:
                self.checks.labels(result.name, result.verdict.value).inc()

    def advised(self, outcome: AdviceOutcome, tokens: int) -> None:
        """Count an advisor's answer."""
        self.opinions.labels(outcome).inc()
        self.advisor_tokens.inc(max(0, tokens))

    def watch(
        self,
        store: Store,
        *,
        overdue: Callable[[], float],
        now: Callable[[], datetime],
        looks: Mapping[Place, Look],
    ) -> None:
        """Add the gauges that are read from the store, and from the monitor's last looks, when they are asked for."""
        self.registry.register(_Rollouts(store, overdue, now))
        self.registry.register(_Behavior(looks))


@dataclass(frozen=True, slots=True, eq=False)
class _Rollouts(Collector):
    """Gauges about each rollout: read at the scrape, so that one that is gone leaves no series behind."""

    store: Store
    overdue: Callable[[], float]
    now: Callable[[], datetime]

    def collect(self) -> Iterable[Metric]:
        labels = ["namespace", "rollout"]
        info = GaugeMetricFamily(
            "agentrollouts_rollout_info",
            "1 for each rollout.",
            labels=[*labels, "phase", "stable", "candidate"],
        )
        share = GaugeMetricFamily(
            "agentrollouts_rollout_share",
            "Share of each arm, from 0 to 1.",
            labels=[*labels, "version", "cohort"],
        )
        waiting = GaugeMetricFamily(
            "agentrollouts_gate_waiting_seconds", "How long a rollout has waited for approval.", labels=labels
        )
        now = self.now()
        for place, item in list(self.store.rollouts.items.items()):
            status = item.status
            stable = status.stable.version if status.stable else ""
            candidate = status.candidate.version if status.candidate else ""
            info.add_metric([*place, status.phase, stable, candidate], 1)
            if status.phase == "AwaitingApproval" and status.decision is not None:
                waiting.add_metric([*place], (now - status.decision.at).total_seconds())
            route = self.store.routes.get(place)
            for arm in route.spec.arms if route is not None and route.spec is not None else ():
                share.add_metric([*place, arm.version, arm.cohort], arm.share / 10_000)
        yield info
        yield share
        yield waiting
        yield GaugeMetricFamily(
            "agentrollouts_queue_overdue_seconds",
            "How long the longest-waiting key is past its moment.",
            value=self.overdue(),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Behavior(Collector):
    """Gauges about stable versions. What isn't known has no series: 0 would say that nothing changed."""

    looks: Mapping[Place, Look]

    def collect(self) -> Iterable[Metric]:
        labels = ["namespace", "rollout", "signal"]
        drifting = GaugeMetricFamily(
            "agentrollouts_behavior_drifting",
            "1 while the stable version does otherwise than when it was accepted, beyond what is allowed and chance.",
            labels=labels,
        )
        moved = GaugeMetricFamily(
            "agentrollouts_behavior_moved",
            "How far it is from its profile, as a fraction; chance is part of it.",
            labels=labels,
        )
        for place, look in list(self.looks.items()):
            for finding in look.findings:
                drifting.add_metric([*place, finding.signal], float(finding.drifting))
                moved.add_metric([*place, finding.signal], finding.moved)
        yield drifting
        yield moved
