"""The evidence of rollbacks beside the ticks: none is lost with the operator, and a dead ledger delays nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agentrollouts.bundles import LedgerBundles
from agentrollouts.ports import NotKept, TransientError
from agentrollouts.runtime.settings import LedgerSettings
from tests.fakes.bundles import FakeBundles
from tests.fakes.stage import SETTINGS, Stage, agent_version, rollout
from tests.ledger.process import LedgerProcess
from tests.ledger.tasks import document
from tests.unit.cli.runs import run

WITH_LEDGER = replace(SETTINGS, ledger=LedgerSettings("http://ledger:8090"))
ANALYSIS = {
    "mode": "threshold",
    "interval": "2s",
    "minimumSessions": 5,
    "failures": {"every": "1s", "consecutive": 1},
    "checks": [{"name": "success", "successRate": {}}],
}
DOWN = NotKept("the ledger at http://ledger:8090 can't be reached: ConnectError")


async def beginning(stage: Stage) -> Stage:
    """2.0.0 is on its way beside 1.0.0, with its first share."""
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", analysis=ANALYSIS))
    await stage.restart()
    await stage.go(1)
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.edit("Rollout", "support", lambda body: body["spec"].update(version="2.0.0"))
    await stage.go(4)
    assert stage.shares()["2.0.0"] == 500
    return stage


async def abort(stage: Stage, token: str = "now") -> None:
    stage.cluster.annotate("Rollout", "support", abort=token)
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}


def status_writes(stage: Stage) -> int:
    return stage.cluster.writes.count("status of Rollout support")


def counted(stage: Stage, outcome: str) -> float:
    name = "agentrollouts_evidence_bundles_total"
    return stage.operator.telemetry.registry.get_sample_value(name, {"outcome": outcome}) or 0


def told(stage: Stage) -> list[tuple[str, str]]:
    return [(reason, message) for reason, message in stage.cluster.events if reason.startswith("Evidence")]


def fake(stage: Stage) -> FakeBundles:
    assert isinstance(stage.evidence_store, FakeBundles)
    return stage.evidence_store


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    found = await beginning(Stage(settings=WITH_LEDGER, evidence_store=FakeBundles()))
    yield found
    await found.operator.archivist.close()


@pytest.mark.asyncio
async def test_a_rollback_is_kept_once_with_two_status_writes(stage: Stage) -> None:
    before = status_writes(stage)
    await abort(stage)
    kept = fake(stage).read("shop", "support", 1)
    assert (kept["candidate"]["version"], kept["decision"]["reason"]) == ("2.0.0", "Aborted")
    assert kept["uid"] == stage.cluster.get("Rollout", "support")["metadata"]["uid"]
    assert {change["field"] for change in kept["changes"]} == {
        f"{part}.digest" for part in ("code", "model", "prompts", "tools", "data")
    }
    assert status_writes(stage) == before + 2, "the decision with the bundle, and the bundle kept"
    await stage.go(10)
    assert len(fake(stage).tried) == 1
    assert status_writes(stage) == before + 2
    assert not stage.status()["bundles"]
    assert (counted(stage, "Kept"), told(stage)) == (1, [])


@pytest.mark.asyncio
async def test_a_failed_check_is_in_it(stage: Stage) -> None:
    for _ in range(8):
        stage.work(4, bad={"2.0.0": 36})
        await stage.go(1)
    assert stage.status()["phase"] == "RolledBack"
    kept = fake(stage).read("shop", "support", 1)
    assert [(check["name"], check["verdict"]) for check in kept["checks"]] == [("success", "FAIL")]
    assert kept["decision"]["message"] == stage.status()["decision"]["message"]


@pytest.mark.asyncio
async def test_without_a_ledger_nothing_is_tried_or_written() -> None:
    stage = await beginning(Stage())
    await abort(stage)
    await stage.go(5)
    assert stage.operator.archivist.store is None
    assert not stage.status().get("bundles")


@pytest.mark.asyncio
async def test_a_dead_ledger_delays_nothing_and_is_told_of_once(stage: Stage) -> None:
    fake(stage).answer = DOWN
    await abort(stage)
    writes = status_writes(stage)
    await stage.go(70)
    assert len(fake(stage).tried) == 6, "after 0, 2, 6, 14, 30 and 62 seconds"
    ((reason, message),) = told(stage)
    assert reason == "EvidenceWaits"
    assert "no evidence of attempt 1 (2.0.0): the ledger at http://ledger:8090 can't be reached" in message
    assert status_writes(stage) == writes, "trying writes nothing"
    stage.cluster.put(agent_version("1.0.0", "a", "other"))
    stage.cluster.put(rollout("1.0.0", "other"))
    await stage.go(2)
    assert stage.shares("other") == {"1.0.0": 10_000}
    fake(stage).answer = None
    await stage.go(60)
    assert fake(stage).read("shop", "support", 1) is not None
    assert (counted(stage, "Kept"), counted(stage, "Failed")) == (1, 6)


@pytest.mark.asyncio
async def test_it_is_never_given_up_for_its_age(stage: Stage) -> None:
    fake(stage).answer = DOWN
    await abort(stage)
    await stage.go(86_400, step=600)
    assert len(told(stage)) == 1
    assert [bundle["attempt"] for bundle in stage.status()["bundles"]] == [1]
    fake(stage).answer = None
    await stage.go(600, step=60)
    assert not stage.status()["bundles"]


@pytest.mark.asyncio
async def test_a_ledger_that_asks_for_a_pause_gets_it(stage: Stage) -> None:
    fake(stage).answer = NotKept("the ledger answered 503", 40.0)
    await abort(stage)
    await stage.go(39)
    assert len(fake(stage).tried) == 1
    await stage.go(2)
    assert len(fake(stage).tried) == 2


@pytest.mark.asyncio
async def test_what_is_refused_for_good_is_told_and_waits_no_longer(stage: Stage) -> None:
    fake(stage).answer = NotKept("it keeps evidence of an earlier Rollout", final=True)
    await abort(stage)
    ((reason, message),) = told(stage)
    assert (reason, message.endswith("it is given up")) == ("EvidenceRefused", True)
    await stage.go(100)
    assert len(fake(stage).tried) == counted(stage, "Refused") == 1
    assert not stage.status()["bundles"]


@pytest.mark.asyncio
async def test_an_operator_that_dies_leaves_it_to_the_next_one(stage: Stage) -> None:
    fake(stage).hangs = True
    await abort(stage)
    (waiting,) = stage.status()["bundles"]
    await stage.operator.archivist.close()
    fake(stage).hangs = False
    await stage.restart()
    await stage.settle()
    assert fake(stage).read("shop", "support", 1)["decision"]["at"] == waiting["at"]
    assert not stage.status()["bundles"]


@pytest.mark.asyncio
async def test_an_operator_that_dies_between_route_and_status_keeps_it_all_the_same(stage: Stage) -> None:
    stage.cluster.fail = lambda _, what: (
        TransientError("down") if what == "status of Rollout support" else None
    )
    await abort(stage)
    assert fake(stage).tried == [], "nothing is sent that isn't written"
    stage.cluster.fail = lambda *_: None
    await stage.operator.archivist.close()
    await stage.restart()
    await stage.go(2)
    kept = fake(stage).read("shop", "support", 1)
    assert (kept["share"], kept["decision"]["reason"]) == (500, "Aborted")


@pytest.mark.asyncio
async def test_a_bug_in_the_store_is_a_try_that_failed(stage: Stage) -> None:
    fake(stage).answer = RuntimeError("a secret")
    await abort(stage)
    ((_, message),) = told(stage)
    assert "the evidence store failed: RuntimeError; it waits" in message
    fake(stage).answer = None
    await stage.go(3)
    assert fake(stage).read("shop", "support", 1) is not None


@pytest.mark.asyncio
async def test_a_try_that_hangs_ends_and_is_repeated(stage: Stage) -> None:
    stage.operator.archivist.timeout = 0.001
    fake(stage).hangs = True
    await abort(stage)
    await stage.clock.asleep.wait()
    assert "no answer within 0.001 s" in told(stage)[0][1]
    fake(stage).hangs = False
    await stage.go(3)
    assert fake(stage).read("shop", "support", 1) is not None


@pytest.mark.asyncio
async def test_a_rollout_that_is_gone_is_forgotten(stage: Stage) -> None:
    fake(stage).answer = DOWN
    await abort(stage)
    stage.cluster.remove("Rollout", "support")
    await stage.settle()
    tried = len(fake(stage).tried)
    await stage.go(600, step=30)
    assert len(fake(stage).tried) == tried
    assert stage.operator.archivist.under_way == []


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    for role in ("agent", "reader", "operator"):
        (tmp_path / role).write_text(f"{role}-token-of-the-tests")
    process = LedgerProcess(tmp_path, "--tokens", str(tmp_path))
    yield process
    process.close()


@pytest.mark.asyncio
async def test_from_a_rollback_over_a_real_ledger_to_the_command_line(
    ledger: LedgerProcess, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, ledger=LedgerSettings(ledger.url, tmp_path / "operator"))
    stage = await beginning(Stage(settings=settings, evidence_store=None))
    assert isinstance(stage.operator.archivist.store, LedgerBundles)
    await abort(stage)
    await stage.clock.asleep.wait()
    assert [reason for reason, _ in told(stage)] == ["EvidenceWaits"], "the ledger isn't there yet"
    ledger.start()
    failed = document(
        1, version="2.0.0", outcome="failure", finishedAt=f"{stage.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    )
    token = {"authorization": "Bearer agent-token-of-the-tests"}
    assert ledger.post("/v1/tasks", [failed], token)[2]["stored"] == 1
    stage.clock.forward(300)
    for task in stage.operator.archivist.under_way:
        await task
    await stage.settle()
    assert not stage.status()["bundles"]
    options = ("--ledger", ledger.url, "--token-file", str(tmp_path / "reader"))
    result = run("evidence", "support", "-n", "shop", *options)
    assert result.exit_code == 0, result.output
    shown = json.loads(result.output)
    assert (shown["attempt"], shown["candidate"]["version"]) == (1, "2.0.0")
    assert shown["failedTasks"] == [failed["id"]]
    assert shown["decision"]["message"] == stage.status()["rejected"]["message"]
    await stage.operator.archivist.close()
