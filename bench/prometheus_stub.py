"""A Prometheus API whose counters are formulas: agents that fail from a given moment on, and outages on command.

    python -m bench.prometheus_stub --port 9900

It understands the PromQL the operator writes and its near relatives: a selector, alone or in ``last_over_time``, ``rate`` or
``increase``, alone or in ``sum`` or ``max`` with ``by`` or ``without``. Counters are exact: so many tasks a second since the
start, of which a share is bad; a flip changes that share from its moment on. Metrics named ``task_total`` (or given with
``--volume``) count tasks, all others bad ones.

    POST /stub/agents  [{"namespace", "agent", "versions": [...], "candidate"}]     who reports
    POST /stub/flip    {"agents": [["namespace", "agent"]], "bad": 0.5}             the candidates', from now on
    POST /stub/outage  {"mode": "none|error|throttled|hang|empty|nan", "seconds": 0} seconds: delay of each answer
    GET  /stub/counts  queries and bytes so far
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bench.promql_stub import Query, labels_kept, parsed

Labels = dict[str, str]
HISTORY_STEP = 5.0
"""Seconds between the samples of a range."""


@dataclass(slots=True)
class Agent:
    """One agent's versions. The stable one answers in two cohorts, so it has two series."""

    namespace: str
    name: str
    versions: tuple[str, ...]
    candidate: str
    flips: list[tuple[float, float]] = field(default_factory=list)
    """(moment, share of bad tasks from then on), of the candidate."""
    series: tuple[Labels, ...] = ()

    def __post_init__(self) -> None:
        mine = {"namespace": self.namespace, "agent": self.name}
        self.series = tuple(
            {**mine, "version": version, "cohort": cohort, "pod": f"{self.name}-{version}"}
            for version in self.versions
            for cohort in (("candidate",) if version == self.candidate else ("stable", "control"))
        )

    def bad_seconds(self, version: str, *, start: float, now: float, healthy: float) -> float:
        """The integral of the bad share from ``start`` to ``now``."""
        total, since, share = 0.0, start, healthy
        for moment, after in self.flips if version == self.candidate else ():
            if moment >= now:
                break
            total += (moment - since) * share
            since, share = moment, after
        return total + (now - since) * share


@dataclass(slots=True)
class Fleet:
    """All agents, and the outage in force."""

    start: float
    rate: float = 10.0
    """Tasks a second of each version, in all its cohorts together."""
    healthy: float = 0.01
    volume: frozenset[str] = frozenset({"task_total"})
    agents: dict[tuple[str, str], Agent] = field(default_factory=dict)
    mode: str = "none"
    delay: float = 0.0
    queries: int = 0
    bytes: int = 0

    def counter(self, metric: str, labels: Labels, now: float) -> float:
        """What a counter shows."""
        agent = self.agents[labels["namespace"], labels["agent"]]
        cohorts = 1 if labels["version"] == agent.candidate else 2
        if metric in self.volume:
            return self.rate / cohorts * max(0.0, now - self.start)
        seconds = agent.bad_seconds(labels["version"], start=self.start, now=now, healthy=self.healthy)
        return self.rate / cohorts * max(0.0, seconds)

    def value(self, query: Query, labels: Labels, now: float) -> float:
        """A counter, or its rate or increase over the query's window."""
        shown = self.counter(query.metric, labels, now)
        if query.function not in ("rate", "increase"):
            return shown
        gained = shown - self.counter(query.metric, labels, max(self.start, now - query.window))
        return gained / query.window if query.function == "rate" else gained

    def selected(self, query: Query) -> list[Labels]:
        """The series a query's matchers let through."""
        return [
            labels
            for agent in self.agents.values()
            for labels in agent.series
            if all(matches(labels.get(name, "")) for name, matches in query.matchers)
        ]

    def instant(self, query: Query, now: float) -> list[tuple[Labels, float]]:
        """One number a series, or a group of series."""
        groups: dict[tuple[tuple[str, str], ...], float] = {}
        for labels in self.selected(query):
            kept = labels_kept(query, labels)
            value = self.value(query, labels, now)
            if kept in groups:
                value = groups[kept] + value if query.aggregation == "sum" else max(groups[kept], value)
            groups[kept] = value
        return [(dict(kept), value) for kept, value in groups.items()]


def result(fleet: Fleet, query: Query, moments: list[float] | None, now: float) -> dict[str, Any]:
    """The ``data`` of an answer: a vector, or a matrix over the moments."""
    if fleet.mode == "empty":
        return {"resultType": "matrix" if moments else "vector", "result": []}
    nan = fleet.mode == "nan"
    if moments is None:
        rows = [
            {"metric": m, "value": [round(now, 3), "NaN" if nan else repr(v)]}
            for m, v in fleet.instant(query, now)
        ]
        return {"resultType": "vector", "result": rows}
    found: dict[tuple[tuple[str, str], ...], list[list[Any]]] = {}
    for moment in moments:
        for labels, value in fleet.instant(query, moment):
            points = found.setdefault(tuple(labels.items()), [])
            points.append([round(moment, 3), "NaN" if nan else repr(value)])
    rows = [{"metric": dict(labels), "values": points} for labels, points in found.items()]
    return {"resultType": "matrix", "result": rows}


def moments_between(first: float, last: float, step: float, *, start: float) -> list[float]:
    """Moments of a range that aren't before the counters' start; the last one is always among them."""
    count = int((last - max(first, start)) / step)
    return [last - step * n for n in range(max(0, count), -1, -1)]


class Stub:
    """The HTTP server around a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/api/v1/query", self.query)
        app.router.add_route("*", "/api/v1/query_range", self.query)
        app.router.add_post("/stub/agents", self.agents)
        app.router.add_post("/stub/flip", self.flip)
        app.router.add_post("/stub/outage", self.outage)
        app.router.add_get("/stub/counts", self.counts)
        return app

    async def query(self, request: web.Request) -> web.StreamResponse:
        fleet, form = self.fleet, {**request.query, **(await request.post())}
        fleet.queries += 1
        await asyncio.sleep(3600.0 if fleet.mode == "hang" else fleet.delay)
        if fleet.mode in ("error", "throttled"):
            status = 500 if fleet.mode == "error" else 429
            return web.json_response(
                {"status": "error", "errorType": fleet.mode, "error": "as told"}, status=status
            )
        try:
            query = parsed(str(form["query"]))
        except ValueError as error:
            body = {"status": "error", "errorType": "bad_data", "error": str(error)}
            return web.json_response(body, status=400)
        now = float(str(form.get("time", time.time())))
        moments: list[float] | None = None
        if request.path.endswith("query_range"):
            first, last, step = (float(str(form[name])) for name in ("start", "end", "step"))
            moments = moments_between(first, last, step, start=fleet.start)
        elif query.window and not query.function:
            moments = moments_between(now - query.window, now, HISTORY_STEP, start=fleet.start)
        text = json.dumps({"status": "success", "data": result(fleet, query, moments, now)})
        fleet.bytes += len(text)
        return web.Response(text=text, content_type="application/json")

    async def agents(self, request: web.Request) -> web.StreamResponse:
        for one in await request.json():
            key = one["namespace"], one["agent"]
            self.fleet.agents[key] = Agent(*key, tuple(one["versions"]), one["candidate"])
        return web.json_response({"agents": len(self.fleet.agents)})

    async def flip(self, request: web.Request) -> web.StreamResponse:
        body, now = await request.json(), time.time()
        for namespace, name in body["agents"]:
            self.fleet.agents[namespace, name].flips.append((now, float(body["bad"])))
        return web.json_response({"at": now})

    async def outage(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.fleet.mode, self.fleet.delay = body.get("mode", "none"), float(body.get("seconds", 0))
        return web.json_response({"mode": self.fleet.mode})

    async def counts(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"queries": self.fleet.queries, "bytes": self.fleet.bytes})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=9900)
    parser.add_argument("--rate", type=float, default=10.0, help="tasks a second of each version")
    parser.add_argument("--healthy", type=float, default=0.01, help="share of bad tasks before any flip")
    parser.add_argument(
        "--volume", default="task_total", help="metrics that count all tasks, comma separated"
    )
    given = parser.parse_args()
    fleet = Fleet(time.time(), given.rate, given.healthy, frozenset(given.volume.split(",")))
    web.run_app(
        Stub(fleet).application(), host="127.0.0.1", port=given.port, access_log=None, print=lambda _: None
    )


if __name__ == "__main__":
    main()
