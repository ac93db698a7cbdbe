"""An agent that can be improved, in memory: its Rollout and versions, and who changed what. Implements the improver's Cluster."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agentrollouts.api.agentversion import AgentVersionSpec, AgentVersionStatus
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.improver.outcome import Outcome
from agentrollouts.improver.standing import Agent, Version
from agentrollouts.ports import ConflictError, TransientError

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
PROMPT = "You answer customers of the shop {shop}.\nLook an order up before you say anything about it."
DIGEST = "sha256:" + "a" * 64
VARIABLE = "SYSTEM_PROMPT"
ME = "system:serviceaccount:agent-rollouts:improver"


def version(number: str = "1.0.0", *, agent: str = "support", env: Any = None, **spec: Any) -> dict[str, Any]:
    """An AgentVersion whose template holds the prompt."""
    entries = [{"name": VARIABLE, "value": PROMPT}] if env is None else env
    container = {
        "name": "agent",
        "image": "x",
        "env": entries,
        "ports": [{"name": "http", "containerPort": 80}],
    }
    parts = {part: {"digest": DIGEST} for part in ("code", "model", "prompts", "tools", "data")}
    return {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "AgentVersion",
        "metadata": {"name": f"{agent}-{number}", "namespace": "shop"},
        "spec": {
            "agent": agent,
            "version": number,
            "release": parts,
            "template": {"spec": {"containers": [container]}},
            **spec,
        },
    }


class Improvable:
    """One Rollout at 1.0.0, which serves. ``started`` are the versions that were asked for, ``told`` the events."""

    def __init__(self, *, agent: str = "support", proposals: Mapping[str, Any] | None = None) -> None:
        self.spec: dict[str, Any] = {"agent": agent, "version": "1.0.0", "proposals": dict(proposals or {})}
        self.status: dict[str, Any] = {
            "stable": {"version": "1.0.0", "digest": DIGEST, "since": "2026-01-01T00:00:00Z"}
        }
        self.versions: list[tuple[dict[str, Any], datetime]] = []
        self.resource_version = 1
        self.started: list[str] = []
        self.told: list[Outcome] = []
        self.dies_before_start = False
        self.put(version(agent=agent), NOW - timedelta(days=30))

    def put(self, manifest: dict[str, Any], created: datetime = NOW, **status: Any) -> None:
        """A version that is there."""
        self.versions.append((manifest | {"status": status}, created))

    async def agent(self, rollout: str) -> Agent:
        return Agent(
            namespace="shop",
            name=rollout,
            uid="u-1",
            resource_version=str(self.resource_version),
            spec=RolloutSpec.model_validate(self.spec),
            status=RolloutStatus.model_validate(self.status),
            versions=tuple(
                Version(
                    spec=AgentVersionSpec.model_validate(raw["spec"]),
                    status=AgentVersionStatus.model_validate(raw["status"]),
                    created=created,
                    raw=copy.deepcopy(raw),
                )
                for raw, created in self.versions
            ),
        )

    async def user(self) -> str:
        return ME

    async def create_version(self, manifest: Mapping[str, Any]) -> None:
        if any(raw["metadata"]["name"] == manifest["metadata"]["name"] for raw, _ in self.versions):
            raise ConflictError("it exists")
        AgentVersionSpec.model_validate(manifest["spec"])
        self.put(copy.deepcopy(dict(manifest)))

    async def start(self, agent: Agent, version: str) -> None:
        if self.dies_before_start:
            self.dies_before_start = False
            raise TransientError("the run ends here")
        if agent.resource_version != str(self.resource_version):
            raise ConflictError("it changed")
        self.resource_version += 1
        self.spec["version"] = version
        self.started.append(version)

    async def tell(self, agent: Agent, outcome: Outcome) -> None:
        self.told.append(outcome)
