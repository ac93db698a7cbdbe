"""The cluster as a run needs it: it reads a Rollout and its versions, makes one version, and may set one field."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

from pydantic import ValidationError

from agentrollouts.api.agentversion import AgentVersionSpec, AgentVersionStatus
from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.improver.outcome import Action, Outcome
from agentrollouts.improver.standing import Agent, Version
from agentrollouts.kube.connection import Channel, Request
from agentrollouts.kube.events import MAX_NOTE, event_of
from agentrollouts.kube.resources import collection_path, object_path
from agentrollouts.ports import (
    ConflictError,
    GoneError,
    Reference,
    TerminalError,
    TransientError,
)

API = f"{GROUP}/{API_VERSION}"
MANAGER = "agentrollouts-improver"
_MERGE = "application/merge-patch+json"
_REASONS: Mapping[Action, str] = {
    "hold": "ImprovementHeld",
    "proposed": "ImprovementProposed",
    "refused": "ImprovementRefused",
}


class KubeCluster:
    """Implements :class:`agentrollouts.improver.ports.Cluster` in one namespace."""

    def __init__(self, connection: Channel, namespace: str) -> None:
        self._connection = connection
        self._namespace = namespace

    async def agent(self, rollout: str) -> Agent:
        """The Rollout and the versions of its agent. A version that can't be read is left out: nothing is made of it."""
        raw = await self._connection.send(Request("GET", self._path("Rollout", rollout)))
        spec, status = _parsed_rollout(raw)
        return Agent(
            namespace=self._namespace,
            name=rollout,
            uid=str(raw["metadata"].get("uid", "")),
            resource_version=str(raw["metadata"].get("resourceVersion", "")),
            spec=spec,
            status=status,
            versions=tuple([item async for item in self._versions(spec.agent)]),
        )

    async def user(self) -> str:
        """Our own name."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        answer = await self._connection.send(Request("POST", path, review))
        return str(answer.get("status", {}).get("userInfo", {}).get("username", ""))

    async def create_version(self, manifest: Mapping[str, Any]) -> None:
        """One request: the version is there as a whole, or not at all."""
        path = collection_path(API, "AgentVersion", namespace=self._namespace)
        await self._connection.send(
            Request("POST", f"{path}?{urlencode({'fieldManager': MANAGER})}", manifest)
        )

    async def start(self, agent: Agent, version: str) -> None:
        """Set spec.version and nothing else."""
        patch = {"metadata": {"resourceVersion": agent.resource_version}, "spec": {"version": version}}
        path = f"{self._path('Rollout', agent.name)}?{urlencode({'fieldManager': MANAGER})}"
        await self._connection.send(Request("PATCH", path, patch, _MERGE))

    async def tell(self, agent: Agent, outcome: Outcome) -> None:
        """An event on the Rollout; one that can't be written is left out."""
        about = Reference(API, "Rollout", self._namespace, agent.name, agent.uid)
        kind: Literal["Normal", "Warning"] = "Warning" if outcome.action == "refused" else "Normal"
        note = f"{outcome.reason}: {outcome.message}"[:MAX_NOTE]
        event = event_of(about, reason=_REASONS[outcome.action], note=note, type=kind, now=datetime.now(UTC))
        event["reportingController"] = f"{GROUP}/improver"
        path = collection_path("events.k8s.io/v1", "Event", namespace=self._namespace)
        with contextlib.suppress(ConflictError, GoneError, TransientError, TerminalError):
            await self._connection.send(Request("POST", path, event))

    async def _versions(self, agent: str) -> Any:
        query = {"limit": "500", "fieldSelector": f"spec.agent={agent}"}
        path = collection_path(API, "AgentVersion", namespace=self._namespace)
        while True:
            page = await self._connection.send(Request("GET", f"{path}?{urlencode(query)}"))
            for raw in page.get("items") or ():
                if (item := _parsed_version(raw)) is not None:
                    yield item
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    def _path(self, kind: str, name: str) -> str:
        return object_path(API, kind, namespace=self._namespace, name=name)


def _parsed_rollout(raw: Mapping[str, Any]) -> tuple[RolloutSpec, RolloutStatus]:
    try:
        return RolloutSpec.model_validate(raw["spec"]), RolloutStatus.model_validate(raw.get("status") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TerminalError(
            f"Rollout {raw['metadata']['name']} can't be read: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error


def _parsed_version(raw: Mapping[str, Any]) -> Version | None:
    try:
        return Version(
            spec=AgentVersionSpec.model_validate(raw["spec"]),
            status=AgentVersionStatus.model_validate(raw.get("status") or {}),
            created=datetime.fromisoformat(raw["metadata"]["creationTimestamp"]),
            raw=raw,
        )
    except (ValidationError, LookupError, ValueError):
        return None
