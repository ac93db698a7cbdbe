"""Users' queries beside the ticks: how often, how many at a time, and what is known while an answer is on its way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.asked import Row
from agentrollouts.core.evidence import Arm, Asked, Unavailable
from agentrollouts.metrics.fake import FakeSource
from agentrollouts.runtime import asking
from agentrollouts.runtime.asking import AT_A_TIME, Asking
from agentrollouts.runtime.views import Place
from tests.builders import spec
from tests.fakes.stage import HandClock

MINE = 'max by (version, cohort) (queue{namespace="{{ namespace }}",agent="{{ agent }}"})'
EVERYBODYS = "max by (namespace, agent, version, cohort) (queue)"
TEXT = 'max by (version, cohort) (queue{namespace="shop",agent="support"})'
PLACE = Place("shop", "support")
ROW = Row({"version": "2.0.0", "cohort": "candidate"}, 3.0)


def wanting(*queries: str, agent: str = "support", **analysis: Any) -> RolloutSpec:
    checks = [{"name": f"q{n}", "promql": {"query": query, "max": 1}} for n, query in enumerate(queries)]
    return spec("2.0.0", agent=agent, analysis={"interval": "2s", **analysis, "checks": checks})


@dataclass(slots=True)
class SlowSource(FakeSource):
    """Answers users' queries once a test lets it; says how many it was asked at a time."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    most: int = 0
    _now: int = 0

    async def ask(self, query: str) -> tuple[Row, ...] | Unavailable:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await self.gate.wait()
            return await FakeSource.ask(self, query)
        finally:
            self._now -= 1


@dataclass
class Scene:
    clock: HandClock = field(default_factory=HandClock)
    source: SlowSource = field(init=False)
    asking: Asking = field(init=False)

    def __post_init__(self) -> None:
        self.source = SlowSource(now=self.clock.now)
        self.source.tell(TEXT, ROW)
        self.asking = Asking(self.source, self.clock, self.clock.monotonic)

    def look(self, wanted: RolloutSpec, place: Place = PLACE) -> dict[str, Asked | Unavailable]:
        return dict(self.asking.latest(place, wanted))


def values(found: Asked | Unavailable) -> dict[Arm, tuple[float, ...]]:
    assert isinstance(found, Asked), found
    return dict(found.values)


async def as_far_as_it_goes() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_look_takes_what_is_known_and_waits_for_nothing() -> None:
    scene, wanted = Scene(), wanting(MINE)
    assert scene.look(wanted) == {"q0": Unavailable("the query hasn't been answered yet")}
    await as_far_as_it_goes()
    asked_at = scene.clock.now()
    scene.clock.forward(9)
    assert isinstance(scene.look(wanted)["q0"], Unavailable)
    scene.source.gate.set()
    await as_far_as_it_goes()
    found = scene.look(wanted)["q0"]
    assert values(found) == {Arm("2.0.0", "candidate"): (3.0,)}
    assert isinstance(found, Asked)
    assert found.at == asked_at, "an answer is as old as its question"


@pytest.mark.asyncio
async def test_a_query_is_asked_every_fifteen_seconds_or_every_interval_that_is_longer() -> None:
    for interval, seconds, times in (("2s", 60, 4), ("20s", 60, 3)):
        scene, wanted = Scene(), wanting(MINE, interval=interval)
        scene.source.gate.set()
        for _ in range(seconds):
            scene.look(wanted)
            await as_far_as_it_goes()
            scene.clock.forward(1)
        assert scene.source.asked == [TEXT] * times


@pytest.mark.asyncio
async def test_the_last_answer_stands_until_the_next_one_is_there() -> None:
    scene, wanted = Scene(), wanting(MINE)
    scene.source.gate.set()
    scene.look(wanted)
    await as_far_as_it_goes()
    scene.source.gate.clear()
    scene.clock.forward(15)
    assert isinstance(scene.look(wanted)["q0"], Asked)
    await as_far_as_it_goes()
    scene.clock.forward(300)
    found = scene.look(wanted)["q0"]
    assert isinstance(found, Asked), "that it is too old, the core says"
    assert scene.clock.now() - found.at == timedelta(seconds=315)
    assert scene.source._now == 1, "and it isn't asked a second time meanwhile"


@pytest.mark.asyncio
async def test_equal_texts_are_asked_once_for_all_rollouts() -> None:
    scene = Scene()
    scene.source.gate.set()
    scene.source.tell(
        EVERYBODYS,
        *(Row({**ROW.labels, "namespace": "shop", "agent": f"agent-{n}"}, float(n)) for n in range(200)),
    )
    for repeat in range(2):
        for n in range(200):
            found = scene.look(wanting(EVERYBODYS, agent=f"agent-{n}"), Place("shop", f"agent-{n}"))["q0"]
            if repeat:
                assert values(found) == {Arm("2.0.0", "candidate"): (float(n),)}
        await as_far_as_it_goes()
    assert scene.source.asked == [EVERYBODYS]


@pytest.mark.asyncio
async def test_only_a_few_are_under_way_at_a_time() -> None:
    scene = Scene()
    for n in range(30):
        scene.look(wanting(MINE, agent=f"agent-{n}"), Place("shop", f"agent-{n}"))
    await as_far_as_it_goes()
    assert scene.source.most == scene.source._now == AT_A_TIME
    scene.source.gate.set()
    await as_far_as_it_goes()
    await as_far_as_it_goes()
    assert len(scene.source.asked) == 30
    assert scene.source.most == AT_A_TIME


@pytest.mark.asyncio
async def test_a_failed_query_says_why_and_the_others_are_answered() -> None:
    scene = Scene()
    scene.source.gate.set()
    wanted = wanting(MINE, f"({MINE}", "sum(queue)")
    scene.look(wanted)
    await as_far_as_it_goes()
    good, refused, ungrouped = scene.look(wanted).values()
    assert values(good)
    assert isinstance(refused, Unavailable)
    assert "parse error" in refused.reason
    assert isinstance(ungrouped, Unavailable)
    assert "expected a query that groups by (version, cohort)" in ungrouped.reason
    assert len(scene.source.asked) == 2, "a template that can't be right is never asked"


@pytest.mark.asyncio
async def test_a_source_that_raises_or_never_answers_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, wanted = Scene(), wanting(MINE)

    async def fails(self: Any, query: str) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(SlowSource, "ask", fails)
    scene.look(wanted)
    await as_far_as_it_goes()
    assert scene.look(wanted)["q0"] == Unavailable("the metric source failed: RuntimeError('a bug')")
    monkeypatch.undo()
    monkeypatch.setattr(asking, "LONGEST", 0.0)
    scene.clock.forward(15)
    scene.look(wanted)
    await asyncio.wait_for(scene.asking._questions[TEXT].task or asyncio.sleep(0), None)
    assert scene.look(wanted)["q0"] == Unavailable("no answer within 0 s")


@pytest.mark.asyncio
async def test_what_nobody_wants_any_more_is_given_up() -> None:
    scene = Scene()
    scene.look(wanting(MINE))
    scene.look(wanting(EVERYBODYS), Place("shop", "other"))
    await as_far_as_it_goes()
    task = scene.asking._questions[TEXT].task
    assert task is not None
    scene.asking.forget(PLACE)
    await asyncio.wait([task])
    assert task.cancelled()
    assert list(scene.asking._questions) == [EVERYBODYS]
    scene.look(wanting(EVERYBODYS.replace("max", "min")), Place("shop", "other"))
    assert list(scene.asking._questions) == [EVERYBODYS.replace("max", "min")]
    await scene.asking.close()
    assert scene.source._now == 0


@pytest.mark.asyncio
async def test_the_window_is_that_of_the_analysis_or_five_minutes() -> None:
    scene = Scene()
    scene.source.gate.set()
    query = "max by (namespace, agent, version, cohort) (rate(x[{{ window }}]))"
    scene.look(wanting(query))
    scene.look(wanting(query, window="1h30m"), Place("shop", "other"))
    await as_far_as_it_goes()
    assert [text.partition("rate")[2] for text in scene.source.asked] == ["(x[5m]))", "(x[1h30m]))"]
