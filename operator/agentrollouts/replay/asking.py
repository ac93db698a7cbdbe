"""Both lanes, asked over HTTP while the recordings are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import httpx

from agentrollouts.replay.agent import TransportFailed
from agentrollouts.replay.attempt import Lane
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.lane import Asking, LaneClient
from agentrollouts.replay.pace import Asked
from agentrollouts.replay.plan import Plan
from agentrollouts.replay.recordings import Recordings
from agentrollouts.replay.run import run

_PAUSE = 1.0


async def ask(plan: Plan, asked: Asked, journal: Journal, tell: Callable[[int, int], None]) -> None:
    """Do what the journal hasn't. Raises ReplayError as ``run`` does."""
    limits = httpx.Limits(max_connections=2 * asked.pace.concurrency)
    asking = Asking(asked.timeout, asked.field, alone=bool(asked.reached_within))
    async with AsyncExitStack() as stack:
        recordings = stack.enter_context(Recordings(*asked.listen))
        # The deadline is around each task; a proxy of this machine's environment is none between a replay and its lanes.
        client = await stack.enter_async_context(
            httpx.AsyncClient(timeout=asked.timeout, limits=limits, trust_env=False)
        )
        clients = {
            lane: LaneClient(client, recordings, lane, where, asking) for lane, where in asked.urls.items()
        }
        if asked.reached_within:
            await _reached(clients, asked.reached_within)

        def told(done: int, total: int) -> None:
            recordings.progress = done, total
            tell(done, total)

        await run(plan, clients, journal, asked.pace, told)


async def _reached(clients: Mapping[Lane, LaneClient], seconds: float) -> None:
    """Until both lanes answer and find their way here: their pods may still be starting, and this one may be another one than before.

    Raises ReplayError, at once where one isn't in replay mode.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    for lane, client in clients.items():
        while True:
            try:
                await client.check()
                await client.greet()
                break
            except TransportFailed as error:
                if asyncio.get_running_loop().time() >= deadline:
                    raise ReplayError(
                        f"the {lane} at {client.url} can't be reached within {seconds:g} s: {error}"
                    ) from error
            await asyncio.sleep(_PAUSE)
