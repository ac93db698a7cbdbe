"""The PromQL texts: one per counter, or bundle of counters, for all agents together, and never a rate.

``rate()`` and ``increase()`` extrapolate to counts nobody had; resets are found by the reader, in each raw counter by
itself. The newest sample is taken with ``last_over_time`` instead of a bare selector, because a bare selector forgets a
pod's last counts at the moment the pod is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agentrollouts.core.evidence import CounterQuery
from agentrollouts.core.template import as_regex, quotable
from agentrollouts.metrics.identity import SCRAPE_LABELS
from agentrollouts.ports import AgentKey

NAMED = 50
"""Agents (and namespaces) named in a query at most; a longer alternation costs the server more than it saves."""

COUNTER = "__counter__"
"""The label that tells the counters of a bundle apart: an aggregation drops their names."""

_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def complaint(query: CounterQuery) -> str:
    """What is wrong with a query's names, or nothing. Names come from users' specs and become part of a query's text."""
    if not _METRIC.fullmatch(query.metric):
        return f"expected a metric name, got {query.metric!r}"
    if query.dimension and not _LABEL.fullmatch(query.dimension):
        return f"expected a label name, got {query.dimension!r}"
    return ""


def selector(
    metrics: Sequence[str], agents: Sequence[AgentKey], *, matchers: Mapping[str, str] | None = None
) -> str:
    """The raw series of the agents; maybe more than theirs, never fewer."""
    name, several = metrics[0], len(metrics) > 1
    parts = [
        *((f'__name__=~"{"|".join(metrics)}"',) if several else ()),
        _any_of("agent", {key.agent for key in agents}),
        _any_of("namespace", {key.namespace for key in agents}),
        *(f"{label}={_quoted(value)}" for label, value in sorted((matchers or {}).items())),
    ]
    return f"{'' if several else name}{{{','.join(parts)}}}"


def newest(selected: str, *, seconds: int, several: bool = False) -> str:
    """The newest sample of each counter within so many seconds, without the labels of the scrape.

    Of ``several`` counters each keeps its name, in the label :data:`COUNTER`.
    """
    samples = f"last_over_time({selected}[{seconds}s])"
    if several:
        samples = f'label_replace({samples}, "{COUNTER}", "$1", "__name__", "(.+)")'
    return f"max without ({','.join(SCRAPE_LABELS)}) ({samples})"


def every(selected: str, *, seconds: int) -> str:
    """All samples within so many seconds."""
    return f"{selected}[{seconds}s]"


def _any_of(label: str, values: set[str]) -> str:
    if len(values) > NAMED:
        return f'{label}!=""'
    names = "|".join(as_regex(value) for value in sorted(values))
    return f"{label}=~{_quoted(names)}"


def _quoted(text: str) -> str:
    return f'"{quotable(text)}"'
