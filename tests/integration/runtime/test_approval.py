"""An approval from the annotation to the promotion, on servers that write the approver's name and on older ones that don't."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from tests.fakes.stage import agent_version, rollout
from tests.integration.admission.policies import allow, installed, rule
from tests.integration.api import RefusedError
from tests.integration.runtime.scene import QUICK, Scene, install

GATE = "support-2.0.0-1"


@pytest.fixture
def guarded(scene: Scene) -> Scene:
    """Ann may approve, and the operator believes nobody's name without the policies."""
    answer = rule(["approvalgates"], ["get", "patch", "approve"])
    allow(scene.admin, scene.namespace, "approver", [answer], "ann")
    scene.settings = replace(scene.settings, require_policy=True, policy_prefix="test")
    return scene


def policies(scene: Scene, *files: str) -> AbstractContextManager[None]:
    # What the probe would make exists in the scene's own namespace.
    return installed(scene.admin, "default", *files)


async def at_the_gate(scene: Scene) -> None:
    await install(scene)
    scene.put(agent_version("2.0.0", "b", lineage={"proposedBy": "alice"}))
    scene.put(rollout("2.0.0", **QUICK))
    await scene.until("the gate", lambda: bool(scene.find("ApprovalGate", GATE)))


async def promoted_by_ann(scene: Scene) -> None:
    await scene.until("the promotion", lambda: scene.status().get("stable", {}).get("version") == "2.0.0")
    (record,) = scene.status()["history"][-1]["approvals"]
    assert (record["approver"], record["comment"], record["verified"]) == ("ann", "seen", True)


@pytest.mark.asyncio
async def test_where_the_server_writes_the_name(guarded: Scene) -> None:
    with policies(guarded, "validating.yaml", "mutating.yaml"):
        async with guarded.operator():
            await at_the_gate(guarded)
            ann = guarded.admin.as_user("ann")
            ann.annotate(guarded.body("ApprovalGate", GATE), approve="true seen")
            await promoted_by_ann(guarded)


@pytest.mark.asyncio
async def test_where_the_approver_writes_the_name_and_the_server_compares(guarded: Scene) -> None:
    with policies(guarded, "validating.yaml"):
        async with guarded.operator():
            await at_the_gate(guarded)
            ann = guarded.admin.as_user("ann")
            with pytest.raises(RefusedError, match="on this server an approval must carry your name"):
                ann.annotate(guarded.body("ApprovalGate", GATE), approve="true seen")
            ann.annotate(guarded.body("ApprovalGate", GATE), approve="true seen", approved_by="ann")
            await promoted_by_ann(guarded)


@pytest.mark.asyncio
async def test_without_policies_no_approval_counts(guarded: Scene) -> None:
    async with guarded.operator():
        await at_the_gate(guarded)
        guarded.admin.annotate(guarded.body("ApprovalGate", GATE), approve="true", approved_by="ann")
        await guarded.until("the reason", lambda: "no approval counts" in _message(guarded))
    assert guarded.shares() == {"1.0.0": 5000, "2.0.0": 5000}


def _message(scene: Scene) -> str:
    status = scene.find("ApprovalGate", GATE).get("status", {})
    return str(status.get("message", ""))
