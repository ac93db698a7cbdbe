"""The ledger's own metrics, in a registry of their own."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics

RESULTS: Final = ("stored", "duplicate", "refused", "redaction_failed")


class Telemetry:
    """Every series exists from the start, so that an alert on it never meets nothing."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self.tasks = Counter(
            "agentrollouts_ledger_tasks",
            "Tasks that were posted, by what became of them.",
            ["result"],
            registry=registry,
        )
        for result in RESULTS:
            self.tasks.labels(result)
        self.unavailable = Counter(
            "agentrollouts_ledger_unavailable",
            "Requests answered with 503, since the database was down or full.",
            registry=registry,
        )
        self.removed = Counter(
            "agentrollouts_ledger_removed_tasks",
            "Tasks that were removed by age or number.",
            registry=registry,
        )
        self.evidence = Counter(
            "agentrollouts_ledger_evidence", "Bundles of evidence that were stored.", registry=registry
        )
