"""Counters from a Prometheus server, or anything that speaks its API: one query per counter or bundle, for all agents.

Every failure is a value with its reason, never an exception and never a retry: the next tick asks again anyway.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from agentrollouts.core.evidence import CounterQuery, Unavailable
from agentrollouts.metrics.answers import (
    MalformedError,
    by_counter,
    error_of,
    joined,
    result_of,
    series_by_agent,
)
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

_log = logging.getLogger(__name__)


class Exchange(NamedTuple):
    """One query as it went, for whoever counts them.

    ``metric`` is a counter's or a bundle's name, ``error`` is empty after a success.
    """

    metric: str
    seconds: float
    bytes: int
    error: str


class Budget(NamedTuple):
    """What one query may cost: seconds until its whole answer is there, and the answer's bytes."""

    seconds: float
    max_bytes: int


TICK = Budget(seconds=5.0, max_bytes=64 * 2**20)
HISTORY = Budget(seconds=30.0, max_bytes=8 * 2**20)
"""Few bytes, since reading an answer holds up the ticks of everybody; what is larger is asked for in halves."""
CONCURRENCY = 8
"""Queries at a time."""


class _Unanswered(Exception):  # noqa: N818 -- never leaves this file
    def __init__(self, reason: str, *, too_large: bool = False) -> None:
        super().__init__(reason)
        self.too_large = too_large


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
    on_exchange: Callable[[Exchange], None] = lambda _: None
    _slots: asyncio.Semaphore = field(init=False)
    _warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(CONCURRENCY)

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

    async def _all(
        self,
        queries: Sequence[CounterQuery],
        agents: Sequence[AgentKey],
        ask: Callable[[Bundle, Sequence[AgentKey]], Coroutine[Any, Any, Found]],
    ) -> Answers:
        async def one(bundle: Bundle) -> Answers:
            try:
                return dict(await ask(bundle, agents))
            except _Unanswered as error:
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
        except _Unanswered as error:
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
        """The answer's series, and word of it to ``on_exchange``."""
        body, problem, began = b"", "", time.perf_counter()
        try:
            async with self._slots:
                began = time.perf_counter()
                body = await self._post(endpoint, {**form, "timeout": f"{budget.seconds:g}s"}, budget)
            return self._parse(body, bundle)
        except _Unanswered as error:
            problem = str(error)
            raise
        finally:
            self.on_exchange(Exchange(_name(bundle), time.perf_counter() - began, len(body), problem))

    async def _post(self, endpoint: str, form: Mapping[str, str], budget: Budget) -> bytes:
        url = f"{self.url.rstrip('/')}/api/v1/{endpoint}"
        body = bytearray()
        try:
            async with (
                asyncio.timeout(budget.seconds),
                self.client.stream(
                    "POST", url, data=form, headers={"Accept-Encoding": "identity"}, timeout=budget.seconds
                ) as response,
            ):
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > budget.max_bytes:
                        raise _Unanswered(
                            f"the answer is larger than {budget.max_bytes} bytes", too_large=True
                        )
        except (TimeoutError, httpx.TimeoutException) as error:
            raise _Unanswered(f"no answer within {budget.seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _Unanswered(f"not reachable: {error or type(error).__name__}") from error
        if response.status_code != 200:
            raise _refusal(response.status_code, bytes(body))
        return bytes(body)

    def _parse(self, body: bytes, bundle: Bundle) -> Sequence[Mapping[str, Any]]:
        try:
            answer = json.loads(body)
            result = result_of(answer)
        except (ValueError, RecursionError) as error:
            raise _Unanswered(f"expected JSON, got {body[:100]!r} ({error})") from error
        except MalformedError as error:
            raise _Unanswered(str(error)) from error
        self._warn(bundle, answer)
        return result

    def _read(self, result: Sequence[Mapping[str, Any]], bundle: Bundle, agents: Sequence[AgentKey]) -> Found:
        wanted = frozenset(agents)
        try:
            if len(bundle) == 1:
                return {bundle[0]: series_by_agent(result, bundle[0], wanted)}
            parts = by_counter(result, [query.metric for query in bundle])
            return {query: series_by_agent(parts[query.metric], query, wanted) for query in bundle}
        except MalformedError as error:
            raise _Unanswered(str(error)) from error

    def _warn(self, bundle: Bundle, answer: Mapping[str, Any]) -> None:
        """Log a server's warnings, each once: it says them with every answer."""
        for warning in map(str, answer.get("warnings") or ()):
            if warning not in self._warned and len(self._warned) < 100:
                self._warned.add(warning)
                _log.warning("Prometheus at %s warns about %s: %s", self.url, _name(bundle), warning)


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


def _refusal(status: int, body: bytes) -> _Unanswered:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    said = error_of(answer) if isinstance(answer, dict) else body[:200].decode("utf-8", "replace")
    return _Unanswered(f"HTTP {status}: {said}", too_large=status == 422 and "too many samples" in said)
