"""Users' own queries, asked beside the ticks: a tick takes the newest answers there are, and never waits for one.

Equal texts are asked once for all rollouts. Few are asked at a time, so that slow ones wait for each other and for nobody
else; what has waited too long is stale, which the core says (core.asked).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.asked import Query, Reply, cadence, own_queries, query_of
from agentrollouts.core.checks import active_checks
from agentrollouts.core.evidence import Asked, Unavailable
from agentrollouts.ports import Clock, MetricSource
from agentrollouts.runtime.views import Place

AT_A_TIME = 4
"""Queries under way at once."""
LONGEST = 20.0
"""Seconds one query may take, whatever the source promises."""

_log = logging.getLogger(__name__)
_NOT_YET = Unavailable("the query hasn't been answered yet")


@dataclass(slots=True)
class _Question:
    """One text, and what came of it. A question that is asked again keeps its last answer until the next one is there."""

    begun: float = float("-inf")
    """When it was last put, by the monotonic clock."""
    reply: Reply | Unavailable = _NOT_YET
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Asking:
    """The questions of all rollouts that have a candidate."""

    source: MetricSource
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    _queries: dict[Place, tuple[RolloutSpec, Mapping[str, Query | Unavailable]]] = field(default_factory=dict)
    """By rollout: each check's query, of that spec."""
    _questions: dict[str, _Question] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_A_TIME))

    def latest(self, place: Place, spec: RolloutSpec) -> Mapping[str, Asked | Unavailable]:
        """What each check's query said last. What is due is asked from now on."""
        every = cadence(spec.analysis.interval).total_seconds()
        return {
            name: query
            if isinstance(query, Unavailable)
            else self._said(query, every, place.namespace, spec.agent)
            for name, query in self._queries_of(place, spec).items()
        }

    def forget(self, place: Place) -> None:
        """The rollout has no candidate: what nobody else wants to know isn't asked any more."""
        if self._queries.pop(place, None) is not None:
            self._drop_unwanted()

    async def close(self) -> None:
        """Stop waiting for answers."""
        tasks = [question.task for question in self._questions.values() if question.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _queries_of(self, place: Place, spec: RolloutSpec) -> Mapping[str, Query | Unavailable]:
        known = self._queries.get(place)
        if known is not None and known[0] is spec:
            return known[1]
        own = own_queries(active_checks(spec))
        queries = {check.name: query_of(query, spec, place.namespace) for check, query in own}
        self._queries[place] = (spec, queries)
        if known is not None and known[1] != queries:
            self._drop_unwanted()
        return queries

    def _said(self, query: Query, every: float, namespace: str, agent: str) -> Asked | Unavailable:
        question, now = self._questions.setdefault(query.text, _Question()), self.monotonic()
        if question.task is None and now - question.begun >= every:
            question.begun = now
            question.task = asyncio.create_task(self._ask(query.text, question), name="promql")
        reply = question.reply
        return reply if isinstance(reply, Unavailable) else reply.about(namespace, agent, query.matched)

    async def _ask(self, text: str, question: _Question) -> None:
        try:
            async with self._slots:
                question.reply = await self._answer(text)
        finally:
            question.task = None

    async def _answer(self, text: str) -> Reply | Unavailable:
        # NB: the moment of the question: an answer that took long is that much older.
        at = self.clock.now()
        try:
            async with asyncio.timeout(LONGEST):
                rows = await self.source.ask(text)
        except TimeoutError:
            return Unavailable(f"no answer within {LONGEST:g} s")
        except Exception as error:  # noqa: BLE001
            # A source answers with values; an exception is a bug in it, and must not end in silence.
            _log.exception("the metric source failed")
            return Unavailable(f"the metric source failed: {error!r}")
        return rows if isinstance(rows, Unavailable) else Reply.of(rows, at)

    def _drop_unwanted(self) -> None:
        wanted = {
            query.text
            for _, queries in self._queries.values()
            for query in queries.values()
            if isinstance(query, Query)
        }
        for text in [text for text in self._questions if text not in wanted]:
            task = self._questions.pop(text).task
            if task is not None:
                task.cancel()
