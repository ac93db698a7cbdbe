"""Carries plans out, one action after the other, and tells the store what was written.

A crash between any two actions is healed by the next tick: the route carries the decision it came from, and everything
after it is derived again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import assert_never

from pydantic import BaseModel

from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.core.manifests import MANAGED_BY, Named, owner
from agentrollouts.core.plan import (
    Action,
    Apply,
    CreateGate,
    CreateJob,
    DeleteJob,
    Emit,
    PatchGateStatus,
    PatchRolloutStatus,
    PatchVersionStatus,
    Plan,
    SetRoute,
)
from agentrollouts.ports import ConflictError, GoneError, Key, Reference
from agentrollouts.runtime.access import Access
from agentrollouts.runtime.store import Store
from agentrollouts.runtime.telemetry import Telemetry
from agentrollouts.runtime.views import Place

API = f"{GROUP}/{API_VERSION}"


@dataclass(frozen=True, slots=True)
class Executor:
    """Writes to the cluster, and the same to the store."""

    cluster: Access
    store: Store
    telemetry: Telemetry

    async def carry_out(self, plan: Plan, key: Key, uid: str) -> None:
        """All actions in order. Raises the port's exceptions; what came before the failed action stays done."""
        for action in plan.actions:
            await self._do(action, key, uid)

    async def _do(self, action: Action, key: Key, uid: str) -> None:
        place, this = Place(key.namespace, key.name), reference(key.kind, Place(key.namespace, key.name), uid)
        match action:
            case SetRoute():
                await self._set_route(action, place, this)
            case PatchRolloutStatus(status):
                await self.cluster.patch_status(this, wire(status))
                self.store.wrote_rollout(place, status)
            case PatchVersionStatus(status):
                await self.cluster.patch_status(this, wire(status))
                self.store.wrote_version(place, status)
            case PatchGateStatus(name, status):
                gate = Place(key.namespace, name)
                await self.cluster.patch_status(reference("ApprovalGate", gate), wire(status))
                self.store.wrote_gate(gate, status)
            case CreateGate():
                await self._create_gate(action, place, uid)
            case CreateJob(manifest):
                with contextlib.suppress(ConflictError):  # it exists, and the watch will tell how it is
                    await self.cluster.create(manifest)
            case DeleteJob(name):
                with contextlib.suppress(GoneError):
                    await self.cluster.delete(Reference("batch/v1", "Job", key.namespace, name))
            case Apply(manifest):
                meta = manifest["metadata"]
                self.store.applying(Place(meta["namespace"], meta["name"]))
                await self.cluster.apply(manifest)
            case Emit():
                await self.cluster.emit(this, reason=action.reason, message=action.message, type=action.type)
            case _:
                assert_never(action)

    async def _set_route(self, action: SetRoute, place: Place, rollout: Reference) -> None:
        route = reference("AgentRoute", place)
        spec = wire(action.spec)
        if action.if_version == "":
            raise ConflictError(f"AgentRoute {'/'.join(place)} was written a moment ago and not seen since")
        if action.if_version is None:
            await self.cluster.create_route(route, spec, owner=rollout)
        else:
            await self.cluster.replace_route(route, spec, if_version=action.if_version, urgent=action.urgent)
        self.store.wrote_route(place, action.spec, over=action.if_version)
        self.telemetry.route_writes.labels(urgent=str(action.urgent).lower()).inc()

    async def _create_gate(self, action: CreateGate, rollout: Place, uid: str) -> None:
        labels = {"app.kubernetes.io/part-of": "agent-rollouts", "agentrollouts.io/agent": action.spec.agent}
        manifest = {
            "apiVersion": API,
            "kind": "ApprovalGate",
            "metadata": {
                "name": action.name,
                "namespace": rollout.namespace,
                "labels": labels | MANAGED_BY,
                "ownerReferences": [owner("Rollout", Named(*rollout, uid))],
            },
            "spec": wire(action.spec),
        }
        try:
            await self.cluster.create(manifest)
        except ConflictError:
            return  # it exists, and the watch will tell how it is


def reference(kind: str, place: Place, uid: str = "") -> Reference:
    """One of our objects."""
    return Reference(API, kind, place.namespace, place.name, uid)


def wire(model: BaseModel) -> dict[str, object]:
    """A model as the API server takes it."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
