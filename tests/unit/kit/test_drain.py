"""A stopping process loses no count, and does not wait for ever."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable, Generator
from typing import Any

import pytest

from agentrollouts_kit import DrainReport, Reporter, Task, task
from agentrollouts_kit.server import SCRAPER_HEADER
from tests.kit.reading import Reading

Make = Callable[..., Reporter]


@pytest.fixture
def reporter(make_reporter: Make) -> Reporter:
    return make_reporter(pod_name="support-1", drain_seconds=10)


def finish(steps: Generator[None, None, DrainReport]) -> DrainReport:
    with pytest.raises(StopIteration) as stop:
        next(steps)
    report: DrainReport = stop.value.value
    return report


def scrape(reporter: Reporter) -> Reading:
    answer = reporter.render("")
    answer.delivered()
    return Reading(answer.body.decode())


def test_it_waits_until_a_scrape_has_seen_every_count(
    reporter: Reporter, in_request: Callable[..., None]
) -> None:
    in_request()
    with task(reporter=reporter):
        pass
    scrape(reporter)
    steps = reporter._drain_steps(None)
    next(steps)
    next(steps)
    reading = scrape(reporter)
    assert reading("agent_sessions_closed_total", reason="idle") == 1
    assert finish(steps) == DrainReport(abandoned=0, scraped=True)


def test_a_scrape_that_was_not_delivered_does_not_count(reporter: Reporter) -> None:
    with task(reporter=reporter):
        pass
    steps = reporter._drain_steps(None)
    reporter.render("")
    next(steps)


def test_it_ends_at_the_deadline_without_a_scrape(reporter: Reporter, clock: Any) -> None:
    with task(reporter=reporter):
        pass
    steps = reporter._drain_steps(None)
    next(steps)
    clock.now += 10
    assert finish(steps) == DrainReport(abandoned=0, scraped=False)


def test_tasks_have_half_the_time_to_end(reporter: Reporter, clock: Any) -> None:
    hanging, ending = Task(reporter), Task(reporter)
    hanging.begin()
    ending.begin()
    steps = reporter._drain_steps(None)
    next(steps)
    ending.end()
    next(steps)
    clock.now += 5
    next(steps)
    reading = scrape(reporter)
    assert finish(steps) == DrainReport(abandoned=1, scraped=True)
    assert reading("agent_tasks_total", outcome="failure") == 1
    assert reading("agent_tasks_total", outcome="success") == 1
    hanging.end()
    assert Reading.of(reporter)("agent_tasks_total") == 2


def test_a_session_that_begins_while_draining_closes_with_its_task(
    reporter: Reporter, in_request: Callable[..., None]
) -> None:
    reporter.ledger.drain()
    in_request()
    with task(reporter=reporter):
        pass
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="idle") == 1


def test_on_a_laptop_that_nobody_scrapes_it_does_not_wait(make_reporter: Make) -> None:
    reporter = make_reporter()
    with task(reporter=reporter):
        pass
    assert reporter.drain_blocking() == DrainReport(abandoned=0, scraped=False)


def get(url: str, headers: dict[str, str] | None = None) -> Reading:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {})) as answer:
        return Reading(answer.read().decode())


@pytest.mark.asyncio
async def test_only_a_scraper_keeps_counts_not_a_person_who_looks(reporter: Reporter) -> None:
    port = reporter.serve()
    assert reporter.serve() == port
    with task(reporter=reporter):
        pass
    url = f"http://127.0.0.1:{port}/metrics"
    look = await asyncio.to_thread(get, url)
    assert look("agent_tasks_total") == 1
    assert reporter.ledger.cells.scraped == 0
    await asyncio.to_thread(get, url, {SCRAPER_HEADER: "10"})
    # The answer is complete a moment before the server's thread notes so: the drain waits for exactly that.
    assert await reporter.drain(10) == DrainReport(abandoned=0, scraped=True)
