"""What every Cluster of the improver does, played against the fake and against a real API server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentrollouts.api.agentversion import Lineage
from agentrollouts.improver.outcome import Outcome
from agentrollouts.improver.ports import Cluster
from agentrollouts.improver.prompt import prompt_of
from agentrollouts.improver.revision import new_version
from agentrollouts.ports import ConflictError
from tests.fakes.improvable import PROMPT, VARIABLE


async def check(cluster: Cluster, rollout: str) -> None:
    """A Rollout that serves 1.0.0 and allows its improver to start proposals."""
    first = await cluster.agent(rollout)
    assert first.status.stable is not None
    assert (first.name, first.status.stable.version, len(first.versions)) == (rollout, "1.0.0", 1)
    parent = first.find("1.0.0")
    assert parent is not None
    assert prompt_of(parent.raw, VARIABLE) == PROMPT
    lineage = Lineage(
        parent="1.0.0",
        author="Agent",
        proposed_by=await cluster.user(),
        rationale="shorter",
        cost_usd="0.09",
        evidence=("a", "b"),
    )
    manifest = new_version(
        parent.raw, version="1.0.1-p1", variable=VARIABLE, prompt="5 $ for $(HOME)", lineage=lineage
    )
    await cluster.create_version(manifest)
    with pytest.raises(ConflictError):
        await cluster.create_version(manifest)
    after = await cluster.agent(rollout)
    made = after.find("1.0.1-p1")
    assert made is not None
    assert made.spec.lineage == lineage
    assert prompt_of(made.raw, VARIABLE) == "5 $ for $(HOME)"
    assert made.created >= parent.created
    assert [item.spec.version for item in after.written] == ["1.0.1-p1"]
    await cluster.start(after, "1.0.1-p1")
    assert (await cluster.agent(rollout)).spec == after.spec.model_copy(update={"version": "1.0.1-p1"})
    with pytest.raises(ConflictError):
        await cluster.start(replace(after, resource_version=first.resource_version), "1.0.1-p1")
    outcome = Outcome(
        action="proposed",
        reason="Started",
        message="1.0.1-p1 begins",
        namespace=after.namespace,
        rollout=rollout,
    )
    await cluster.tell(after, outcome)
