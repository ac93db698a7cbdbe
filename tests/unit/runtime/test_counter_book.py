from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.core.analysis import queries
from agentrollouts.core.evidence import Arm, Cell, Evidence, Unavailable
from agentrollouts.core.windows import Windows
from agentrollouts.metrics.fake import FakeSource
from agentrollouts.ports import AgentKey
from agentrollouts.runtime.counter_book import CounterBook
from agentrollouts.runtime.subject import Subject
from agentrollouts.runtime.views import Place
from tests.builders import spec
from tests.fakes.stage import HandClock

SPEC = spec("2.0.0", analysis={"interval": "10s"})
TASKS = Cell("agent_tasks_total", "success")


@dataclass(slots=True)
class WatchedSource(FakeSource):
    """Remembers whom it was asked about, and answers only once a test lets it."""

    agents: list[tuple[AgentKey, ...]] = field(default_factory=list)
    histories: int = 0
    gate: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def history(self, *args: Any, **kwargs: Any) -> Any:
        self.histories += 1
        return await FakeSource.history(self, *args, **kwargs)

    async def current(self, queries: Any, agents: Any) -> Any:
        self.agents.append(tuple(agents))
        answer = await FakeSource.current(self, queries, agents)
        if self.gate is not None:
            self.asked.set()
            await self.gate.wait()
        return answer


@dataclass
class Measured:
    """A book over a source and clocks in the test's hand."""

    clock: HandClock = field(default_factory=HandClock)
    source: WatchedSource = field(init=False)
    book: CounterBook = field(init=False)

    def __post_init__(self) -> None:
        self.source = WatchedSource(now=self.clock.now)
        self.book = CounterBook(self.source, self.clock, self.clock.monotonic)

    def subject(self, agent: str = "support", **changes: Any) -> Subject:
        values: dict[str, Any] = {
            "agent": AgentKey("shop", agent),
            "version": "2.0.0",
            "attempt": 1,
            "started_at": self.clock.now(),
            "queries": queries(SPEC),
            "windows": Windows(timedelta(0), 0),
        }
        return Subject(**values | changes)

    def count(self, value: float, agent: str = "support") -> None:
        labels = {"namespace": "shop", "agent": agent, "version": "2.0.0", "cohort": "candidate", "pod": "p"}
        at = self.clock.now().timestamp()
        self.source.sample("agent_tasks_total", labels | {"outcome": "success"}, time=at, value=value)

    async def look(self, subject: Subject) -> Evidence | Unavailable:
        place = Place("shop", subject.agent.agent)
        return await self.book.evidence(place, subject, interval=timedelta(seconds=10), now=self.clock.now())


def tasks(found: Evidence | Unavailable) -> float:
    assert isinstance(found, Evidence), found
    return found.total.get(Arm("2.0.0", "candidate"), {}).get(TASKS, 0.0)


@pytest.mark.asyncio
async def test_what_was_counted_before_the_candidate_started_is_not_its() -> None:
    measured = Measured()
    measured.count(100)
    measured.clock.forward(1)
    subject = measured.subject()
    measured.clock.forward(1)
    measured.count(107)
    assert tasks(await measured.look(subject)) == 7


@pytest.mark.asyncio
async def test_five_hundred_rollouts_need_one_query_a_counter() -> None:
    measured = Measured()
    subjects = [measured.subject(f"agent-{number}") for number in range(500)]
    await asyncio.gather(*map(measured.look, subjects))
    for _ in range(6):
        measured.source.queries = 0
        measured.clock.forward(10)
        await asyncio.gather(*map(measured.look, subjects))
        assert measured.source.queries == len(queries(SPEC))


@pytest.mark.asyncio
async def test_looking_again_within_the_interval_asks_nothing() -> None:
    measured = Measured()
    subject = measured.subject()
    await measured.look(subject)
    measured.clock.forward(10)
    await measured.look(subject)
    measured.source.queries = 0
    measured.clock.forward(9.5)
    await measured.look(subject)
    assert measured.source.queries == 0


@pytest.mark.asyncio
async def test_one_that_is_looked_at_more_closely_is_read_alone() -> None:
    measured = Measured()
    subjects = [measured.subject(name) for name in ("calm", "alarming")]
    await asyncio.gather(*map(measured.look, subjects))
    measured.clock.forward(10)
    await asyncio.gather(*map(measured.look, subjects))
    measured.book.look_every(Place("shop", "alarming"), timedelta(seconds=1))
    asked = measured.source.agents = []
    for _ in range(10):
        measured.clock.forward(1)
        await asyncio.gather(*map(measured.look, subjects))
    names = [[agent.agent for agent in agents] for agents in asked]
    assert names == [["alarming"]] * 9 + [["alarming", "calm"]], (
        "and at the moment of all, with all in one reading"
    )


@pytest.mark.asyncio
async def test_whoever_has_its_reading_goes_on_before_all_the_others_do() -> None:
    """The first of them may have to take a candidate out, and what it sends then must not wait for their thoughts."""
    measured = Measured()
    subjects = [measured.subject(f"agent-{number}") for number in range(100)]
    await asyncio.gather(*map(measured.look, subjects))
    measured.clock.forward(10)
    finished: list[Subject] = []

    async def look(subject: Subject) -> None:
        await measured.look(subject)
        finished.append(subject)

    async def write_after_the_first() -> int:
        await measured.look(subjects[0])
        for _ in range(3):
            await asyncio.sleep(0)  # a request takes the loop a few turns to be sent
        return len(finished)

    writing = asyncio.create_task(write_after_the_first())
    await asyncio.gather(*map(look, subjects[1:]))
    assert await writing < len(subjects) / 2


@pytest.mark.asyncio
async def test_a_look_that_is_cancelled_leaves_the_reading_to_the_others() -> None:
    measured = Measured()
    first, second = measured.subject("first"), measured.subject("second")
    await asyncio.gather(measured.look(first), measured.look(second))
    measured.clock.forward(10)
    measured.count(5, "second")
    gate = measured.source.gate = asyncio.Event()
    cancelled, waiting = asyncio.create_task(measured.look(first)), asyncio.create_task(measured.look(second))
    await measured.source.asked.wait()
    cancelled.cancel()
    await asyncio.wait([cancelled])
    measured.clock.forward(10)
    again = asyncio.create_task(measured.look(first))
    for _ in range(10):
        await asyncio.sleep(0)  # it goes as far as it can
    assert len(measured.source.agents) == 1, "the first answer is still on its way"
    gate.set()
    assert tasks(await waiting) == 5
    assert isinstance(await again, Evidence)
    measured.source.gate = None
    measured.clock.forward(10)
    assert isinstance(await measured.look(first), Evidence)


@pytest.mark.asyncio
async def test_a_slow_answer_is_never_folded_in_after_a_newer_one() -> None:
    """The older counter, last, would look like a process that began again, and count everything twice."""
    measured = Measured()
    slow, other = measured.subject("support"), measured.subject("other")
    measured.count(0)
    await asyncio.gather(measured.look(slow), measured.look(other))
    measured.clock.forward(10)
    measured.count(100)
    gate = measured.source.gate = asyncio.Event()
    held = asyncio.create_task(measured.look(slow))
    await measured.source.asked.wait()
    measured.source.gate = None
    measured.clock.forward(10)
    measured.count(150)
    neighbour = asyncio.create_task(measured.look(other))
    for _ in range(10):
        await asyncio.sleep(0)  # the neighbour goes as far as it can
    gate.set()
    await asyncio.gather(held, neighbour)
    measured.clock.forward(10)
    assert tasks(await measured.look(slow)) == 150


@pytest.mark.asyncio
async def test_a_pod_that_came_and_went_in_a_long_outage_is_found_in_history() -> None:
    measured = Measured()
    subject = measured.subject()
    await measured.look(subject)
    measured.source.mode = "down"
    for _ in range(30):
        measured.clock.forward(10)
        await measured.look(subject)
        if measured.clock.now() - subject.started_at == timedelta(seconds=60):
            measured.count(9)
    measured.source.mode = "ok"
    measured.clock.forward(10)
    assert tasks(await measured.look(subject)) == 9


@pytest.mark.asyncio
async def test_an_outage_is_a_value_and_loses_nothing() -> None:
    measured = Measured()
    subject = measured.subject()
    measured.count(0)
    await measured.look(subject)
    for value, mode in ((10.0, "ok"), (20.0, "down"), (30.0, "nan"), (40.0, "ok")):
        measured.clock.forward(10)
        measured.count(value)
        measured.source.mode = mode  # type: ignore[assignment]
        found = await measured.look(subject)
        assert isinstance(found, Unavailable) == (mode != "ok")
    assert tasks(found) == 40


@pytest.mark.asyncio
async def test_history_that_cannot_be_read_is_asked_for_once_an_interval() -> None:
    measured = Measured()
    measured.source.mode = "down"
    subject = measured.subject()
    for _ in range(4):
        assert isinstance(await measured.look(subject), Unavailable)
        measured.clock.forward(1)
    assert measured.source.queries == len(queries(SPEC))
    measured.source.mode = "ok"
    measured.clock.forward(10)
    assert isinstance(await measured.look(subject), Evidence)


@pytest.mark.asyncio
async def test_a_new_attempt_starts_from_nothing() -> None:
    measured = Measured()
    first = measured.subject()
    measured.count(0)
    await measured.look(first)
    measured.clock.forward(10)
    measured.count(50)
    assert tasks(await measured.look(first)) == 50
    second = measured.subject(attempt=2)
    assert tasks(await measured.look(second)) == 0


@pytest.mark.asyncio
async def test_a_source_that_breaks_is_an_outage() -> None:
    class Broken(FakeSource):
        async def history(self, *args: Any, **kwargs: Any) -> Any:
            raise ZeroDivisionError

    measured = Measured()
    measured.book = CounterBook(Broken(now=measured.clock.now), measured.clock, measured.clock.monotonic)
    found = await measured.look(measured.subject())
    assert isinstance(found, Unavailable)
    assert "ZeroDivisionError" in found.reason


@pytest.mark.asyncio
async def test_a_source_that_is_down_is_asked_once_for_all_versions_that_serve() -> None:
    """Their histories are read one by one: the last of a thousand would wait for a thousand timeouts."""
    measured = Measured()
    measured.source.mode = "down"
    subjects = [measured.subject(f"agent-{number}", serves=True) for number in range(50)]
    found = await asyncio.gather(*map(measured.look, subjects))
    assert all(isinstance(one, Unavailable) for one in found)
    assert measured.source.queries == len(queries(SPEC))
    measured.source.mode = "ok"
    measured.clock.forward(10)
    found = await asyncio.gather(*map(measured.look, subjects))
    assert all(isinstance(one, Evidence) for one in found)


@pytest.mark.asyncio
async def test_a_reading_that_is_a_bit_late_reads_no_history() -> None:
    """Ticks of one that is looked at every five minutes come a bit early and a bit late."""
    measured = Measured()
    subject = measured.subject(serves=True)
    place, minutes = Place("shop", "support"), timedelta(minutes=5)
    for seconds in (0, 299, 302, 299, 301):
        measured.clock.forward(seconds)
        await measured.book.evidence(place, subject, interval=minutes, now=measured.clock.now())
    assert measured.source.histories == 1
    measured.clock.forward(500)
    await measured.book.evidence(place, subject, interval=minutes, now=measured.clock.now())
    assert measured.source.histories == 2


@pytest.mark.asyncio
async def test_a_version_that_serves_and_that_history_has_forgotten_does_not_count_its_whole_life() -> None:
    measured = Measured()
    subject = measured.subject(serves=True)
    measured.clock.forward(5)
    measured.count(9_000)
    assert tasks(await measured.look(subject)) == 0
    measured.clock.forward(10)
    measured.count(9_005)
    assert tasks(await measured.look(subject)) == 5
