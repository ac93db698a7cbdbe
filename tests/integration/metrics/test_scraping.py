"""A real Prometheus that scrapes real pages: what the source sees of pods that come, count on, and go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from aiohttp import web

from agentrollouts.core.evidence import CounterQuery, SeriesKey, Unavailable
from agentrollouts.metrics.prometheus import PrometheusSource
from agentrollouts.ports import AgentKey
from tests.contract.loaded_prometheus import running_prometheus

TASKS = CounterQuery("agent_tasks_total", "outcome")
SUPPORT = AgentKey("shop", "support")
DEADLINE = 30.0
CONFIG = """
scrape_configs:
- job_name: agents
  scrape_interval: 500ms
  scrape_timeout: 400ms
  file_sd_configs:
  - files: [{targets}]
    refresh_interval: 500ms
"""


class Pods:
    """Pages of counters, one a pod, and the file in which the server finds them."""

    def __init__(self, targets: Path) -> None:
        self.counts: dict[str, float] = {}
        self.address = ""
        self._targets = targets

    async def page(self, request: web.Request) -> web.Response:
        count = self.counts[request.match_info["pod"]]
        lines = [f'agent_tasks_total{{outcome="success",cohort="stable",agent="liar"}} {count}']
        return web.Response(text="\n".join(lines) + "\n")

    def publish(self) -> None:
        """Let the server find exactly the pods that exist; the target's labels overrule what a page says."""
        entries = [
            {
                "targets": [self.address],
                "labels": {
                    "__metrics_path__": f"/{pod}",
                    "namespace": "shop",
                    "agent": "support",
                    "version": "1.0.0",
                    "pod": pod,
                },
            }
            for pod in self.counts
        ]
        scratch = self._targets.with_suffix(".new")
        scratch.write_text(json.dumps(entries))
        scratch.rename(self._targets)


@pytest_asyncio.fixture
async def pods(tmp_path: Path) -> AsyncIterator[Pods]:
    made = Pods(tmp_path / "targets.json")
    app = web.Application()
    app.router.add_get("/{pod}", made.page)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.address = f"127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def url(pods: Pods, tmp_path: Path) -> AsyncIterator[str]:
    config = CONFIG.format(targets=tmp_path / "targets.json")
    manager = running_prometheus(tmp_path, (), config=config)
    yield await asyncio.to_thread(manager.__enter__)
    await asyncio.to_thread(manager.__exit__, None, None, None)


async def until(what: str, happened: Callable[[], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while not await happened():  # noqa: ASYNC110 -- the server has no event for it
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"waited {DEADLINE:g} s in vain for {what}") from None


@pytest.mark.asyncio
async def test_pods_come_count_and_go_and_their_last_counts_stay(pods: Pods, url: str) -> None:
    async with httpx.AsyncClient() as client:
        source = PrometheusSource(url, client)

        async def counts() -> dict[str, float]:
            found = (await source.current([TASKS], [SUPPORT]))[TASKS]
            assert not isinstance(found, Unavailable), found
            mine = found.get(SUPPORT, ())
            assert not isinstance(mine, Unavailable), mine
            assert all(one.key == SeriesKey("1.0.0", "stable", one.key.pod, "success") for one in mine)
            return {one.key.pod: one.points[-1].value for one in mine}

        async def sees(expected: dict[str, float]) -> bool:
            return await counts() == expected

        async def is_gone(pod: str) -> bool:
            answer = await client.post(
                f"{url}/api/v1/query", data={"query": f'agent_tasks_total{{pod="{pod}"}}'}
            )
            return not answer.json()["data"]["result"]

        assert await counts() == {}
        pods.counts = {"old": 0.0}
        pods.publish()
        await until("the first pod", lambda: sees({"old": 0.0}))
        pods.counts["old"] = 41.0
        await until("its counts", lambda: sees({"old": 41.0}))
        pods.counts = {"new": 1.0}
        pods.publish()
        await until("the server to give up the old pod", lambda: is_gone("old"))
        await until("both", lambda: sees({"old": 41.0, "new": 1.0}))
        pods.counts["new"] = 3.0
        await until("the new pod's counts", lambda: sees({"old": 41.0, "new": 3.0}))

        now = datetime.now(UTC)
        past = await source.history([TASKS], [SUPPORT], since=now - timedelta(minutes=5), until=now)
        series = past[TASKS][SUPPORT]  # type: ignore[index]
        assert not isinstance(series, Unavailable)
        ends = {one.key.pod: (one.points[0].value, one.points[-1].value) for one in series}
        assert ends == {"old": (0.0, 41.0), "new": (1.0, 3.0)}
