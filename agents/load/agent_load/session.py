"""One session: a user with a handful of tasks, one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Literal

from agent_load.clock import now
from agent_load.connections import Connection, HttpConnection, WebSocketConnection
from agent_load.exchange import Received, Sent, settle
from agent_load.http1 import Pool
from agent_load.plan import LoadPlan
from agent_load.row import ABANDONED, Row
from agent_load.truth import Truth

Mode = Literal["http", "sse", "ws"]


async def pause(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait so long; False as soon as the load is to stop."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await stopping.wait()
    except TimeoutError:
        return not stopping.is_set()
    return False


class Session:
    """What a user does is settled by the plan's seed and the session's number alone."""

    def __init__(self, plan: LoadPlan, truth: Truth, *, user: int, number: int, key: dict[str, str]) -> None:
        self._plan = plan
        self._truth = truth
        self._user = user
        self._number = number
        self._key = key
        self._random = Random(f"{plan.seed}/{number}")  # noqa: S311 - reproducible on purpose
        self._tasks = self._random.randint(*plan.tasks_per_session)
        self._mode: Mode = self._pick_mode()

    async def run(
        self,
        pool: Pool,
        *,
        stopping: asyncio.Event,
        before: Callable[[], None],
        after: Callable[[Row], None],
    ) -> None:
        """Ask all questions, unless the load stops before; `before` and `after` are called around each task."""
        connection: Connection = (
            WebSocketConnection(self._key, self._plan)
            if self._mode == "ws"
            else HttpConnection(pool, self._key, self._plan)
        )
        handshake = await connection.open()
        try:
            for task in range(self._tasks):
                think = self._random.expovariate(1 / self._plan.think) if task and self._plan.think else 0.0
                if not await pause(stopping, think):
                    return
                before()
                after(await self._ask(connection, handshake, last=task == self._tasks - 1))
        finally:
            await connection.close()

    async def _ask(self, connection: Connection, handshake: float | None, *, last: bool) -> Row:
        at = now()
        sent = Sent(
            question=self._truth.ask(self._random),
            user=self._user,
            session=self._number,
            mode=self._mode,
            sent=at,
            routed=at if handshake is None else handshake,
            ends_session=last,
        )
        try:
            async with asyncio.timeout(self._plan.timeout):
                received = await connection.ask(sent)
        except TimeoutError:
            received = Received(error="timeout")
        except asyncio.CancelledError:
            # Cancelled only by a load that has waited long enough: the row is kept, then the session is over.
            received = Received(error=ABANDONED)
        return settle(sent, received, done=now())

    def _pick_mode(self) -> Mode:
        chance = self._random.random()
        if chance < self._plan.sse:
            return "sse"
        return "ws" if chance < self._plan.sse + self._plan.ws else "http"
