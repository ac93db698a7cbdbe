"""The lines in which prompts differ, from ConfigMaps of a real API server to its gate and its rollback."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.release.artifact import Artifact, agent_version
from agentrollouts.release.configmap import configmap_of
from agentrollouts.release.source import read_source
from tests.fakes import stage
from tests.fakes.receiver import receiving
from tests.fakes.stage import rollout
from tests.integration.runtime.scene import QUICK, Scene
from tests.releases import directory

GATE = "support-2.0.0-1"
LINES = "-Be brief.\n+Be \\u{1b}[2Jkind.\n"
NOTIFY: dict[str, Any] = {"notify": [{"name": "oncall", "webhook": {"ref": "pager"}}]}


@pytest.fixture
def both(tmp_path: Path) -> tuple[Artifact, Artifact]:
    old, new = (directory(tmp_path / version, version=version) for version in ("1.0.0", "2.0.0"))
    (new / "prompts" / "system.md").write_text("You are a support agent.\nBe \x1b[2Jkind.\n")
    return read_source(old), read_source(new)


def put(scene: Scene, release: Artifact) -> None:
    """The release's texts, then its version with pods."""
    scene.put(configmap_of(release))
    body = stage.agent_version(release.version, "a")
    body["spec"]["release"] = agent_version(release)["spec"]["release"]
    scene.put(body)


@pytest.mark.asyncio
async def test_a_gate_and_a_rollback_have_the_lines(
    scene: Scene, tmp_path: Path, both: tuple[Artifact, Artifact]
) -> None:
    scene.settings = replace(scene.settings, destinations=tmp_path)
    with receiving() as receiver:
        (tmp_path / "pager").write_text(receiver.url())
        async with scene.operator():
            put(scene, both[0])
            scene.put(rollout("1.0.0", **QUICK))
            await scene.until("the first version", lambda: scene.shares() == {"1.0.0": 10_000})
            put(scene, both[1])
            scene.put(rollout("2.0.0", **QUICK, **NOTIFY))
            await scene.until("the gate", lambda: bool(scene.find("ApprovalGate", GATE)))
            diff = scene.find("ApprovalGate", GATE)["spec"]["diff"]
            scene.admin.annotate(scene.body("Rollout", "support"), abort="now")
            await scene.until("both notices", lambda: len(receiver.got) == 2)
        notices = {
            notice["happening"]: notice["diff"]
            for _, _, body in receiver.got
            for notice in [json.loads(body)]
        }
    assert LINES in diff
    assert notices == {"ApprovalNeeded": diff, "RolledBack": diff}
