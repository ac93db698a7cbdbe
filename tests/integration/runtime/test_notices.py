"""A rollback that reaches somebody: real API server, real HTTP, and a destination that has a bad moment first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.receiver import receiving
from tests.fakes.stage import agent_version, rollout
from tests.integration.runtime.scene import QUICK, Scene, install

NOTIFY: dict[str, Any] = {"notify": [{"name": "oncall", "webhook": {"ref": "pager"}}]}


def events(scene: Scene, reason: str) -> list[str]:
    path = f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events"
    return [item["note"] for item in scene.admin.request("GET", path)["items"] if item["reason"] == reason]


@pytest.mark.asyncio
async def test_a_rollback_is_told_once_even_where_the_destination_fails_first(
    scene: Scene, tmp_path: Path
) -> None:
    scene.agents.failing = {"2.0.0"}
    scene.settings = replace(scene.settings, destinations=tmp_path)
    with receiving() as receiver:
        (tmp_path / "pager").write_text(receiver.url())
        receiver.statuses = [503]
        async with scene.operator():
            await install(scene)
            scene.put(agent_version("2.0.0", "b"))
            scene.put(rollout("2.0.0", **QUICK, **NOTIFY))
            await scene.until("the first try", lambda: bool(receiver.got))
            await scene.until("the event", lambda: bool(events(scene, "NotificationFailed")))
            (pending,) = scene.status()["notices"]["pending"]
            await scene.until("the second try", lambda: len(receiver.got) == 2)
            await scene.until("the report", lambda: "notices" not in scene.status())
        async with scene.operator():
            await scene.until("another look", lambda: scene.status().get("phase") == "RolledBack")
            for _ in range(10):
                await scene.moment()
        bodies = [json.loads(body) for _, _, body in receiver.got]
    assert len(bodies) == 2, "and the next operator tells nobody again"
    assert bodies[0] == bodies[1]
    assert bodies[0]["id"] == pending["id"]
    told = (bodies[0]["happening"], bodies[0]["reason"], bodies[0]["candidate"]["version"])
    assert told == ("RolledBack", "CheckFailed", "2.0.0")
    assert [finding["name"] for finding in bodies[0]["findings"]] == ["success"]
    (note,) = events(scene, "NotificationFailed")
    assert "localhost answered with HTTP 503" in note
    assert "secret" not in note
