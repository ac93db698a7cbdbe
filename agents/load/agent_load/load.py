"""The load itself: sessions arrive at random, idle users take them, every answer goes into the ledger."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self

from agent_load.clock import now
from agent_load.http1 import Pool
from agent_load.ledger import Ledger, LedgerFullError
from agent_load.plan import LoadPlan
from agent_load.row import Row
from agent_load.session import Session, pause
from agent_load.truth import Truth


@dataclass(slots=True)
class Counters:
    """Live figures. `turned_away` sessions arrived while all users were busy: then the plan's rate is not reached."""

    sessions: int = 0
    in_flight: int = 0
    done: int = 0
    right: int = 0
    wrong: int = 0
    unanswered: int = 0
    turned_away: int = 0


class Load:
    """Runs a plan once. `start` returns at once; `stop` lets what is running end; `wait` returns when all is over."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.ledger = Ledger(plan.max_requests)
        self.counters = Counters()
        self._truth = Truth(plan.about)
        self._keys: list[dict[str, str]] = [
            {plan.key_header: f"user-{user}"} if plan.key_header else {} for user in range(plan.users)
        ]
        self._idle = list(range(plan.users))
        self._sessions: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def running(self) -> bool:
        """Whether tasks may still be sent or awaited."""
        return self._running is not None and not self._running.done()

    def start(self) -> None:
        """Let sessions arrive. Raises RuntimeError the second time: a load runs once."""
        if self._running is not None:
            raise RuntimeError("this load was started before: make a new one")
        self._running = asyncio.create_task(self._run())

    def request_stop(self) -> None:
        """No new task from here on."""
        self._stopping.set()

    async def stop(self) -> None:
        """No new task from here on; waits for those in flight, at most the plan's timeout."""
        self.request_stop()
        await self.wait()

    async def wait(self) -> None:
        """Until the duration is over, or the ledger is full, or `stop` was called. Raises what went wrong inside."""
        if self._running is not None:
            await asyncio.shield(self._running)
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        pool = Pool(self.plan.url)
        try:
            await self._arrive(pool)
        finally:
            self._stopping.set()
            await self._finish()
            pool.close()

    async def _arrive(self, pool: Pool) -> None:
        random = Random(f"{self.plan.seed}/arrivals")  # noqa: S311 - reproducible on purpose
        due = began = now()
        end = began + self.plan.duration if self.plan.duration is not None else float("inf")
        while True:
            # Due times add up by themselves, so that a slow moment is caught up with instead of lowering the rate.
            due += random.expovariate(self.plan.sessions_per_second)
            if not await pause(self._stopping, min(due, end) - now()) or due >= end:
                return
            self._admit(pool, random)

    def _admit(self, pool: Pool, random: Random) -> None:
        if not self._idle:
            self.counters.turned_away += 1
            return
        position = random.randrange(len(self._idle))
        self._idle[position], self._idle[-1] = self._idle[-1], self._idle[position]
        user = self._idle.pop()
        session = Session(
            self.plan, self._truth, user=user, number=self.counters.sessions, key=self._keys[user]
        )
        self.counters.sessions += 1
        task = asyncio.create_task(
            session.run(pool, stopping=self._stopping, before=self._before, after=self._after)
        )
        self._sessions.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, user))

    def _ended(self, task: asyncio.Task[None], user: int) -> None:
        self._sessions.discard(task)
        self._idle.append(user)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._stopping.set()
            if not isinstance(error, LedgerFullError):
                self._failure = self._failure or error

    async def _finish(self) -> None:
        if self._sessions:
            _, late = await asyncio.wait(set(self._sessions), timeout=self.plan.timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _before(self) -> None:
        """Room in the ledger is taken before the task is sent, so that no task is ever left out of it."""
        if self.counters.done + self.counters.in_flight >= self.ledger.capacity:
            raise LedgerFullError(f"the plan allows {self.ledger.capacity} requests")
        self.counters.in_flight += 1

    def _after(self, row: Row) -> None:
        counters = self.counters
        counters.in_flight -= 1
        self.ledger.append(row)
        counters.done += 1
        match row.verdict:
            case "right":
                counters.right += 1
            case "wrong":
                counters.wrong += 1
            case "none":
                counters.unanswered += 1
