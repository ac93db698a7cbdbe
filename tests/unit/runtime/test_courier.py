"""Notices beside the ticks: each is told once, none is lost with the operator, and nobody waits for a dead endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, get_args

import pytest
import pytest_asyncio

from agentrollouts.api.notify import Happening
from agentrollouts.ports import TransientError, Undelivered
from agentrollouts.runtime.courier import LANES, PATIENCE
from tests.fakes.stage import Stage, agent_version, rollout

ALL = list(get_args(Happening))
ANALYSIS = {
    "mode": "threshold",
    "interval": "2s",
    "minimumSessions": 5,
    "failures": {"every": "1s", "consecutive": 1},
    "checks": [{"name": "success", "successRate": {}}],
}
DOWN = Undelivered("hooks.example answered with HTTP 503")


def notify(name: str = "oncall", on: list[str] | None = None) -> dict[str, Any]:
    return {"name": name, "webhook": {"ref": name}} | ({"on": on} if on else {})


async def beginning(*notifiers: dict[str, Any]) -> Stage:
    """2.0.0 is on its way beside 1.0.0, with its first share."""
    stage = Stage()
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", analysis=ANALYSIS, notify=list(notifiers or [notify()])))
    await stage.restart()
    await stage.go(1)
    stage.cluster.put(agent_version("2.0.0", "b"))
    want(stage, "2.0.0")
    await stage.go(4)
    assert stage.shares()["2.0.0"] == 500
    return stage


def want(stage: Stage, version: str) -> None:
    stage.cluster.edit("Rollout", "support", lambda body: body["spec"].update(version=version))


async def fail(stage: Stage) -> None:
    """The candidate fails until it is taken out."""
    for _ in range(8):
        stage.work(4, bad={"2.0.0": 36})
        await stage.go(1)
    assert stage.status()["phase"] == "RolledBack", stage.status()


def status_writes(stage: Stage) -> int:
    return stage.cluster.writes.count("status of Rollout support")


def counted(stage: Stage, outcome: str) -> float:
    labels = {"notifier": "webhook", "outcome": outcome}
    return (
        stage.operator.telemetry.registry.get_sample_value("agentrollouts_notifications_total", labels) or 0
    )


def failures(stage: Stage) -> list[str]:
    return [message for reason, message in stage.cluster.events if reason == "NotificationFailed"]


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    found = await beginning()
    yield found
    await found.operator.courier.close()


@pytest.mark.asyncio
async def test_a_rollback_is_told_once_with_two_status_writes(stage: Stage) -> None:
    before = status_writes(stage)
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    assert stage.notifier.told("oncall") == ["RolledBack"]
    assert status_writes(stage) == before + 2, "the decision with the notice, and the notice delivered"
    assert "notices" not in stage.status()
    await stage.go(10)
    assert stage.notifier.told("oncall") == ["RolledBack"]
    assert status_writes(stage) == before + 2
    assert (counted(stage, "Delivered"), counted(stage, "Failed")) == (1, 0)


@pytest.mark.asyncio
async def test_a_rollback_says_what_failed(stage: Stage) -> None:
    await fail(stage)
    ((_, notice),) = stage.notifier.got
    facts = notice.facts
    assert (facts.candidate, facts.stable, facts.attempt) == ("2.0.0", "1.0.0", 1)
    assert (facts.share_before, facts.share_after, facts.reason) == (500, 0, "CheckFailed")
    assert [(f.name, f.verdict) for f in facts.findings] == [("success", "FAIL")]
    assert facts.changed == ("code", "data", "model", "prompts", "tools")


@pytest.mark.asyncio
async def test_a_whole_rollout_is_told_in_order_and_each_happening_once() -> None:
    stage = await beginning(notify("all", ALL), notify("usual"))
    for _ in range(14):
        stage.work()
        await stage.go(1)
    stage.cluster.annotate("ApprovalGate", "support-2.0.0-1", approve="true", approved_by="ann")
    await stage.go(4)
    stage.cluster.annotate("Rollout", "support", undo="1")
    await stage.go(4)
    whole = ["Started", "Advanced", "Advanced", "ApprovalNeeded", "Promoted", "Undone"]
    assert stage.notifier.told("all") == whole
    assert stage.notifier.told("usual") == ["ApprovalNeeded"]
    ids = [notice.facts.id for name, notice in stage.notifier.got if name == "all"]
    assert len(set(ids)) == len(whole)
    await stage.operator.courier.close()


@pytest.mark.asyncio
async def test_an_operator_that_dies_after_the_status_is_written_sends_it_after_its_restart(
    stage: Stage,
) -> None:
    stage.notifier.hangs = {"oncall"}
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    (pending,) = stage.status()["notices"]["pending"]
    assert stage.notifier.got == []
    await stage.operator.courier.close()
    stage.notifier.hangs = set()
    await stage.restart()
    await stage.settle()
    assert [notice.facts.id for _, notice in stage.notifier.got] == [pending["id"]]
    assert {notice.facts.id for _, notice in stage.notifier.tried} == {pending["id"]}
    assert "notices" not in stage.status()


@pytest.mark.asyncio
async def test_an_operator_that_dies_between_route_and_status_still_tells(stage: Stage) -> None:
    stage.cluster.fail = lambda _, what: (
        TransientError("down") if what == "status of Rollout support" else None
    )
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.notifier.tried == [], "nothing is told that isn't written"
    stage.cluster.fail = lambda *_: None
    await stage.operator.courier.close()
    await stage.restart()
    await stage.go(2)
    assert stage.notifier.told("oncall") == ["RolledBack"]
    assert stage.notifier.got[0][1].facts.share_before == 500


@pytest.mark.asyncio
async def test_a_dead_endpoint_delays_nothing_and_is_told_of() -> None:
    stage = await beginning(notify("dead"), notify("slow"), notify("well"))
    stage.notifier.answers["dead"] = DOWN
    stage.notifier.hangs = {"slow"}
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.notifier.told("well") == ["RolledBack"]
    (said,) = failures(stage)
    assert "dead was not told of RolledBack of 2.0.0: hooks.example answered with HTTP 503" in said
    stage.cluster.put(agent_version("1.0.0", "a", "other"))
    stage.cluster.put(rollout("1.0.0", "other"))
    await stage.go(2)
    assert stage.shares("other") == {"1.0.0": 10_000}
    await stage.operator.courier.close()


@pytest.mark.asyncio
async def test_it_is_tried_again_less_and_less_often_and_told_when_the_endpoint_is_back(stage: Stage) -> None:
    stage.notifier.answers["oncall"] = DOWN
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    writes = status_writes(stage)
    await stage.go(70)
    assert len(stage.notifier.tried) == 6, "after 0, 2, 6, 14, 30 and 62 seconds"
    assert len(failures(stage)) == 1
    assert status_writes(stage) == writes, "trying writes nothing"
    stage.notifier.answers.clear()
    await stage.go(60)
    assert stage.notifier.told("oncall") == ["RolledBack"]
    assert (counted(stage, "Delivered"), counted(stage, "Failed")) == (1, 6)
    assert "notices" not in stage.status()


@pytest.mark.asyncio
async def test_it_is_given_up_after_an_hour_and_people_see_it(stage: Stage) -> None:
    stage.notifier.answers["oncall"] = DOWN
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    await stage.go(PATIENCE + 300, step=30)
    assert counted(stage, "GivenUp") == 1
    assert [message.endswith("it is given up") for message in failures(stage)] == [False, True]
    assert "notices" not in stage.status()
    tried = len(stage.notifier.tried)
    await stage.go(900, step=30)
    assert len(stage.notifier.tried) == tried


@pytest.mark.asyncio
async def test_a_destination_that_asks_for_a_pause_gets_it(stage: Stage) -> None:
    stage.notifier.answers["oncall"] = Undelivered("hooks.example answered with HTTP 429", 40.0)
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    await stage.go(39)
    assert len(stage.notifier.tried) == 1
    await stage.go(2)
    assert len(stage.notifier.tried) == 2


@pytest.mark.asyncio
async def test_a_bug_in_a_notifier_is_a_try_that_failed_and_shows_nothing_of_it(stage: Stage) -> None:
    stage.notifier.answers["oncall"] = RuntimeError("https://hooks.example/the-secret")
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    (said,) = failures(stage)
    assert "the notifier failed: RuntimeError" in said
    assert "secret" not in said
    stage.notifier.answers.clear()
    await stage.go(3)
    assert stage.notifier.told("oncall") == ["RolledBack"]


@pytest.mark.asyncio
async def test_a_try_that_hangs_ends_and_is_repeated(stage: Stage) -> None:
    stage.operator.courier.timeout = 0.001
    stage.notifier.hangs = {"oncall"}
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    await stage.clock.asleep.wait()
    assert "no answer within 0.001 s" in failures(stage)[0]
    stage.notifier.hangs = set()
    await stage.go(3)
    assert stage.notifier.told("oncall") == ["RolledBack"]


@pytest.mark.asyncio
async def test_a_crowd_for_a_hanging_destination_takes_few_lanes_and_leaves_others_theirs() -> None:
    stage = Stage()
    agents = [f"agent-{number}" for number in range(10)]
    for agent in agents:
        stage.cluster.put(agent_version("1.0.0", "a", agent))
        # Each is stalled at once: it wants a version that doesn't exist.
        shared = notify("dead", ["Stalled"]), notify("well", ["Stalled"])
        stage.cluster.put(rollout("9.9.9", agent, notify=list(shared)))
    stage.notifier.hangs = {"dead"}
    await stage.restart()
    await stage.settle()
    assert len(stage.notifier.told("well")) == 10
    assert sum(name == "dead" for name, _ in stage.notifier.tried) == LANES
    await stage.operator.courier.close()


@pytest.mark.asyncio
async def test_a_notifier_that_is_taken_out_of_the_spec_is_tried_no_more(stage: Stage) -> None:
    stage.notifier.answers["oncall"] = DOWN
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    stage.cluster.edit("Rollout", "support", lambda body: body["spec"].update(notify=[]))
    await stage.go(10)
    assert len(stage.notifier.tried) == 1
    assert "notices" not in stage.status()


@pytest.mark.asyncio
async def test_a_rollout_that_is_deleted_tells_nothing_more(stage: Stage) -> None:
    stage.notifier.answers["oncall"] = DOWN
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    stage.cluster.remove("Rollout", "support")
    await stage.go(10)
    assert len(stage.notifier.tried) == 1


@pytest.mark.asyncio
async def test_closing_ends_what_is_under_way(stage: Stage) -> None:
    stage.notifier.hangs = {"oncall"}
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.settle()
    await stage.operator.courier.close()
    assert stage.notifier.closed
    assert stage.status()["notices"]["pending"], "the next operator finds it"
