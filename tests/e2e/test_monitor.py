"""What is told of a version that serves, when it begins to do something else though nobody deployed anything."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import MakeSpace


def drifting(status: dict[str, Any]) -> str:
    """The condition's status; empty before it is there."""
    found = {item["type"]: item["status"] for item in status.get("conditions", ())}
    return str(found.get("BehaviorDrifting", ""))


def test_a_version_that_serves_is_watched_against_what_it_did_at_first(make_space: MakeSpace) -> None:
    """Here the users change; a provider that changes a model looks the same to whoever watches."""
    space = make_space("e2e-monitor")
    space.first(monitor={"interval": "1m", "window": "10m", "minimumSessions": 200})
    space.users("--tasks-per-session", "1", rate=40)
    status = space.until("the profile", lambda s: s["stable"].get("profile"), seconds=240)
    profile = status["stable"]["profile"]
    assert sum(profile["topics"].values()) in range(9_900, 10_101)
    space.until("nothing drifts", lambda s: drifting(s) == "False", seconds=180)
    space.leave()
    space.kubectl.run("delete", "pod", "users", "--wait=true", timeout=90)
    space.users("--tasks-per-session", "1", "--about", "refund", rate=40)
    status = space.until("the drift", lambda s: drifting(s) == "True", seconds=300)
    signals = {drift["signal"]: drift["message"] for drift in status["drift"]}
    assert "moved" in signals["topicMix"]
    assert status["stable"]["profile"] == profile, "a profile is taken once"
    assert status["phase"] == "Healthy", "drift moves nothing"
    assert any(event["reason"] == "BehaviorDrifted" for event in space.kubectl.list("events"))
