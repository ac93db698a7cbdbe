"""The evidence of a rollback over a real API server and a real ledger that comes late."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.runtime.settings import LedgerSettings
from tests.fakes.stage import agent_version, rollout
from tests.integration.runtime.scene import QUICK, Scene, install
from tests.ledger.process import LedgerProcess


@pytest.mark.asyncio
async def test_the_status_holds_the_evidence_until_the_ledger_has_it(scene: Scene, tmp_path: Path) -> None:
    scene.agents.failing = {"2.0.0"}
    ledger = LedgerProcess(tmp_path)
    scene.settings = replace(scene.settings, ledger=LedgerSettings(ledger.url))

    def waiting() -> list[Any]:
        found: list[Any] = scene.status().get("bundles") or []
        return found

    try:
        async with scene.operator():
            await install(scene)
            scene.put(agent_version("2.0.0", "b"))
            scene.put(rollout("2.0.0", **QUICK))
            await scene.until("the bundle", lambda: bool(waiting()))
        (bundle,) = waiting()
        ledger.start()
        async with scene.operator():
            await scene.until("the ledger has it", lambda: scene.status() != {} and not waiting())
        kept = ledger.get(f"/v1/evidence/{scene.namespace}/support/1")
    finally:
        ledger.close()
    assert (kept["candidate"]["version"], kept["stable"]["version"]) == ("2.0.0", "1.0.0")
    assert (kept["decision"]["reason"], kept["decision"]["at"]) == ("CheckFailed", bundle["at"])
    assert [check["verdict"] for check in kept["checks"]] == ["FAIL"]
    assert "code.digest" in [change["field"] for change in kept["changes"]]
