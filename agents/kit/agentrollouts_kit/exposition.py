"""The counters as Prometheus families. Every series of every cohort is always there, at zero until it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from agentrollouts_kit.families import CounterFamily, HistogramFamily, counters, histograms
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.layout import Layout
from agentrollouts_kit.tally import Caps
from agentrollouts_kit.vocabulary import COHORTS

_COMMON = ("agent", "version", "digest", "cohort")


class Exposition:
    """Turns the counter cells of one process or the sum over several into metric families."""

    def __init__(
        self,
        *,
        identity: Identity,
        tools: tuple[str, ...],
        scores: tuple[str, ...],
        topics: tuple[str, ...] = (),
        layout: Layout,
        caps: Caps,
    ) -> None:
        self._labels = (identity.agent, identity.version, identity.digest)
        self._size = layout.counters.size
        self._counters = counters(layout.counters, tools=tools, scores=scores, topics=topics, caps=caps)
        self._histograms = histograms(layout.counters)
        self._caps = caps

    def families(self, cells: Sequence[float], *, problems: int) -> Iterator[Metric]:
        """All families with these values; `cells` are the counter cells of a layout."""
        for counter in self._counters:
            yield self._counter(counter, cells)
        for histogram in self._histograms:
            yield self._histogram(histogram, cells)
        yield self._gauge("agent_build_info", "Always 1; which version this process runs.", 1)
        largest, *_ = self._caps.cost_usd
        yield self._gauge("agent_cost_cap_usd", "The largest cap of the cost of a task.", largest)
        yield self._gauge(
            "agent_llm_calls_cap",
            "The cap of a task's calls of language models in the session's fraction.",
            self._caps.llm_calls,
        )
        yield self._gauge(
            "agent_response_length_cap_chars",
            "The cap of a task's answer in the session's fraction, in characters.",
            self._caps.response_chars,
        )
        trouble = CounterMetricFamily(
            "agent_reporting_problems",
            "Reports that were wrong or could not be recorded; see the log.",
            labels=_COMMON[:3],
        )
        trouble.add_metric(self._labels, problems)
        yield trouble

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, text, labels=_COMMON[:3])
        family.add_metric(self._labels, value)
        return family

    def _counter(self, counter: CounterFamily, cells: Sequence[float]) -> Metric:
        family = CounterMetricFamily(counter.name, counter.help, labels=(*_COMMON, *counter.labels))
        for number, cohort in enumerate(COHORTS):
            first = number * self._size + counter.cell
            for offset, values in enumerate(counter.values):
                family.add_metric((*self._labels, cohort, *values), cells[first + offset])
        return family

    def _histogram(self, histogram: HistogramFamily, cells: Sequence[float]) -> Metric:
        family = HistogramMetricFamily(histogram.name, histogram.help, labels=_COMMON)
        for number, cohort in enumerate(COHORTS):
            first = number * self._size + histogram.cell
            counts = accumulate(cells[first : first + len(histogram.edges)])
            buckets = list(zip(histogram.edges, counts, strict=True))
            total = cells[number * self._size + histogram.sum_cell]
            family.add_metric((*self._labels, cohort), buckets, sum_value=total)
        return family


class Collected(CollectorRegistry):
    """Families that were collected already, in the shape an encoder takes."""

    def __init__(self, families: list[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """The families."""
        return iter(self._families)
