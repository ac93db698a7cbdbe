"""The metric source of an operator without one: it says so, and candidates wait for evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from agentrollouts.core.asked import Row
from agentrollouts.core.evidence import CounterQuery, Unavailable
from agentrollouts.ports import AgentKey, AgentSeries

_WHY = Unavailable("no Prometheus is configured: start the operator with --prometheus URL")


class NoSource:
    """Implements :class:`agentrollouts.ports.MetricSource`."""

    async def ask(self, query: str) -> tuple[Row, ...] | Unavailable:
        """No rows."""
        del query
        return _WHY

    async def current(
        self, queries: Sequence[CounterQuery], agents: Sequence[AgentKey]
    ) -> Mapping[CounterQuery, AgentSeries | Unavailable]:
        """Nothing, about nobody."""
        del agents
        return dict.fromkeys(queries, _WHY)

    async def history(
        self, queries: Sequence[CounterQuery], agents: Sequence[AgentKey], *, since: datetime, until: datetime
    ) -> Mapping[CounterQuery, AgentSeries | Unavailable]:
        """Nothing, about nobody, of no time."""
        del agents, since, until
        return dict.fromkeys(queries, _WHY)
