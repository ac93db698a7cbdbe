"""A version that an improver wrote, before the whole operator: it waits for a person, and it is a prompt or nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agentrollouts.api.agentversion import Lineage
from agentrollouts.improver.revision import new_version
from tests.fakes.stage import Stage, agent_version, rollout
from tests.unit.runtime.test_mishaps import stalled

ME = "system:serviceaccount:agent-rollouts:agent-rollouts-improver"


def parent() -> dict[str, Any]:
    body = agent_version("1.0.0", "a")
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "SYSTEM_PROMPT", "value": "Be kind."}
    ]
    return body


def proposal() -> dict[str, Any]:
    lineage = Lineage(
        parent="1.0.0", author="Agent", proposed_by=ME, rationale="It was rude.", evidence=("18 of 20",)
    )
    return new_version(
        parent(), version="1.0.1-p1", variable="SYSTEM_PROMPT", prompt="Be kind and quick.", lineage=lineage
    )


async def asked_for(version: dict[str, Any]) -> Stage:
    """1.0.0 serves and the proposal is wanted, in a Rollout that asks nobody before the last step."""
    stage = Stage()
    stage.cluster.put(parent())
    stage.cluster.put(rollout("1.0.0"))
    await stage.restart()
    await stage.go(2)
    stage.cluster.put(copy.deepcopy(version))
    stage.cluster.put(rollout("1.0.1-p1"))
    return stage


@pytest.mark.asyncio
async def test_it_stops_at_half_of_the_traffic_until_a_person_says_yes() -> None:
    stage = await asked_for(proposal())
    for _ in range(30):
        stage.work(40)
        await stage.go(2)
    assert stage.status()["phase"] == "AwaitingApproval"
    assert stage.shares() == {"1.0.1-p1": 5_000, "1.0.0": 5_000}
    (gate,) = [body for (kind, _, _), body in stage.cluster.objects.items() if kind == "ApprovalGate"]
    assert gate["spec"]["requestedBy"] == ME
    assert gate["spec"]["rationale"] == "It was rude.\n18 of 20"


@pytest.mark.asyncio
async def test_one_that_changes_more_gets_no_pods_and_no_traffic() -> None:
    for change in ("image", "account"):
        version = proposal()
        pod = version["spec"]["template"]["spec"]
        if change == "image":
            pod["containers"][0]["image"] = "evil"
        else:
            pod["serviceAccountName"] = "operator"
        stage = await asked_for(version)
        await stage.go(10)
        assert ("Deployment", "shop", "support-1-0-1-p1") not in stage.cluster.objects
        assert stage.shares() == {"1.0.0": 10_000}
        assert "an improver changes a prompt and nothing else" in stalled(stage)
        assert "an improver changes a prompt" in stalled(stage, "AgentVersion", "support-1.0.1-p1")


@pytest.mark.asyncio
async def test_a_parent_that_goes_later_leaves_what_serves_alone() -> None:
    stage = await asked_for(proposal())
    await stage.go(4)
    assert stage.replicas("1.0.1-p1") > 0
    before = stage.replicas("1.0.1-p1")
    for _ in range(4):
        stage.work(40)
        await stage.go(2)
    stage.cluster.remove("AgentVersion", "support-1.0.0")
    await stage.go(2)
    assert stage.replicas("1.0.1-p1") == before
