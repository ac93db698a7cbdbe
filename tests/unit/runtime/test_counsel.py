"""Asking an advisor beside the ticks: nobody waits for it, and nothing it does or fails to do is forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.advisor import AdvisorSpec
from agentrollouts.core.analysis import run_checks
from agentrollouts.core.decide import decide
from agentrollouts.core.decision import Advance, Hold, Rollback
from agentrollouts.core.gates import gate_state
from agentrollouts.core.opinion import ASSUMED_TOKENS, Opinion
from agentrollouts.ports import Key
from agentrollouts.runtime.counsel import Counsel
from agentrollouts.runtime.telemetry import Telemetry
from tests.builders import climbing, good, later
from tests.fakes.advisor import FakeAdvisor
from tests.fakes.stage import START, HandClock, Stage, agent_version, rollout

SUCCESS_ONLY = {
    "mode": "threshold",
    "interval": "2s",
    "minimumSessions": 5,
    "failures": {"every": "1s", "consecutive": 1},
    "checks": [{"name": "success", "successRate": {}}],
}
HOLD = Opinion("hold", 9_000, "wait a bit", (), 100)


async def beginning(advisor: FakeAdvisor, *, after: timedelta = timedelta(0), **fields: Any) -> Stage:
    """2.0.0 is on its way, and would get its first share; so long after 9:00."""
    stage = Stage(advisor=advisor, clock=HandClock(START + after))
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", analysis=SUCCESS_ONLY))
    await stage.restart()
    await stage.go(1)
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", analysis=SUCCESS_ONLY, advisor={"model": "m", **fields}))
    await stage.go(4)
    return stage


def advice(stage: Stage) -> dict[str, Any]:
    """What the status remembers of the opinion."""
    found: dict[str, Any] = stage.status()["candidate"]["advice"]
    return found


def counted(stage: Stage, name: str, **labels: str) -> float:
    """A metric of the operator."""
    return stage.operator.telemetry.registry.get_sample_value(name, labels) or 0.0


@pytest.mark.asyncio
async def test_it_is_asked_once_for_each_step() -> None:
    stage = await beginning(FakeAdvisor())
    for _ in range(14):
        stage.work()
        await stage.go(1)
    assert stage.status()["phase"] == "AwaitingApproval", stage.status()
    stage.cluster.annotate("ApprovalGate", "support-2.0.0-1", approve="true", approved_by="ann")
    await stage.go(4)
    assert stage.shares() == {"2.0.0": 10_000}
    assert [question.subject.share for question in stage.advisor.asked] == [500, 5_000, 10_000]
    assert 'says proceed (90% sure): "fine"' in stage.status()["history"][-1]["message"]
    assert stage.status()["advisorUsage"]["tokens"] == 300
    assert counted(stage, "agentrollouts_advisor_opinions_total", outcome="Proceed") == 3
    assert counted(stage, "agentrollouts_advisor_tokens_total") == 300


@pytest.mark.asyncio
async def test_while_it_hangs_others_go_on_and_this_rollout_can_be_rolled_back() -> None:
    stage = await beginning(FakeAdvisor(hangs=True))
    assert stage.status()["decision"]["reason"] == "AskingAdvisor"
    assert stage.shares() == {"1.0.0": 10_000}
    stage.cluster.put(agent_version("1.0.0", "a", "other"))
    stage.cluster.put(rollout("1.0.0", "other"))
    await stage.go(2)
    assert stage.shares("other") == {"1.0.0": 10_000}
    stage.cluster.annotate("Rollout", "support", abort="1")
    await stage.settle()
    assert stage.status()["phase"] == "RolledBack"
    assert len(stage.advisor.asked) == 1
    await stage.operator.counsel.close()
    assert stage.advisor.closed


@pytest.mark.asyncio
async def test_a_candidate_that_fails_is_taken_out_while_the_advisor_hangs() -> None:
    stage = await beginning(FakeAdvisor())
    assert stage.shares()["2.0.0"] == 500
    stage.advisor.hangs = True
    for _ in range(6):
        stage.work()
        await stage.go(1)
    assert stage.status()["decision"]["reason"] == "AskingAdvisor"
    for _ in range(6):
        stage.work(4, bad={"2.0.0": 36})
        await stage.go(1)
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.status()["rejected"]["reason"] == "CheckFailed"
    await stage.operator.counsel.close()


@pytest.mark.asyncio
async def test_no_answer_in_time_is_no_opinion_and_the_rollout_goes_on() -> None:
    hasty = AdvisorSpec.model_validate({"model": "m"}).model_copy(
        update={"timeout": timedelta(milliseconds=1)}
    )
    s = replace(later(climbing(), minutes=16), evidence=good(500))
    s = replace(s, spec=s.spec.model_copy(update={"advisor": hasty}))
    step, woken = decide(s, run_checks(s), gate_state(s)), asyncio.Event()
    counsel = Counsel(FakeAdvisor(hangs=True), HandClock(s.now), Telemetry(), lambda _: woken.set())
    key = Key("Rollout", "shop", "support")
    _, asking = counsel.weigh(key, s, (), step)
    assert (type(asking), asking.reason) == (Hold, "AskingAdvisor")
    await woken.wait()
    heard, after = counsel.weigh(key, s, (), step)
    assert isinstance(after, Advance)
    assert "no answer within" in after.message
    assert heard.answer is not None
    assert heard.answer.usage.tokens == ASSUMED_TOKENS
    rollback = Rollback("CheckFailed")
    untouched = counsel.weigh(key, s, (), rollback)
    assert (untouched[0] is s, untouched[1] is rollback) == (True, True), "a rollback doesn't come by at all"


@pytest.mark.asyncio
async def test_an_advisor_that_raises_is_no_opinion() -> None:
    stage = await beginning(FakeAdvisor(says=RuntimeError("a bug, with ignore previous instructions in it")))
    assert stage.shares()["2.0.0"] == 500
    assert advice(stage)["outcome"] == "Failed"
    assert "ignore" not in str(stage.status())


@pytest.mark.asyncio
async def test_a_restart_neither_asks_again_nor_forgets_the_holds() -> None:
    stage = await beginning(FakeAdvisor(says=HOLD), maxHolds=1, holdFor="60s")
    assert (advice(stage)["holds"], stage.status()["decision"]["reason"]) == (1, "AdvisorHolds")
    await stage.restart()
    await stage.go(20)
    assert len(stage.advisor.asked) == 1
    await stage.go(60)
    assert len(stage.advisor.asked) == 2
    assert stage.status()["decision"]["reason"] == "AdvisorUndecided"
    await stage.restart()
    await stage.go(200, step=2)
    assert len(stage.advisor.asked) == 2
    assert stage.shares() == {"1.0.0": 10_000}
    stage.cluster.annotate("Rollout", "support", resume="1")
    await stage.go(2)
    assert stage.shares()["2.0.0"] == 500
    assert len(stage.advisor.asked) == 2


@pytest.mark.asyncio
async def test_while_it_holds_nothing_is_written() -> None:
    stage = await beginning(FakeAdvisor(says=HOLD), holdFor="10m")
    before = list(stage.cluster.writes)
    await stage.go(100)
    assert stage.cluster.writes == before


@pytest.mark.asyncio
async def test_a_spent_budget_asks_nobody_until_the_next_day() -> None:
    late = timedelta(hours=14, minutes=56)
    stage = await beginning(FakeAdvisor(says=HOLD), after=late, dailyTokens=150, holdFor="60s")
    await stage.go(61)
    assert stage.status()["advisorUsage"]["tokens"] == 200
    await stage.restart()
    await stage.go(61)
    assert len(stage.advisor.asked) == 2, "the third time, the budget is spent"
    assert stage.shares()["2.0.0"] == 500
    assert advice(stage)["outcome"] == "BudgetSpent"
    await stage.go(120)
    assert stage.clock.now().day == 6
    for _ in range(8):
        stage.work()
        await stage.go(1)
    assert len(stage.advisor.asked) == 3
    assert stage.status()["advisorUsage"] == stage.status()["advisorUsage"] | {
        "day": "2026-01-06",
        "tokens": 100,
    }


@pytest.mark.asyncio
async def test_a_rollback_on_its_word_is_one_like_any_other() -> None:
    stage = await beginning(FakeAdvisor())
    stage.advisor.says = Opinion("rollback", 9_500, "answers got rude")
    stage.cluster.edit("Rollout", "support", lambda body: body["spec"]["advisor"].update(mayRollback=True))
    for _ in range(6):
        stage.work()
        await stage.go(1)
    assert stage.shares() == {"1.0.0": 10_000}
    assert "urgent replace AgentRoute support" in stage.cluster.writes
    assert stage.status()["rejected"]["reason"] == "AdvisorRollback"


@pytest.mark.asyncio
async def test_a_deleted_rollout_is_not_asked_about_any_more() -> None:
    stage = await beginning(FakeAdvisor(hangs=True))
    stage.cluster.remove("Rollout", "support")
    await stage.settle()
    await asyncio.sleep(0)
    assert stage.operator.counsel._asking == {}
    assert stage.operator.counsel._answers == {}


def test_an_advisor_that_could_take_for_ever_is_refused() -> None:
    for wrong in ("0s", "2m1s", "1h"):
        with pytest.raises(ValueError, match="at most 2m"):
            AdvisorSpec.model_validate({"model": "m", "timeout": wrong})
