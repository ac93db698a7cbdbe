"""Which counter a raw series is: its key, from its labels.

A key must be the same at every moment and in every kind of answer, or a counter would be counted from zero again under its
second name. So it depends on the series' own labels alone, never on which other series exist:

* version, cohort and the kept label are what evidence is told apart by;
* the pod is whose counter it is. Labels that only say who scraped it (:data:`SCRAPE_LABELS`) don't matter, and neither does
  ``instance`` when there is a pod: a pod whose sandbox is made anew gets another address, but goes on counting;
* every other label (``container``, ``tool``, an agent's own) tells counters of one pod apart, so that each is checked for
  resets alone. It is written behind the pod's name: ``support-0{tool="search"}``.

Series that still have the same key are several scrapes of one counter; :func:`merged` says how they are read.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from agentrollouts.core.evidence import Point, SeriesKey
from agentrollouts.ports import AgentKey

SCRAPE_LABELS = (
    "digest",
    "endpoint",
    "exported_agent",
    "exported_digest",
    "exported_version",
    "job",
    "prometheus",
    "prometheus_replica",
    "replica",
    "service",
)
"""Labels of the scrape, not of the counter. ``digest`` is fixed by the version; ``exported_…`` is what an agent said of itself
where the pod's labels say otherwise, and the pod's labels are what counts."""
LOOKBACK = 120.0
"""Seconds a sample stands for its counter when no newer one came. Counts that a pod reported just before it went away are
seen by every reader that looks at least this often."""

_KNOWN = frozenset({*SCRAPE_LABELS, "__name__", "namespace", "agent", "version", "cohort", "pod"})


class Identity(NamedTuple):
    """Whose counter a raw series is, or why that can't be told."""

    agent: AgentKey
    key: SeriesKey
    problem: str


def identity_of(labels: Mapping[str, str], dimension: str) -> Identity:
    """The identity of a raw series with these labels, where ``dimension`` is the label that is kept.

    Series come back at every reading with the labels they had, so the answer is remembered: it costs a fifth then, and
    all readings share one key.
    """
    return _identity(tuple(labels), tuple(labels.values()), dimension)


@lru_cache(maxsize=65_536)
def _identity(names: tuple[str, ...], values: tuple[str, ...], dimension: str) -> Identity:
    labels = dict(zip(names, values, strict=True))
    agent = AgentKey(labels.get("namespace", ""), labels.get("agent", ""))
    return Identity(agent, key_of(labels, dimension), _missing(labels, dimension))


def _missing(labels: Mapping[str, str], dimension: str) -> str:
    """NB: an absent kept label would count as none of its values: an agent without ``outcome`` would never succeed."""
    if not labels.get("version"):
        return "no label version (does the scrape configuration set it from the pod's labels?)"
    if dimension and dimension not in labels:
        return f"no label {dimension}"
    return ""


def key_of(labels: Mapping[str, str], dimension: str) -> SeriesKey:
    """The key of a raw series."""
    pod = labels.get("pod", "")
    own = _own_labels(tuple(labels), dimension, bool(pod))
    if own:
        pod += "{" + ",".join([f'{name}="{labels[name]}"' for name in own]) + "}"
    return SeriesKey(labels.get("version", ""), labels.get("cohort", ""), pod, labels.get(dimension, ""))


@lru_cache(maxsize=1024)
def _own_labels(names: tuple[str, ...], dimension: str, has_pod: bool) -> tuple[str, ...]:
    """The labels that tell counters of one pod apart, sorted. Thousands of series share a handful of label sets."""
    known = _KNOWN | {dimension} | ({"instance"} if has_pod else set())
    return tuple(sorted(set(names) - known))


def merged(scrapes: Sequence[Sequence[Point]]) -> tuple[Point, ...]:
    """One counter from several scrapes of it, each oldest first: at any moment the largest that is not older than LOOKBACK.

    Never the sum (two replicas that scrape the same pod would double it), and never one after the other by time alone
    (a replica that lags behind would look like a reset at every sample).
    """
    if len(scrapes) == 1:
        return tuple(scrapes[0])
    latest: dict[int, Point] = {}
    points: list[Point] = []
    tagged = ([(point.time, number, point) for point in scrape] for number, scrape in enumerate(scrapes))
    for time, number, point in heapq.merge(*tagged):
        latest[number] = point
        latest = {n: p for n, p in latest.items() if time - p.time <= LOOKBACK}
        if points and points[-1].time == time:
            points.pop()
        points.append(Point(time, max(p.value for p in latest.values())))
    return tuple(points)
