"""The end of a process: its counts leave with the last scrape, so it waits for one, but not for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import cast

from agentrollouts_kit.ledger import Clock, Ledger

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What a drain came to. `abandoned` tasks still ran at half the deadline and count as failures.

    `scraped`: a scrape saw every count. If not, what was counted since the last one is lost with the pod.
    """

    abandoned: int
    scraped: bool


def drain_steps(
    ledger: Ledger, *, clock: Clock, deadline_seconds: float, expect_scrapes: bool
) -> Generator[None, None, DrainReport]:
    """Yields whenever it wants to be resumed a little later; returns the report.

    Sessions close as they stand (reason idle), each as soon as none of its tasks runs; tasks have half the time to
    end, the rest is for the scrape. Without scrapes ever it does not wait for one, unless some are to be expected.
    """
    began = clock()
    ledger.drain()
    while ledger.running_tasks and clock() - began < deadline_seconds / 2:
        yield
    abandoned = ledger.running_tasks
    ledger.abandon()
    target = ledger.cells.sequence
    if not expect_scrapes and not ledger.cells.scraped:
        return DrainReport(abandoned=abandoned, scraped=False)
    while ledger.cells.scraped < target and clock() - began < deadline_seconds:
        yield
    return DrainReport(abandoned=abandoned, scraped=ledger.cells.scraped >= target)


async def drained(steps: Generator[None, None, DrainReport]) -> DrainReport:
    """Take the steps to their end, in an event loop."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("DrainReport", end.value)
        await asyncio.sleep(POLL_SECONDS)


def drained_blocking(steps: Generator[None, None, DrainReport]) -> DrainReport:
    """The same without one."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("DrainReport", end.value)
        time.sleep(POLL_SECONDS)
