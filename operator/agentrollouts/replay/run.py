"""Running a replay: some tasks at once, each in both lanes, what is finished into the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.agent import TransportFailed
from agentrollouts.replay.attempt import Attempt, Lane
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.lane import LaneClient
from agentrollouts.replay.pace import Pace
from agentrollouts.replay.plan import Plan, steps

Clients = Mapping[Lane, LaneClient]
Tell = Callable[[int, int], None]


async def run(plan: Plan, clients: Clients, journal: Journal, pace: Pace, tell: Tell) -> None:
    """Do what isn't done yet. ``tell`` hears how many attempts of how many are finished.

    Raises:
        ReplayError: a lane can't be reached or can't be asked safely. What was finished until then is in the journal.
    """
    wanted = {record.id for record in plan.tasks}
    todo = list(steps(plan, journal.kept.done))
    total = 2 * len(wanted)
    tell(total - len(todo), total)
    if not todo:
        return
    for lane in sorted({lane for _, lane in todo}):
        await _tried(clients[lane], None, pace)
    waiting = iter(todo)

    async def work() -> None:
        for record, lane in waiting:
            journal.finish(await _done(clients[lane], record, pace))
            tell(sum(task in wanted for task, _ in journal.kept.done), total)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(pace.concurrency, len(todo))):
                group.create_task(work())
    except* ReplayError as errors:
        raise errors.exceptions[0] from None


async def _done(client: LaneClient, record: TaskRecord, pace: Pace) -> Attempt:
    attempt = await _tried(client, record, pace)
    assert attempt is not None
    return attempt


async def _tried(client: LaneClient, record: TaskRecord | None, pace: Pace) -> Attempt | None:
    """Ask, again where the connection breaks. A task at which it always breaks got no answer; without any connection the replay ends."""
    for tries in count():
        try:
            if record is None:
                await client.check()
                return None
            return await client.ask(record)
        except TransportFailed as error:
            failed = error
        if tries >= (pace.retries if failed.reached else pace.reconnects):
            break
        await asyncio.sleep(pace.pause * 2**tries)
    if record is None or not failed.reached:
        raise ReplayError(
            f"the {client.lane} at {client.url} can't be reached: {failed}. Start the replay again to go on"
        )
    return Attempt(task=record.id, lane=client.lane, error=f"the connection broke: {failed}")
