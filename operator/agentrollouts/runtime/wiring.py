"""One operator's parts, wired."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agentrollouts.advisors import Advisors, Endpoint
from agentrollouts.bundles import LedgerBundles
from agentrollouts.core.task_ledger import TaskLedger
from agentrollouts.notifiers import Destinations, Notifiers
from agentrollouts.ports import Advisor, Clock, EvidenceStore, Key, MetricSource, Notifier, Progress
from agentrollouts.replay.progress import PodProgress
from agentrollouts.runtime import handlers
from agentrollouts.runtime.access import Access
from agentrollouts.runtime.archivist import Archivist
from agentrollouts.runtime.counsel import Counsel
from agentrollouts.runtime.counter_book import CounterBook
from agentrollouts.runtime.courier import Courier
from agentrollouts.runtime.evidence import EvidenceBook
from agentrollouts.runtime.execute import Executor
from agentrollouts.runtime.housekeeping import Housekeeping
from agentrollouts.runtime.loading import Loading
from agentrollouts.runtime.monitoring import Monitor
from agentrollouts.runtime.observe import World
from agentrollouts.runtime.progress import ProgressBook
from agentrollouts.runtime.reader import Reader
from agentrollouts.runtime.scheduler import Scheduler, Timing
from agentrollouts.runtime.services import RouteServices
from agentrollouts.runtime.settings import Settings
from agentrollouts.runtime.store import Resource, Store
from agentrollouts.runtime.telemetry import Telemetry
from agentrollouts.runtime.tick import Epoch, Ticker
from agentrollouts.runtime.writer import Writer


class SystemClock:
    """The machine's time of day."""

    def now(self) -> datetime:
        """Timezone-aware UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Unshared:
    """In place of a lease where nobody else acts."""

    held: bool = True


class Operator:
    """Everything that decides. Used by the app and, with other adapters, by tests and benchmarks."""

    def __init__(
        self,
        settings: Settings,
        *,
        cluster: Access,
        source: MetricSource,
        lease: Epoch,
        clock: Clock,
        advisor: Advisor | None = None,
        notifier: Notifier | None = None,
        evidence_store: EvidenceStore | None = None,
        progress: Progress | None = None,
        telemetry: Telemetry | None = None,
        timing: Timing | None = None,
    ) -> None:
        timing, ledger = timing or Timing(chance=random.random), settings.ledger
        self.telemetry = telemetry or Telemetry()
        self.world = World(
            require_policy=settings.require_policy,
            router_namespace=settings.router.namespace,
            ledger=TaskLedger(ledger.url, ledger.agent_secret) if ledger.url else None,
            job_image=settings.job_image,
        )
        self.store = Store(self._wake, monotonic=timing.monotonic)
        advisor = advisor or Advisors(Endpoint(settings.advisor.url, settings.advisor.api_key))
        self.counsel = Counsel(advisor, clock, self.telemetry, self._wake)
        self.monitor = Monitor(
            CounterBook(source, clock, timing.monotonic), clock, self._wake, timing.monotonic
        )
        notifier = notifier or Notifiers(Destinations(settings.destinations), clock)
        self.courier = Courier(notifier, cluster, self.telemetry, self._wake, timing)
        if evidence_store is None and ledger.url:
            evidence_store = LedgerBundles(ledger.url, ledger.token_file)
        self.archivist = Archivist(evidence_store, cluster, self.telemetry, self._wake, timing)
        self.reader = Reader(cluster, self._wake, timing)
        self.progress = ProgressBook(progress or PodProgress(), self._wake, timing)
        services = RouteServices(cluster, self.store, settings.router, timing.monotonic)
        self.ticker = Ticker(
            store=self.store,
            world=self.world,
            evidence=EvidenceBook(source, clock, timing.monotonic),
            writer=Writer(
                store=self.store,
                executor=Executor(cluster, self.store, self.telemetry),
                services=services,
                telemetry=self.telemetry,
                monotonic=timing.monotonic,
            ),
            counsel=self.counsel,
            monitor=self.monitor,
            courier=self.courier,
            archivist=self.archivist,
            progress=self.progress,
            reader=self.reader,
            telemetry=self.telemetry,
            clock=clock,
            lease=lease,
            monotonic=timing.monotonic,
        )
        self.scheduler = Scheduler(self.ticker, timing=timing, on_lag=self.telemetry.tick_lag.observe)
        self.loading = Loading(source, self.store.heard)
        self.housekeeping = Housekeeping(
            cluster=cluster,
            store=self.store,
            world=self.world,
            settings=settings,
            telemetry=self.telemetry,
            selectors=handlers.SELECTORS,
            wake=self.scheduler.wake,
            orphans=services.orphans,
            read_loaded=self.loading.read,
        )
        self.ticker.doubt = lambda: self.housekeeping.relisted("agentroutes")
        self.telemetry.watch(
            self.store, overdue=self.scheduler.overdue, now=clock.now, looks=self.monitor.looks
        )

    def _wake(self, key: Key) -> None:
        self.scheduler.wake(key)

    def observe(self, resource: Resource, kind: str | None, raw: Mapping[str, Any]) -> None:
        """One event of a watch."""
        self.telemetry.last_event.labels(resource).set_to_current_time()
        if kind is None:
            self.housekeeping.relisted(resource)
        self.store.observe(resource, kind, raw)
