"""`plan --agent`: the spec from the cluster, the traffic from a Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentrollouts.cli import subject
from agentrollouts.cli.subject import of_series
from agentrollouts.core.counters import SESSION_SUCCESS, SESSIONS, TASKS
from agentrollouts.core.evidence import Point, Series, SeriesKey
from agentrollouts.metrics.prometheus import PrometheusSource
from tests.unit.cli.runs import RUNS, manifest, refused, run


def test_measured_traffic_counts_what_counters_gained_within_the_day() -> None:
    until = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    since = until - timedelta(hours=24)

    def grown(query: Any, value: str, before: float, gained: float) -> Series:
        points = (
            Point(since.timestamp() - 60, before),
            Point(until.timestamp(), before + gained),
        )
        return Series(query, SeriesKey("1.0.0", "stable", "pod-1", value), points)

    series = [
        grown(SESSIONS, "idle", 1e6, 1440.0),
        grown(TASKS, "success", 5e6, 2880.0),
        grown(SESSION_SUCCESS, "", 9e5, 1296.0),
    ]
    found = of_series(series, since, until)
    assert found is not None
    assert (found.sessions_per_minute, found.tasks_per_session, found.success) == pytest.approx((1.0, 2, 0.9))
    assert of_series([grown(SESSIONS, "idle", 1e6, 0.0)], since, until) is None


class FakeSession:
    """A cluster with one Rollout beside 1.4.0."""

    namespace = "shop"

    async def rollout(self, agent: str) -> dict[str, Any]:
        digest = "sha256:" + "a" * 64
        stable = {"version": "1.4.0", "digest": digest, "since": "2026-01-05T09:00:00Z"}
        return manifest(agent=agent) | {"status": {"stable": stable}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def session(target: object) -> AsyncIterator[FakeSession]:
        yield FakeSession()

    monkeypatch.setattr(subject, "session", session)


def test_the_cluster_knows_the_spec_and_what_serves(cluster: None) -> None:
    assert run("plan", "--agent", "support", *RUNS).output.startswith(
        "support 2.0.0 beside 1.4.0: 60 sessions"
    )
    assert "it can be measured by --prometheus URL" in str(refused("plan", "--agent", "support"))


def test_where_nothing_is_under_way_the_next_version_is_planned(
    cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = FakeSession()

    async def serving(agent: str) -> dict[str, Any]:
        rollout = await FakeSession().rollout(agent)
        return rollout | {"spec": rollout["spec"] | {"version": "1.4.0"}}

    monkeypatch.setattr(found, "rollout", serving, raising=False)

    @asynccontextmanager
    async def session(target: object) -> AsyncIterator[FakeSession]:
        yield found

    monkeypatch.setattr(subject, "session", session)
    assert run("plan", "--agent", "support", *RUNS).output.startswith("support 1.4.0-next beside 1.4.0: ")


def test_a_prometheus_that_isnt_there_is_told(cluster: None) -> None:
    error = refused("plan", "--agent", "support", "--prometheus", "http://127.0.0.1:1")
    assert "not reachable" in str(error)
    assert "Say --traffic instead" in str(error)


@pytest.mark.parametrize("sessions", [0.0, 2880.0])
def test_traffic_is_measured_where_a_prometheus_is_named(
    cluster: None, monkeypatch: pytest.MonkeyPatch, sessions: float
) -> None:
    async def history(
        source: object, queries: Any, agents: Any, *, since: datetime, until: datetime
    ) -> dict[Any, Any]:
        gained = {SESSIONS: sessions, TASKS: 2 * sessions, SESSION_SUCCESS: 0.8 * sessions}

        def series(query: Any) -> Series:
            points = (
                Point(since.timestamp(), 5.0),
                Point(until.timestamp(), 5.0 + gained.get(query, 0.6 * sessions)),
            )
            return Series(query, SeriesKey("1.4.0", "stable", "p", ""), points)

        assert [(key.namespace, key.agent) for key in agents] == [("shop", "support")]
        return {query: {agents[0]: [series(query)]} for query in queries}

    monkeypatch.setattr(PrometheusSource, "history", history)
    options = ("plan", "--agent", "support", "--prometheus", "http://p", "--runs", "1", "--horizon", "1h")
    if not sessions:
        assert "no closed session of support in shop in the last day" in str(refused(*options))
        return
    output = run(*options).output
    assert "2 sessions/min of 2 tasks, 80% successful" in output
    assert "(measured over the last day)" in output.replace("\n", " ")


def test_an_agent_that_began_minutes_ago_is_measured_by_what_it_did_since(
    cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day comes in steps, so that all of what is that young may lie in the last one."""

    async def history(
        source: object, queries: Any, agents: Any, *, since: datetime, until: datetime
    ) -> dict[Any, Any]:
        whole_day = until - since > timedelta(hours=2)
        began = until if whole_day else until - timedelta(minutes=4)

        def series(query: Any) -> Series:
            amounts = {SESSIONS: 40.0, TASKS: 80.0, SESSION_SUCCESS: 32.0}
            points = (Point(began.timestamp(), 0.0), Point(until.timestamp(), amounts.get(query, 24.0)))
            return Series(query, SeriesKey("1.4.0", "stable", "p", ""), points[-1:] if whole_day else points)

        return {query: {agents[0]: [series(query)]} for query in queries}

    monkeypatch.setattr(PrometheusSource, "history", history)
    options = ("plan", "--agent", "support", "--prometheus", "http://p", "--runs", "1", "--horizon", "1h")
    assert "10 sessions/min of 2 tasks, 80% successful" in run(*options).output
