"""Counters from a Prometheus server, or anything that speaks its API: one query per counter or bundle, for all agents.

Every failure is a value with its reason, never an exception and never a retry: the next tick asks again anyway.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from agentrollouts.core.asked import Row
from agentrollouts.core.evidence import CounterQuery, Unavailable
from agentrollouts.metrics.answers import MalformedError, by_counter, joined, rows_of, series_by_agent
from agentrollouts.metrics.exchange import Api, Budget, Exchange, Unanswered
from agentrollouts.metrics.identity import LOOKBACK
from agentrollouts.metrics.promql import complaint, every, newest, selector
from agentrollouts.ports import AgentKey, AgentSeries

Answers = Mapping[CounterQuery, AgentSeries | Unavailable]
Bundle = tuple[CounterQuery, ...]
"""Counters asked for in one query: one that stands alone, or all of a bundle."""
Found = Mapping[CounterQuery, AgentSeries]

RAW_AGE = 3600.0
"""Seconds of history read sample by sample. Of anything longer only :data:`HEAD` is."""
HEAD = 900.0
"""Seconds of a longer history read sample by sample: they hold the baselines, whose times must be exact."""
STEPS = 500
"""Points per series of the rest. Each is the last sample of its step, so nothing a counter gained is lost, except before
a reset within a step; agents with the kit keep their counters over restarts and don't reset."""
CHUNK = 50
"""Agents asked for together for history."""

TICK = Budget(seconds=5.0, max_bytes=64 * 2**20)
HISTORY = Budget(seconds=30.0, max_bytes=8 * 2**20)
"""Few bytes, since reading an answer holds up the ticks of everybody; what is larger is asked for in halves."""
CONCURRENCY = 8
"""Queries at a time."""
OWN_QUERY = Budget(seconds=10.0, max_bytes=2 * 2**20)
"""A user's query may be slow, for nobody waits for it; reading its answer holds up everybody, so that is small."""
OWN = "promql"
"""What exchanges about users' queries are called."""
WORDS = 500
"""Characters of a reason: a server repeats the query in its errors."""


@dataclass(slots=True)
class PrometheusSource:
    """Implements :class:`agentrollouts.ports.MetricSource`.

    ``matchers`` are label values every series must have, for servers that hold the same counters twice or those of several
    clusters. ``on_exchange`` is told of every request.
    """

    url: str
    client: httpx.AsyncClient
    matchers: Mapping[str, str] = field(default_factory=dict)
    tick: Budget = TICK
    history_chunk: Budget = HISTORY
    own: Budget = OWN_QUERY
    on_exchange: Callable[[Exchange], None] = lambda _: None
    _slots: asyncio.Semaphore = field(init=False)
    _api: Api = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._api = Api(self.url, self.client, self.on_exchange)

    async def current(self, queries: Sequence[CounterQuery], agents: Sequence[AgentKey]) -> Answers:
        """The newest sample of each counter. Its time is the server's at the query, not the scrape's."""
        return await self._all(queries, agents, self._current)

    async def history(
        self, queries: Sequence[CounterQuery], agents: Sequence[AgentKey], *, since: datetime, until: datetime
    ) -> Answers:
        """All samples in between, oldest first; of more than an hour only what :data:`STEPS` says."""
        stretch = (since.timestamp(), until.timestamp())

        async def one(bundle: Bundle, wanted: Sequence[AgentKey]) -> Found:
            found: dict[CounterQuery, dict[AgentKey, Any]] = {query: {} for query in bundle}
            for start in range(0, len(wanted), CHUNK):
                part = await self._history(bundle, wanted[start : start + CHUNK], *stretch)
                for query, series in part.items():
                    found[query] |= series
            return found

        return await self._all(queries, agents, one)

    async def ask(self, query: str) -> tuple[Row, ...] | Unavailable:
        """The rows of one query of the user's own. It takes no slot of the counters', which must never wait for it."""
        try:
            found = await self._api.ask(OWN, "query", {"query": query}, self.own, nullcontext())
            return rows_of(found)
        except (Unanswered, MalformedError) as error:
            return Unavailable(f"Prometheus at {self.url}: {error}"[:WORDS])

    async def _all(
        self,
        queries: Sequence[CounterQuery],
        agents: Sequence[AgentKey],
        ask: Callable[[Bundle, Sequence[AgentKey]], Coroutine[Any, Any, Found]],
    ) -> Answers:
        async def one(bundle: Bundle) -> Answers:
            try:
                return dict(await ask(bundle, agents))
            except Unanswered as error:
                about = ", ".join(query.metric for query in bundle)
                return dict.fromkeys(bundle, Unavailable(f"Prometheus at {self.url} about {about}: {error}"))

        distinct = list(dict.fromkeys(queries))
        if not agents:
            return {query: {} for query in distinct}
        wrong = {query: Unavailable(text) for query in distinct if (text := complaint(query))}
        bundles = _bundles([query for query in distinct if query not in wrong])
        answers: dict[CounterQuery, AgentSeries | Unavailable] = dict(wrong)
        for found in await asyncio.gather(*map(one, bundles)):
            answers |= found
        return answers

    async def _current(self, bundle: Bundle, agents: Sequence[AgentKey]) -> Found:
        text = newest(self._selector(bundle, agents), seconds=int(LOOKBACK), several=len(bundle) > 1)
        return self._read(await self._ask(bundle, "query", {"query": text}, self.tick), bundle, agents)

    def _selector(self, bundle: Bundle, agents: Sequence[AgentKey]) -> str:
        return selector([query.metric for query in bundle], agents, matchers=self.matchers)

    async def _history(self, bundle: Bundle, agents: Sequence[AgentKey], since: float, until: float) -> Found:
        """Ask for all at once; for halves when that is too much for the server or for us."""
        try:
            if until - since <= RAW_AGE:
                return await self._raw(bundle, agents, since, until)
            head = await self._raw(bundle, agents, since, since + HEAD)
            rest = await self._stepped(bundle, agents, since + HEAD, until)
            return {query: joined(head[query], rest[query]) for query in bundle}
        except Unanswered as error:
            if not error.too_large or len(agents) == 1:
                raise
        middle = len(agents) // 2
        first = await self._history(bundle, agents[:middle], since, until)
        second = await self._history(bundle, agents[middle:], since, until)
        return {query: {**first[query], **second[query]} for query in bundle}

    async def _raw(self, bundle: Bundle, agents: Sequence[AgentKey], since: float, until: float) -> Found:
        seconds = max(1, math.ceil(until - since))
        text = every(self._selector(bundle, agents), seconds=seconds)
        return await self._ask_history(bundle, agents, "query", {"query": text, "time": f"{until:.3f}"})

    async def _stepped(self, bundle: Bundle, agents: Sequence[AgentKey], since: float, until: float) -> Found:
        step = max(1, math.ceil((until - since) / STEPS))
        # NB: steps end at `until` exactly and each window reaches to the step before: no sample falls between two.
        start = until - step * (math.ceil((until - since) / step) - 1)
        text = newest(self._selector(bundle, agents), seconds=step, several=len(bundle) > 1)
        form = {"query": text, "start": f"{start:.3f}", "end": f"{until:.3f}", "step": str(step)}
        return await self._ask_history(bundle, agents, "query_range", form)

    async def _ask_history(
        self, bundle: Bundle, agents: Sequence[AgentKey], endpoint: str, form: Mapping[str, str]
    ) -> Found:
        return self._read(await self._ask(bundle, endpoint, form, self.history_chunk), bundle, agents)

    async def _ask(
        self, bundle: Bundle, endpoint: str, form: Mapping[str, str], budget: Budget
    ) -> Sequence[Mapping[str, Any]]:
        return await self._api.ask(_name(bundle), endpoint, form, budget, self._slots)

    def _read(self, result: Sequence[Mapping[str, Any]], bundle: Bundle, agents: Sequence[AgentKey]) -> Found:
        wanted = frozenset(agents)
        try:
            if len(bundle) == 1:
                return {bundle[0]: series_by_agent(result, bundle[0], wanted)}
            parts = by_counter(result, [query.metric for query in bundle])
            return {query: series_by_agent(parts[query.metric], query, wanted) for query in bundle}
        except MalformedError as error:
            raise Unanswered(str(error)) from error


def _bundles(queries: Sequence[CounterQuery]) -> list[Bundle]:
    """What is asked for together."""
    together: dict[tuple[str, str], list[CounterQuery]] = {}
    for query in queries:
        together.setdefault((query.bundle, "" if query.bundle else query.metric), []).append(query)
    # NB: one metric by two labels can't be told apart in one answer, so the second one is asked for by itself.
    return [bundle for group in together.values() for bundle in _apart(group)]


def _apart(group: Sequence[CounterQuery]) -> list[Bundle]:
    first: dict[str, CounterQuery] = {}
    for query in group:
        first.setdefault(query.metric, query)
    rest = [query for query in group if first[query.metric] is not query]
    return [tuple(first.values()), *((query,) for query in rest)]


def _name(bundle: Bundle) -> str:
    return bundle[0].bundle or bundle[0].metric
