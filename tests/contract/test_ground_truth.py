"""Evidence equals the truth exactly, whatever was missed: scrapes, polls, pods, and the operator itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.core.evidence import Accumulator, CounterQuery, Series, Unavailable
from agentrollouts.metrics.fake import FakeSource
from agentrollouts.ports import AgentKey, AgentSeries, MetricSource
from tests.contract.loaded_prometheus import Sample, running_prometheus, source_as_of
from tests.contract.scraped_world import ARMS, HISTORY, METRIC, OUTCOMES, START, World

TASKS = CounterQuery(METRIC, "outcome")
SUPPORT = AgentKey("shop", "support")
POLL_AT_LEAST = 20
"""Steps: a pod that goes must be seen within the lookback of two minutes."""


@dataclass
class Operator:
    """Polls as the real one does; a restart forgets everything."""

    source: MetricSource
    since: datetime
    accumulator: Accumulator | None = None
    polls: list[datetime] = field(default_factory=list)

    async def poll(self, now: datetime) -> None:
        if self.accumulator is None:
            self.accumulator = Accumulator(since=self.since.timestamp())
            past = await self.source.history([TASKS], [SUPPORT], since=self.since - HISTORY, until=now)
            self.accumulator.load(_series(past[TASKS]))
        self.accumulator.add(_series((await self.source.current([TASKS], [SUPPORT]))[TASKS]))


def _series(found: AgentSeries | Unavailable) -> tuple[Series, ...]:
    assert not isinstance(found, Unavailable), found
    mine = found.get(SUPPORT, ())
    assert not isinstance(mine, Unavailable), mine
    return mine


Event = tuple[str, int, int]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["work", "work", "work", "scrape", "scrape", "poll", "restart", "replace", "add", "reset", "step"]
        ),
        st.integers(0, 11),
        st.integers(0, 30),
    ),
    max_size=60,
)


async def lived(world: World, events: list[Event], poll: Callable[[bool], Awaitable[None]]) -> None:
    """Play the events; ``poll`` is told whether the operator restarted before it."""
    for version in ("1.0.0", "1.0.0"):
        world.start_pod(version, first=1_000.0)
    world.begin()
    world.start_pod("2.0.0")
    await poll(True)
    quiet = 0
    for kind, which, tasks in events:
        pod = world.pods[which % len(world.pods)]
        if kind == "work":
            world.work(pod, which // 2, OUTCOMES[which % 2], tasks)
        elif kind == "scrape":
            world.scrape(pod)
        elif kind == "replace":
            world.stop_pod(pod)
            world.start_pod(pod.version)
        elif kind == "add":
            world.start_pod(ARMS[which % len(ARMS)].version)
        elif kind == "reset":
            world.scrape(pod)
            await poll(False)  # what a process without the kit counted since the last poll dies with it
            world.reset_pod(pod)
        world.step()
        quiet += 1
        if kind in {"poll", "restart", "reset"} or quiet >= POLL_AT_LEAST:
            quiet = 0
            await poll(kind == "restart")
    for pod in world.pods:
        world.scrape(pod)
    await poll(False)


def totals(accumulator: Accumulator | None, now: datetime) -> dict[object, dict[object, float]]:
    assert accumulator is not None
    found = accumulator.evidence(now).total
    return {
        arm: {cell: n for cell, n in cells.items() if n}
        for arm, cells in found.items()
        if any(cells.values())
    }


def true_totals(world: World) -> dict[object, dict[object, float]]:
    return {
        arm: {cell: n for cell, n in cells.items() if n}
        for arm, cells in world.truth.items()
        if any(cells.values())
    }


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_evidence_is_the_truth(events: list[Event]) -> None:
    world = World(lambda s: fake.sample(s.metric, s.labels, time=s.time, value=s.value))
    fake = FakeSource(now=world.now)
    operator: Operator | None = None

    async def poll(restarted: bool) -> None:
        nonlocal operator
        if operator is None:
            operator = Operator(fake, world.now())
        if restarted:
            operator.accumulator = None
        await operator.poll(world.now())

    asyncio.run(lived(world, events, poll))
    assert operator is not None
    assert totals(operator.accumulator, world.now()) == true_totals(world)
    # and a last restart changes nothing
    operator.accumulator = None
    asyncio.run(operator.poll(world.now()))
    assert totals(operator.accumulator, world.now()) == true_totals(world)


def a_life(seed: int) -> list[Event]:
    """Several hours of one agent, with long pauses, so that history is read in steps as well."""
    rng = random.Random(seed)
    kinds = ["work"] * 6 + ["scrape"] * 6 + ["poll", "restart", "replace", "add", "reset", "step"]
    events = [(rng.choice(kinds), rng.randrange(12), rng.randrange(31)) for _ in range(1_500)]
    return [event for event in events if event[0] != "reset"] if seed % 2 else events[:600]


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_evidence_is_the_truth_on_a_real_server(seed: int, tmp_path: Path) -> None:
    samples: list[Sample] = []
    polls: list[tuple[datetime, bool]] = []
    world = World(samples.append)

    async def poll(restarted: bool) -> None:
        polls.append((world.now(), restarted))

    await lived(world, a_life(seed), poll)
    moment = [START]
    with running_prometheus(tmp_path, samples) as url:
        async with source_as_of(url, lambda: moment[0]) as source:
            operator = Operator(source, polls[0][0])
            for now, restarted in polls:
                moment[0] = now
                if restarted:
                    operator.accumulator = None
                await operator.poll(now)
    assert totals(operator.accumulator, world.now()) == true_totals(world)
    assert sum(map(len, true_totals(world).values())) == 6
