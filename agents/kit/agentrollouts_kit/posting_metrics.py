"""What became of the records for the task ledger, as Prometheus families of one process."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from agentrollouts_kit.identity import Identity
from agentrollouts_kit.posting import Posted

_LABELS = ("agent", "version", "digest")


def posting_families(identity: Identity, posted: Posted) -> Iterator[Metric]:
    """The families; an agent that posts nowhere has none."""
    labels = (identity.agent, identity.version, identity.digest)
    for name, text, value in (
        ("agent_ledger_posted", "Tasks that the task ledger has.", posted.posted),
        ("agent_ledger_cut", "Tasks whose record was too large and is cut.", posted.cut),
    ):
        counter = CounterMetricFamily(name, text, labels=_LABELS)
        counter.add_metric(labels, value)
        yield counter
    dropped = CounterMetricFamily(
        "agent_ledger_dropped", "Tasks that never reach the task ledger.", labels=(*_LABELS, "reason")
    )
    for reason, value in posted.dropped.items():
        dropped.add_metric((*labels, reason), value)
    yield dropped
    spooled = GaugeMetricFamily(
        "agent_ledger_spooled", "Tasks that wait for the task ledger.", labels=_LABELS
    )
    spooled.add_metric(labels, posted.spooled)
    yield spooled
