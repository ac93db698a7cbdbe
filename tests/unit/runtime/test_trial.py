"""A whole operator that tries candidates by sequential tests: promoted, taken out, and going on after it died."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from agentrollouts.core.sequential.record import CHECKSUM
from tests.fakes.stage import Stage, agent_version, rollout

SUCCESS: dict[str, Any] = {
    "mode": "sequential",
    "interval": "2s",
    "minimumSessions": 5,
    "checks": [{"name": "success", "successRate": {}}],
}


async def climbing(before: int = 0, spec: Mapping[str, Any] | None = None, **analysis: Any) -> Stage:
    """A candidate at 5 %. ``before``: sessions of the first version until then."""
    more = spec or {}
    stage = Stage()
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", analysis=SUCCESS | analysis, **more))
    await stage.restart()
    await stage.go(1)
    if before:
        stage.sessions(before)
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", analysis=SUCCESS | analysis, **more))
    await stage.go(4)
    assert stage.shares() == {"2.0.0": 500, "1.0.0": 9500}
    return stage


async def work(stage: Stage, seconds: int, good: int = 10, **bad: int) -> None:
    for _ in range(seconds):
        stage.sessions(good, {name.removeprefix("v").replace("_", "."): n for name, n in bad.items()})
        await stage.go(1)


def trial(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stage.status()["candidate"]["trial"]["state"][CHECKSUM:])
    return found


@pytest.mark.asyncio
async def test_a_good_version_earns_each_step_with_more_evidence() -> None:
    stage = await climbing()
    await work(stage, 8, good=1)
    assert stage.status()["decision"]["reason"] == "GatheringEvidence", "a soak of 4 s isn't enough"
    assert "for the next step" in stage.status()["decision"]["message"]
    assert stage.shares()["2.0.0"] == 500
    await work(stage, 40)
    assert stage.shares()["2.0.0"] == 5000
    await work(stage, 30)
    assert stage.status()["phase"] == "AwaitingApproval", stage.status()["decision"]
    [check] = stage.status()["checks"]
    assert (check["name"], check["verdict"]) == ("success", "PASS")


@pytest.mark.asyncio
async def test_a_worse_version_goes_at_once_whatever_the_soak() -> None:
    stage = await climbing(before=200)
    await work(stage, 4, good=6, v2_0_0=4)
    status = stage.status()
    assert status["rejected"]["reason"] == "CheckFailed", status["decision"]
    assert "evidence against it" in status["rejected"]["message"]
    assert stage.shares() == {"1.0.0": 10_000}


@pytest.mark.asyncio
async def test_a_dead_operator_is_followed_by_one_that_knows_the_trial() -> None:
    stage = await climbing(before=200)
    await work(stage, 6)
    before = trial(stage)
    assert before["courses"][0][0] > 0
    writes = len(stage.cluster.writes)
    await stage.restart()
    await stage.go(1)
    again = [w for w in stage.cluster.writes[writes:] if "status" in str(w)]
    assert trial(stage) == before or again, "the record only changes by a look that is written"
    await work(stage, 60)
    assert stage.shares()["2.0.0"] == 5000
    assert trial(stage)["courses"][0][0] > before["courses"][0][0]


@pytest.mark.asyncio
async def test_what_a_candidate_was_found_guilty_of_isn_t_forgotten_by_a_restart() -> None:
    """No operator lives long enough to see what the evidence of all of them together says."""
    stage = await climbing(before=200)
    lives = 0
    while "rejected" not in stage.status() and lives < 12:
        await stage.restart()
        stage.sessions(9, {"2.0.0": 1})
        await stage.go(2)
        lives += 1
    assert stage.status()["rejected"]["reason"] == "CheckFailed", stage.status()["decision"]
    assert lives > 1


@pytest.mark.asyncio
async def test_a_hold_writes_nothing() -> None:
    stage = await climbing()
    await work(stage, 7, good=1)
    writes = len(stage.cluster.writes)
    await work(stage, 10, good=1)
    assert stage.status()["decision"]["reason"] == "GatheringEvidence"
    assert len(stage.cluster.writes) == writes


@pytest.mark.asyncio
async def test_an_agent_that_reports_no_sessions_is_told_so() -> None:
    stage = await climbing()
    for _ in range(8):
        stage.work()
        await stage.go(1)
    status = stage.status()
    assert status["checks"][0]["verdict"] == "INCONCLUSIVE"
    assert "doesn't report agent_sessions_closed_total" in status["checks"][0]["reason"]
    assert status["candidate"]["noEvidenceSince"], "the clock of missing evidence runs"


SESSIONS = {"assignment": {"unit": "Session"}}


@pytest.mark.parametrize(("candidate", "reason"), [(1, "TooFewSamples"), (3, "SplitBroken")])
@pytest.mark.asyncio
async def test_callers_who_are_not_split_as_configured_make_every_verdict_worthless(
    candidate: int, reason: str
) -> None:
    """Even a candidate that fails all the time stays then: nobody knows whose failures they are."""
    stage = await climbing(before=200, spec=SESSIONS)
    for _ in range(150):
        stage.assigned(candidate=candidate, control=1, stable=18)
        await stage.go(1)
    stage.sessions(1)
    await stage.go(2)
    assert stage.status()["decision"]["reason"] == reason, stage.status()["decision"]
    stage.sessions(20, {"2.0.0": 40})
    await stage.go(3)
    assert ("rejected" in stage.status()) == (reason != "SplitBroken")
    if reason == "SplitBroken":
        assert "configured 5.0%" in stage.status()["decision"]["message"]
        assert stage.status()["phase"] == "Degraded"


@pytest.mark.asyncio
async def test_users_with_several_sessions_say_nothing_about_the_split() -> None:
    stage = await climbing()
    for _ in range(150):
        stage.assigned(candidate=3, control=1, stable=18)
        await stage.go(1)
    assert stage.status()["decision"]["reason"] != "SplitBroken"
