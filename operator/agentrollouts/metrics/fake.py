"""A metric source in memory, for tests and simulations. It passes the contract suite of the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import nan
from typing import Literal

from agentrollouts.core.asked import Row
from agentrollouts.core.evidence import CounterQuery, Point, Series, SeriesKey, Unavailable
from agentrollouts.metrics.identity import LOOKBACK, key_of, merged
from agentrollouts.ports import AgentKey, AgentSeries

Mode = Literal["ok", "down", "nan", "empty"]
Labels = frozenset[tuple[str, str]]


@dataclass(slots=True)
class FakeSource:
    """Implements :class:`agentrollouts.ports.MetricSource` over samples it was given.

    ``now`` is the server's clock. ``mode``: ``down`` answers nothing, ``nan`` has broken counters for every agent,
    ``empty`` has no series.
    """

    now: Callable[[], datetime]
    mode: Mode = "ok"
    queries: int = 0
    """Queries answered so far: one per counter asked for."""
    asked: list[str] = field(default_factory=list)
    """Texts of users' queries that were asked."""
    _samples: dict[str, dict[Labels, list[Point]]] = field(default_factory=dict)
    _told: dict[str, tuple[Row, ...]] = field(default_factory=dict)

    def sample(self, metric: str, labels: Mapping[str, str], *, time: float, value: float) -> None:
        """One scraped sample. Times of one series must rise."""
        points = self._samples.setdefault(metric, {}).setdefault(frozenset(labels.items()), [])
        if points and points[-1].time >= time:
            raise ValueError(f"samples of {metric} must rise in time: {time} after {points[-1].time}")
        points.append(Point(time, value))

    def tell(self, query: str, *rows: Row) -> None:
        """What that text of a query is answered with from now on. One that nobody told of has no rows."""
        self._told[query] = rows

    async def ask(self, query: str) -> tuple[Row, ...] | Unavailable:
        """The rows told of."""
        self.asked.append(query)
        if self.mode == "down":
            return Unavailable("the fake source is down: asked a query")
        if query.count("(") != query.count(")"):
            return Unavailable("the fake source: bad_data: parse error: parentheses don't match")
        rows = self._told.get(query, ()) if self.mode != "empty" else ()
        return tuple(row._replace(value=nan) for row in rows) if self.mode == "nan" else rows

    async def current(
        self, queries: Sequence[CounterQuery], agents: Sequence[AgentKey]
    ) -> Mapping[CounterQuery, AgentSeries | Unavailable]:
        """The newest sample of each counter."""
        until = self.now().timestamp()
        return {query: self._answer(query, agents, until - LOOKBACK, until, newest=True) for query in queries}

    async def history(
        self, queries: Sequence[CounterQuery], agents: Sequence[AgentKey], *, since: datetime, until: datetime
    ) -> Mapping[CounterQuery, AgentSeries | Unavailable]:
        """All samples in between, oldest first."""
        stretch = (since.timestamp(), until.timestamp())
        return {query: self._answer(query, agents, *stretch, newest=False) for query in queries}

    def _answer(
        self, query: CounterQuery, agents: Sequence[AgentKey], since: float, until: float, *, newest: bool
    ) -> AgentSeries | Unavailable:
        self.queries += 1
        if self.mode == "down":
            return Unavailable(f"the fake source is down: asked about {query.metric}")
        found: dict[AgentKey, dict[SeriesKey, list[Sequence[Point]]]] = {}
        broken: dict[AgentKey, Unavailable] = {}
        for frozen, points in self._samples.get(query.metric, {}).items() if self.mode != "empty" else ():
            labels = dict(frozen)
            agent = AgentKey(labels.get("namespace", ""), labels.get("agent", ""))
            within = [point for point in points if since <= point.time <= until]
            if agent not in agents or not within:
                continue
            within = [Point(until, within[-1].value)] if newest else within
            if self._is_broken(labels, query, within):
                broken[agent] = Unavailable(
                    f"{query.metric} of {agent.namespace}/{agent.agent} can't be read"
                )
            found.setdefault(agent, {}).setdefault(key_of(labels, query.dimension), []).append(within)
        return {
            agent: tuple(Series(query, key, merged(several)) for key, several in by_key.items())
            for agent, by_key in found.items()
        } | broken

    def _is_broken(self, labels: Mapping[str, str], query: CounterQuery, points: Sequence[Point]) -> bool:
        if self.mode == "nan" or not labels.get("version"):
            return True
        if query.dimension and query.dimension not in labels:
            return True
        return not all(0.0 <= point.value < float("inf") for point in points)
