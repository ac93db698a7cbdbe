"""The whole operator with a query of the user's own: a query that hangs holds up nobody, and one that fails long enough rolls back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from agentrollouts.core.asked import Row
from agentrollouts.core.evidence import Unavailable
from agentrollouts.metrics.fake import FakeSource
from tests.fakes.stage import Stage, agent_version, rollout

QUERY = 'max by (version, cohort) (queue{namespace="{{ namespace }}",agent="{{ agent }}"})'
TEXT = 'max by (version, cohort) (queue{namespace="shop",agent="support"})'


@dataclass(slots=True)
class HangingSource(FakeSource):
    """Never answers a user's query while it hangs. Whoever gives it up finds the shares of that moment in ``given_up``."""

    hangs: bool = True
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    shares: Callable[[], dict[str, int]] = dict
    given_up: list[dict[str, int]] = field(default_factory=list)

    async def ask(self, query: str) -> tuple[Row, ...] | Unavailable:
        if self.hangs:
            try:
                await self.answers.wait()
            except asyncio.CancelledError:
                self.given_up.append(self.shares())
                raise
        return await FakeSource.ask(self, query)


class OwnStage(Stage):
    """A stage whose users' queries hang until told otherwise."""

    source: HangingSource

    def __post_init__(self) -> None:
        self.source = HangingSource(now=self.clock.now)
        self.source.shares = self.shares

    def queue(self, candidate: float) -> None:
        """What the user's metric shows from now on."""
        self.source.hangs = False
        self.source.tell(TEXT, Row({"version": "2.0.0", "cohort": "candidate"}, candidate))

    def check(self, name: str) -> Mapping[str, Any]:
        return next(each for each in self.status()["checks"] if each["name"] == name)


def judged(mode: str, **analysis: Any) -> dict[str, Any]:
    checks = [
        {"name": "success", "successRate": {}},
        {"name": "queue", "promql": {"query": QUERY, "max": 10, "onFailure": "Rollback"}},
    ]
    return {
        "mode": mode,
        "interval": "2s",
        "minimumSessions": 5,
        "failures": {"every": "1s", "consecutive": 2},
        "checks": checks,
        **analysis,
    }


async def climbing(analysis: dict[str, Any]) -> OwnStage:
    stage = OwnStage()
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", analysis=analysis))
    await stage.restart()
    await stage.go(1)
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", analysis=analysis))
    await stage.go(4)
    assert stage.shares() == {"2.0.0": 500, "1.0.0": 9500}
    return stage


def closes(stage: Stage, n: int = 10) -> None:
    """Every arm finishes good tasks and closes good sessions."""
    stage.work(n)
    stage.sessions(n)


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["sequential", "threshold"])
async def test_a_query_that_hangs_doesnt_delay_a_breaker(mode: str) -> None:
    """The query is still under way when the candidate is out: nobody waited for it, or for the end of its patience."""
    breakers = [{"name": "errors", "errors": {"max": "50%"}, "minimumTasks": 5}]
    stage = await climbing(judged(mode, breakers=breakers))
    assert stage.source.asked == [], "the query is on its way, and isn't answered"
    stage.work(1, bad={"2.0.0": 20})
    stage.sessions(10)
    await stage.go(2)
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.status()["rejected"]["reason"] == "BreakerTripped"
    assert stage.source.given_up == [{"1.0.0": 10_000}], "given up because nobody wants to know any more"


@pytest.mark.asyncio
async def test_a_query_that_hangs_holds_the_candidate_and_says_so() -> None:
    stage = await climbing(judged("sequential"))
    for _ in range(10):
        closes(stage)
        await stage.go(2)
    assert stage.check("queue")["verdict"] == "INCONCLUSIVE"
    assert stage.check("queue")["reason"] == "the query hasn't been answered yet"
    assert stage.status()["candidate"]["share"] == 500
    stage.queue(3.0)
    stage.source.answers.set()
    for _ in range(10):
        closes(stage)
        await stage.go(2)
    assert stage.check("queue")["verdict"] == "PASS"


@pytest.mark.asyncio
async def test_failures_add_up_to_a_rollback_and_survive_the_operator() -> None:
    stage = await climbing(judged("sequential"))
    stage.queue(99.0)
    stage.source.answers.set()
    closes(stage)
    await stage.go(8)
    looks = stage.status()["candidate"]["checkLooks"]
    assert [(ring["name"], [look["verdict"] for look in ring["looks"]]) for ring in looks] == [
        ("queue", ["FAIL"])
    ]
    await stage.restart()
    closes(stage)
    await stage.go(16)
    assert stage.status()["rejected"]["reason"] == "QueryFailed"
    assert "2 of the last 2 looks failed: 99, at most 10" in stage.status()["rejected"]["message"]
    assert stage.shares() == {"1.0.0": 10_000}


@pytest.mark.asyncio
async def test_a_number_that_moves_writes_nothing() -> None:
    stage = await climbing(judged("sequential"))
    stage.queue(1.0)
    stage.source.answers.set()
    for _ in range(10):
        closes(stage)
        await stage.go(2)
    assert stage.check("queue")["verdict"] == "PASS"
    written = len(stage.cluster.writes)
    for value in (2.0, 3.0, 4.0):
        stage.queue(value)
        await stage.go(16)
    assert [what for what in stage.cluster.writes[written:] if "Rollout" in what] == []


@pytest.mark.asyncio
async def test_without_a_candidate_nothing_is_asked() -> None:
    stage = OwnStage()
    stage.source.hangs = False
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", analysis=judged("sequential")))
    await stage.restart()
    await stage.go(60)
    assert stage.source.asked == []


@pytest.mark.asyncio
async def test_after_the_candidate_is_gone_nothing_is_asked_any_more() -> None:
    stage = await climbing(judged("sequential"))
    stage.queue(1.0)
    stage.source.answers.set()
    await stage.go(20)
    assert stage.source.asked
    stage.cluster.annotate("Rollout", "support", abort="1")
    await stage.go(20)
    assert stage.shares() == {"1.0.0": 10_000}
    asked = len(stage.source.asked)
    await stage.go(60)
    assert len(stage.source.asked) == asked
    assert stage.operator.ticker.evidence.asking._questions == {}


@pytest.mark.asyncio
async def test_a_query_that_hangs_doesnt_delay_another_rollout() -> None:
    stage = await climbing(judged("sequential"))
    plain = judged("threshold", checks=[{"name": "success", "successRate": {}}])
    for version, letter in (("1.0.0", "a"), ("2.0.0", "b")):
        stage.cluster.put(agent_version(version, letter, agent="billing"))
        stage.cluster.put(rollout(version, agent="billing", analysis=plain))
        await stage.go(4)
    stage.work(20, bad={"2.0.0": 40}, agent="billing")
    await stage.go(2)
    assert stage.shares("billing") == {"1.0.0": 10_000}
    assert stage.source.asked == stage.source.given_up == [], "it is still under way"
