"""How decisions come, with the default way of judging: exact sequential tests over the sessions of real agents."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agent_load import routing_errors
from hack.demo import manifests
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import Space

CANDIDATE, DRIFTED = "2.2.0", "2.3.1"
PREDICTED = {13: 650, 33: 150}
"""Percent of wrong answers -> sessions of the candidate until it is taken out, at most: five times what nineteen of twenty such
versions need, for the test is about the order of magnitude and never about luck."""
SUCCESS = {"name": "success", "successRate": {}}


def offered(space: Space, semver: str = CANDIDATE, **environment: str) -> None:
    """A candidate that differs from the first version in these settings of the agent alone."""
    manifest = manifests.version("1.0.0")
    spec: dict[str, Any] = manifest["spec"]
    spec["version"] = semver
    spec["release"]["model"] = {
        **spec["release"]["model"],
        "digest": f"sha256:{semver.replace('.', ''):0>64}",
    }
    container = spec["template"]["spec"]["containers"][0]
    container["env"] += [{"name": name, "value": value} for name, value in environment.items()]
    manifest["metadata"]["name"] = f"support-{semver}"
    space.kubectl.apply(manifest)
    space.change(version=semver)


def sessions(message: str) -> int:
    """How many sessions of the candidate a sentence is about."""
    found = re.search(r"of (\d+) sessions against", message)
    assert found is not None, message
    return int(found.group(1))


def held_by_the_mix(status: dict[str, Any]) -> bool:
    """By the mix of tools, whatever else warns beside it."""
    decision = status["decision"]
    return decision["reason"] == "ChecksWarn" and "tool-mix WARN" in decision["message"]


@pytest.mark.parametrize("wrong", PREDICTED)
def test_a_silently_worse_version_is_caught_within_the_tasks_that_were_predicted(
    make_space: MakeSpace, wrong: int
) -> None:
    space = make_space(f"e2e-worse-{wrong}")
    space.first(analysis={"interval": "1s", "checks": [SUCCESS]})
    space.users("--tasks-per-session", "1-3", rate=40)
    space.met("1.0.0", requests=200)
    offered(space, SUPPORT_WRONG_PERCENT=str(wrong))
    status = space.until("the rollback", lambda s: s.get("rejected"), seconds=240)
    rejected = status["rejected"]
    assert (rejected["version"], rejected["reason"]) == (CANDIDATE, "CheckFailed")
    assert "evidence against it" in rejected["message"]
    assert sessions(rejected["message"]) <= PREDICTED[wrong]
    assert not routing_errors(space.leave())


def test_an_equal_version_is_not_rolled_back_and_one_that_drifts_is_held(make_space: MakeSpace) -> None:
    """The same agent under another name earns its way to the gate; then one that answers the same by other tools stops."""
    space = make_space("e2e-drift")
    mix = {"name": "tool-mix", "toolMix": {}}
    space.first(
        analysis={"interval": "1s", "checks": [SUCCESS, mix], "errorBudget": {"falseRollback": "0.5%"}}
    )
    space.users("--tasks-per-session", "1-3", rate=40)
    space.met("1.0.0", requests=200)
    offered(space)
    status = space.until("the gate", lambda s: s["phase"] == "AwaitingApproval", seconds=240)
    assert {check["name"]: check["verdict"] for check in status["checks"]} == {
        "success": "PASS",
        "tool-mix": "PASS",
    }
    space.request("abort", "enough")
    space.until("the abort", lambda s: s.get("rejected"))
    space.kubectl.run("delete", "agentversion", f"support-{CANDIDATE}", "--wait=true", timeout=90)
    space.change(version="1.0.0")
    space.until("1.0.0 is wanted again", lambda s: s["phase"] == "Healthy")
    offered(space, DRIFTED, SUPPORT_DETOUR_PERCENT="100")
    space.until(
        "the drift is seen",
        lambda s: any(c["name"] == "tool-mix" and c["verdict"] == "WARN" for c in s.get("checks", ())),
        seconds=240,
    )
    status = space.until("the hold", held_by_the_mix, seconds=60)
    assert "apart" in status["decision"]["message"]
    assert status["candidate"]["share"] < 10_000
    assert status["rejected"]["version"] == CANDIDATE, "the drift itself is no reason to take a version out"
