from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from agentrollouts.ports import Key
from agentrollouts.runtime.scheduler import CONFLICTS, Again, Conflict, Failed, Outcome, Scheduler, Timing

KEY = Key("Rollout", "shop", "support")


class Hand:
    """A clock, and ticks that answer what the test says."""

    def __init__(
        self, outcome: Callable[[Key], Outcome], *, concurrency: int = 8, chance: float = 0.0
    ) -> None:
        self.now = 1000.0
        self.ticks: list[tuple[float, str]] = []
        self.outcome = outcome
        timing = Timing(monotonic=lambda: self.now, chance=lambda: chance)
        self.scheduler = Scheduler(self.tick, timing=timing, concurrency=concurrency)

    async def tick(self, key: Key) -> Outcome:
        self.ticks.append((self.now, key.name))
        await asyncio.sleep(0)
        return self.outcome(key)

    async def until(self, moment: float, step: float = 0.5) -> list[float]:
        while self.now < moment:
            await self.scheduler.run_due()
            self.now += step
        return [at for at, _ in self.ticks]


@pytest.mark.asyncio
async def test_a_key_woken_often_is_looked_at_once() -> None:
    hand = Hand(lambda key: Again(300))
    for _ in range(5):
        hand.scheduler.wake(KEY)
    await hand.scheduler.run_due()
    assert len(hand.ticks) == 1


@pytest.mark.asyncio
async def test_a_key_woken_while_it_is_looked_at_is_looked_at_once_more() -> None:
    hand = Hand(lambda key: Again(300))

    def answer(key: Key) -> Outcome:
        if len(hand.ticks) == 1:
            hand.scheduler.wake(key)
            hand.scheduler.wake(key)
        return Again(300)

    hand.outcome = answer
    hand.scheduler.wake(KEY)
    await hand.scheduler.run_due()
    assert len(hand.ticks) == 2


@pytest.mark.asyncio
async def test_a_forgotten_key_that_was_woken_meanwhile_is_looked_at_again() -> None:
    hand = Hand(lambda key: None)

    def answer(key: Key) -> Outcome:
        if len(hand.ticks) == 1:
            hand.scheduler.wake(key)
        return None

    hand.outcome = answer
    hand.scheduler.wake(KEY)
    await hand.scheduler.run_due()
    assert len(hand.ticks) == 2
    assert len(hand.scheduler) == 0


@pytest.mark.asyncio
async def test_analysis_falls_on_a_common_grid() -> None:
    hand = Hand(lambda key: Again(10, aligned=True), chance=1.0)
    hand.now = 1003.0
    hand.scheduler.wake(Key("Rollout", "shop", "a"))
    await hand.scheduler.run_due()
    hand.now = 1007.5
    hand.scheduler.wake(Key("Rollout", "shop", "b"))
    await hand.until(1031)
    assert {at for at, _ in hand.ticks} == {1003.0, 1007.5, 1010.0, 1020.0, 1030.0}


@pytest.mark.asyncio
async def test_idle_waits_are_up_to_a_tenth_shorter() -> None:
    hand = Hand(lambda key: Again(300), chance=1.0)
    hand.scheduler.wake(KEY)
    assert await hand.until(1280) == [1000.0, 1270.0]


@pytest.mark.asyncio
async def test_errors_back_off_to_a_minute_and_success_forgets_them() -> None:
    broken = True
    hand = Hand(lambda key: Failed(RuntimeError()) if broken else Again(300))
    hand.scheduler.wake(KEY)
    moments = await hand.until(1200)
    assert [b - a for a, b in itertools.pairwise(moments)] == [1, 2, 4, 8, 16, 32, 60, 60]
    broken = False
    await hand.until(1300)
    broken = True
    hand.ticks.clear()
    hand.scheduler.wake(KEY)
    moments = await hand.until(1305)
    assert moments[1] - moments[0] == 1


@pytest.mark.asyncio
async def test_waking_a_key_that_backs_off_shortens_its_wait_to_a_second() -> None:
    hand = Hand(lambda key: Failed(RuntimeError()))
    hand.scheduler.wake(KEY)
    await hand.until(1040)
    hand.ticks.clear()
    hand.scheduler.wake(KEY)
    assert (await hand.until(1042))[0] == 1041.0


@pytest.mark.asyncio
async def test_one_broken_key_does_not_stop_the_others() -> None:
    def answer(key: Key) -> Outcome:
        if key.name == "broken":
            raise ZeroDivisionError
        return Again(10)

    hand = Hand(answer)
    hand.scheduler.wake(Key("Rollout", "shop", "broken"))
    hand.scheduler.wake(KEY)
    await hand.until(1025)
    assert [at for at, name in hand.ticks if name == "support"] == [1000.0, 1010.0, 1020.0]


@pytest.mark.asyncio
async def test_a_conflict_is_tried_at_once_but_not_for_ever() -> None:
    hand = Hand(lambda key: Conflict("changed"))
    hand.scheduler.wake(KEY)
    moments = await hand.until(1001.5, step=0.01)
    assert len([at for at in moments if at < 1000.5]) == CONFLICTS
    assert len(moments) == CONFLICTS + 1


@pytest.mark.asyncio
async def test_no_more_ticks_than_allowed_are_under_way() -> None:
    under_way = most = 0

    async def tick(key: Key) -> Outcome:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return Again(300)

    scheduler = Scheduler(tick, timing=Timing(monotonic=lambda: 0.0), concurrency=3)
    for number in range(10):
        scheduler.wake(Key("Rollout", "shop", str(number)))
    assert await scheduler.run_due() == 10
    assert most == 3


@pytest.mark.asyncio
async def test_draining_finishes_what_is_under_way_and_starts_nothing() -> None:
    gate, begun, done = asyncio.Event(), asyncio.Event(), []

    async def tick(key: Key) -> Outcome:
        begun.set()
        await gate.wait()
        done.append(key.name)
        return Again(0)

    scheduler = Scheduler(tick)
    scheduler.wake(KEY)
    running = asyncio.create_task(scheduler.run())
    await begun.wait()
    draining = asyncio.create_task(scheduler.drain(5))
    await asyncio.sleep(0)
    gate.set()
    assert await draining
    await running
    assert done == ["support"]


@pytest.mark.asyncio
async def test_overdue_is_how_long_the_oldest_waits() -> None:
    hand = Hand(lambda key: Again(10))
    hand.scheduler.wake(KEY)
    hand.now += 7
    assert hand.scheduler.overdue() == 7
    await hand.scheduler.run_due()
    assert hand.scheduler.overdue() == 0
