"""Plans as data: what one tick wants done, in order. They are logged, compared in tests and shown by dry runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from agentrollouts.api.agentroute import AgentRouteSpec
from agentrollouts.api.agentversion import AgentVersionStatus
from agentrollouts.api.approvalgate import ApprovalGateSpec, ApprovalGateStatus
from agentrollouts.api.rollout_status import RolloutStatus


@dataclass(frozen=True, slots=True)
class SetRoute:
    """Write the route. ``if_version`` is the resource version it was decided on; None creates it."""

    spec: AgentRouteSpec
    if_version: str | None
    urgent: bool = False
    """A rollback: it goes before everything else and has a write budget of its own."""


@dataclass(frozen=True, slots=True)
class PatchRolloutStatus:
    """Write the Rollout's status."""

    status: RolloutStatus


@dataclass(frozen=True, slots=True)
class PatchVersionStatus:
    """Write an AgentVersion's status."""

    status: AgentVersionStatus


@dataclass(frozen=True, slots=True)
class CreateGate:
    """Make the ApprovalGate of a candidate."""

    name: str
    spec: ApprovalGateSpec


@dataclass(frozen=True, slots=True)
class PatchGateStatus:
    """Write an ApprovalGate's status."""

    name: str
    status: ApprovalGateStatus


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Make a Job. One of that name may be there already: the operator that made it died before it saw it."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job and its pods: nobody waits for its verdict any more."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of an object the operator owns. ``owner``: whose deletion deletes it."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Emit:
    """An event on the object this tick is about; only on transitions."""

    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"


Action = (
    SetRoute
    | PatchRolloutStatus
    | PatchVersionStatus
    | CreateGate
    | PatchGateStatus
    | CreateJob
    | DeleteJob
    | Apply
    | Emit
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order they must happen, and when to look again if nothing happens meanwhile."""

    actions: tuple[Action, ...]
    requeue_after: timedelta
    status: RolloutStatus | None = None
    """The Rollout's status once the plan is carried out."""
